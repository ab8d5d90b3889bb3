"""Tests of the order of rows in the banks of partial sums."""
