"""Tests of the sorter and its stages."""
