"""What blocks exchange with the memory port: requests for reads, and the words that are to be written."""

from __future__ import annotations

from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS, COMMAND_BYTES

BURST_BEATS = 16
"""The longest burst that the accelerator asks for, in beats.

It is at most 1 KiB (with a bus of 512 bits), so a burst never spans two pages of 4 KiB, which AXI forbids.
"""


WEIGHT_WORDS = 128
"""Bus words that are buffered before the weight buffer. They cover a memory latency of about as many cycles."""

LOAD_WORDS = 64
"""Bus words that are buffered before the loader."""

ADDEND_WORDS = 32
"""Bus words that are buffered before the addend loader."""


JOIN_WORDS = 16
"""Bus words that are buffered before the join loader, which takes one in some cycles."""


LENGTH_BITS = 32
"""The width of the number of beats of a transfer, in bits."""


def read_request() -> data.StructLayout:
    """Return the layout of a request for ``beats`` bus words from the byte ``address``, a multiple of a bus word."""
    return data.StructLayout({"address": ADDRESS_BITS, "beats": LENGTH_BITS})


def window(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a window: the numbers of its first and last bus word, and whether it is ``open`` at all."""
    word_bits = ADDRESS_BITS - clog2(c.bus_bits // 8)
    return data.StructLayout({"first": word_bits, "last": word_bits, "open": 1})


def write_word(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of one bus word that is to be written. ``strobe`` has a bit for each byte to write.

    ``last`` marks the last word of a run.
    """
    return data.StructLayout({"address": ADDRESS_BITS, "data": c.bus_bits, "strobe": c.bus_bits // 8, "last": 1})


def fetch_words(c: HardwareConfig) -> int:
    """Return how many bus words are buffered before the command fetch: those of a command, and at least a burst."""
    return max(BURST_BEATS, COMMAND_BYTES * 8 // c.bus_bits)
