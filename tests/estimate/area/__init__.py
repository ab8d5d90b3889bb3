"""Tests of ``estimate/area``: block RAM and multipliers that are counted, LUTs and flip-flops that are fitted."""
