"""The layouts of commands and load jobs, which the sequencer hands to the blocks that it starts."""

from __future__ import annotations

from amaranth import Shape, signed, unsigned
from amaranth.lib import data, enum

from ..arch.config import HardwareConfig
from ..arch.program import ADDRESS_BITS, COMMANDS, SEGMENT, Field, built


class Kind(enum.Enum, shape=2):
    """The kind of data that a load brings on chip: words of the feature buffer, segments, or parameters of neurons."""

    FEATURES = 0
    SEGMENTS = 1
    PARAMS = 2


LOAD_JOB = data.StructLayout(
    {
        "kind": Kind,
        "source": ADDRESS_BITS,  # byte address of the first byte of the first chunk
        "beats": 32,  # number of bus words in a chunk
        "chunks": 16,  # number of chunks
        "stride": 32,  # distance in memory from one chunk to the next, in bytes
        "target": 16,  # the first on-chip word or segment that is written
        "target_stride": 16,  # on-chip distance from one chunk to the next, in words
        "wait": 2,  # for which writes it waits (reprise.hw.arch.program.Wait)
        "items": 16,  # number of segments or groups of parameters; the rest of the last bus word is dropped
    }
)
"""A load as the sequencer hands it to the loader: ``chunks`` pieces of ``beats`` bus words each."""


def field_shape(field: Field) -> Shape:
    """Return the shape of a command field in the RTL. A memory address of 64 bits keeps only its ``ADDRESS_BITS``."""
    bits = ADDRESS_BITS if field.bits == 64 else field.bits
    return signed(bits) if field.signed else unsigned(bits)


def run_layout(c: HardwareConfig) -> data.StructLayout:
    """Return a layout with every field that a RUN command has. The fields stay constant while the run works."""
    return data.StructLayout({f.name: field_shape(f) for f in built(c, COMMANDS["RUN"])})


def segment_bus_layout(c: HardwareConfig) -> data.FlexibleLayout:
    """Return the layout of a segment as it stands in memory, where it takes 64 bits."""
    return data.FlexibleLayout(
        64, {f.name: data.Field(field_shape(f), 32 * f.word + f.offset) for f in built(c, SEGMENT)}
    )


def segment_entry(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a segment as the on-chip segment table keeps it.

    ``offset`` is ``bit - shift`` of the segment in memory, and ``mask`` has the bits of the K tile that it fills. Where
    segments can mask each other, ``masks`` says whether this one does.
    """
    entry = {"address": 16, "offset": signed(18), "ky": 8, "mask": c.tile_k, "source": 1}
    return data.StructLayout(entry | ({"masks": 1} if c.masks else {}))
