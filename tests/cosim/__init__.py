"""Tests of the co-simulation: whole accelerators in Verilator, jobs, comparisons and reports."""
