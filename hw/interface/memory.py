"""Requests of a block to the memory port, and the words that it writes."""

from __future__ import annotations

from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..arch.program import ADDRESS_BITS

BURST_BEATS = 16
"""Longest burst the accelerator asks for, in beats (at most 1 KiB at 512 bits: it never spans two 4 KiB pages)."""


LENGTH_BITS = 32
"""Width of a transfer's length in beats."""


def read_request() -> data.StructLayout:
    """``beats`` bus words from a bus-aligned byte address."""
    return data.StructLayout({"address": ADDRESS_BITS, "beats": LENGTH_BITS})


def write_word(c: HardwareConfig) -> data.StructLayout:
    """One bus word to write; ``last`` marks the last word of a run."""
    return data.StructLayout({"address": ADDRESS_BITS, "data": c.bus_bits, "strobe": c.bus_bits // 8, "last": 1})
