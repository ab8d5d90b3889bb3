"""Tests of what a network may be."""
