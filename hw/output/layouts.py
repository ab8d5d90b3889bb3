"""Payloads between the stages of the output writer."""

from __future__ import annotations

from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..arch.program import MAX_POOL

OFFSET_BITS = 32
"""Width of a byte offset from a run's output address: a run's output spans less than 4 GiB."""


LINE_BITS = 19
"""Width of a bit index in a line: a line has less than 64 KiB."""


def line_config(c: HardwareConfig) -> data.StructLayout:
    """Geometry of the lines that a run writes (the fields of a RUN command of the same names)."""
    return data.StructLayout(
        {
            "image_stride": 32,  # bytes
            "line_bytes": 16,  # whole bus words
            "out_width": 16,
            "out_lines": 16,
            "images": 16,
        }
    )


def line_position(c: HardwareConfig) -> data.StructLayout:
    """Place of a chunk."""
    return data.StructLayout(
        {
            "q": clog2(c.max_timesteps * c.max_planes),
            "fill": clog2(c.bus_bits),  # first bit in its bus word
            "address": OFFSET_BITS,  # byte offset of that word
            "fresh": 1,  # first chunk of its line
            "end": 1,  # last chunk of its line
            "last": 1,  # last chunk of the run
        }
    )


def write_command(c: HardwareConfig) -> data.StructLayout:
    """One bus word to write at ``address`` bytes from the (bus aligned) output base; ``last`` of the run."""
    return data.StructLayout({"address": OFFSET_BITS, "data": c.bus_bits, "strobe": c.bus_bits // 8, "last": 1})


def packer_stage(c: HardwareConfig) -> data.StructLayout:
    """A chunk with its position, before it joins the bits that its line's word has already."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "bits": 2 * n,  # shifted inside two slots of n bits
            "slot": c.bus_bits // n,  # the lower of the two slots of the word, one-hot
            "complete": 1,  # the word is full with this chunk
            "spill": 1,  # bits are left for the next word
            "position": line_position(c),
        }
    )


def level_group(c: HardwareConfig) -> data.StructLayout:
    """Levels of one group of channels at one position and timestep."""
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, c.neuron_lanes),
            "group": range(c.groups),
            "last_group": 1,
            "last_t": 1,
        }
    )


def pooled_item(c: HardwareConfig, depth: int) -> data.StructLayout:
    """An item on its way through the pool: its word, whether its position is the first and the last of its window."""
    return data.StructLayout({"item": level_group(c), "address": range(depth), "first": 1, "last": 1})


def writer_config(c: HardwareConfig) -> data.StructLayout:
    """What the output side must know of a run: the fields of a RUN command of the same names."""
    return data.StructLayout(
        {
            "readout": 1,  # potentials are written
            "channels": 16,  # Cb, channels of the output block
            "pool": range(MAX_POOL + 1),  # kernel of the max pool, 1: none (also for a readout)
            "out_planes": range(c.max_planes + 1),  # P' (no matter for a readout)
            "out_thermometer": 1,
            "image_stride": 32,  # bytes from an image to the next
            "line_bytes": 16,  # bytes of a line, whole bus words
            "out_width": 16,  # positions in a line, after pooling
            "out_lines": 16,  # rows y of an image that this run writes, after pooling
            "images": 16,
        }
    )


def plane_chunk(c: HardwareConfig) -> data.StructLayout:
    """Some bits of a line, at most ``neuron_lanes``.

    Chunks of one position come by timestep, group and plane; the planes of a group fill the same bits of
    different lines.
    """
    return data.StructLayout(
        {
            "bits": c.neuron_lanes,
            "width": range(c.neuron_lanes + 1),  # bits that count; those above are zero
            "last_plane": 1,
            "last_group": 1,
            "last_t": 1,
        }
    )
