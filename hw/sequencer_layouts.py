"""Layouts of commands and jobs between the sequencer and the blocks it starts."""

from __future__ import annotations

from amaranth import signed, unsigned
from amaranth.lib import data

from .config import HardwareConfig
from .program import COMMANDS, SEGMENT, Field

ADDRESS_BITS = 40
"""Width of the memory port's byte addresses; commands have 64 bits, of which the upper 24 must be zero."""

BURST_BEATS = 16
"""Longest burst the accelerator asks for, in beats (at most 1 KiB at 512 bits: it never spans two 4 KiB pages)."""

LENGTH_BITS = 32
"""Width of a transfer's length in beats."""


def field_shape(field: Field):
    """Shape of a command field in the RTL: memory addresses keep only ``ADDRESS_BITS``."""
    bits = ADDRESS_BITS if field.bits == 64 else field.bits
    return signed(bits) if field.signed else unsigned(bits)


def command_layout(opcode: str) -> data.StructLayout:
    """The fields of one command, by name (see :mod:`hw.program`)."""
    return data.StructLayout({f.name: field_shape(f) for f in COMMANDS[opcode]})


def run_layout() -> data.StructLayout:
    """Every field of a RUN: constant while the run works."""
    return command_layout("RUN")


def segment_bus_layout() -> data.FlexibleLayout:
    """A segment as it stands in memory (64 bits)."""
    return data.FlexibleLayout(64, {f.name: data.Field(field_shape(f), 32 * f.word + f.offset) for f in SEGMENT})


def segment_entry(c: HardwareConfig) -> data.StructLayout:
    """A segment as the on-chip table keeps it: ``offset = bit - shift`` and the mask of the bits it fills."""
    return data.StructLayout(
        {
            "address": 16,
            "offset": signed(18),
            "ky": 8,
            "mask": c.tile_k,
            "source": 1,
        }
    )


def read_request() -> data.StructLayout:
    """``beats`` bus words from a bus-aligned byte address."""
    return data.StructLayout({"address": ADDRESS_BITS, "beats": LENGTH_BITS})


def write_word(c: HardwareConfig) -> data.StructLayout:
    """One bus word to write; ``last`` marks the last word of a run."""
    return data.StructLayout({"address": ADDRESS_BITS, "data": c.bus_bits, "strobe": c.bus_bits // 8, "last": 1})
