"""Benches in Verilator: emission and build of the RTL, models of memory and streams, cocotb sides."""
