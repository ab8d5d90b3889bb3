"""The layouts of what the stages of a join hand to each other."""

from __future__ import annotations

from amaranth.lib import data

from ...arch.config import HardwareConfig, clog2
from ..layouts import OFFSET_BITS


def join_group(c: HardwareConfig) -> data.ArrayLayout:
    """Return the layout of the stored levels of one group of channels at one position and timestep."""
    return data.ArrayLayout(c.level_bits, c.neuron_lanes)


def chunk_place(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the place of a chunk: some bits of a line, those of a group's channels."""
    return data.StructLayout(
        {
            "q": clog2(c.max_timesteps * c.max_planes),  # which of the row's lines: t * P + p
            "fill": clog2(c.bus_bits),  # the chunk's first bit in its bus word
            "address": OFFSET_BITS,  # the byte offset of that word from the map's first line
            "begins": 1,  # the chunk's first bit is that of a word
            "spills": 1,  # the chunk's last bits are those of the next word
            "plane": range(c.max_planes),
            "last_plane": 1,
        }
    )
