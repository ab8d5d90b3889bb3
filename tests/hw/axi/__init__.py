"""Tests of the AXI masters against a memory with random stalls and errors."""
