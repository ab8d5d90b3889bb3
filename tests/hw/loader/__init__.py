"""Tests of the loader's unpacking and of the weights' way."""
