"""The surroundings that the cycle model assumes: the memory and the host of the co-simulation's bench.

They are no part of the accelerator; the bench (``reprise.cosim.bench``) is built with the values that stand here.
"""

MEMORY_DEPTH = 16
"""Bursts that the memory keeps in each direction: ``DEPTH`` of ``cosim/bench/rtl/axi_memory.sv``."""

MEMORY_AHEAD = MEMORY_DEPTH - 2
"""Addresses that the memory accepts ahead: its ``arready`` and ``awready`` are registers."""

HOST = 1
"""Cycles from the host's request to the register access at the port (``cosim/bench/rtl/system_tb.sv``)."""
