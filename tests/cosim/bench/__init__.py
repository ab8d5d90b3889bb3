"""Tests of how the benches are built."""
