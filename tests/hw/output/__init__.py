"""Tests of the output writer and its stages."""
