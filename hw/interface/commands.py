"""Layouts of commands and jobs between the sequencer and the blocks it starts."""

from __future__ import annotations

from amaranth import Shape, signed, unsigned
from amaranth.lib import data, enum

from ..arch.config import HardwareConfig
from ..arch.program import ADDRESS_BITS, COMMANDS, SEGMENT, Field


class Kind(enum.Enum, shape=2):
    """What a load brings."""

    FEATURES = 0
    SEGMENTS = 1
    PARAMS = 2


LOAD_JOB = data.StructLayout(
    {
        "kind": Kind,
        "source": ADDRESS_BITS,  # first byte of the first chunk
        "beats": 32,  # bus words of a chunk
        "chunks": 16,
        "stride": 32,  # bytes from one chunk to the next
        "target": 16,  # first word or segment
        "target_stride": 16,  # words from one chunk to the next
        "items": 16,  # segments or groups of parameters (what is beyond in the last bus word is dropped)
    }
)


def field_shape(field: Field) -> Shape:
    """Shape of a command field in the RTL: memory addresses keep only ``ADDRESS_BITS``."""
    bits = ADDRESS_BITS if field.bits == 64 else field.bits
    return signed(bits) if field.signed else unsigned(bits)


def command_layout(opcode: str) -> data.StructLayout:
    """The fields of one command, by name (see :mod:`reprise.hw.arch.program`)."""
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
