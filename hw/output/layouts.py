"""The layouts of what the stages of the output writer hand to each other."""

from __future__ import annotations

from amaranth import Value, signed
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..arch.program import INT_BYTES, MAX_POOL, OVERLAPS

OFFSET_BITS = 32
"""The width of a byte offset from a run's output address; a run's output spans less than 4 GiB."""


LINE_BITS = 19
"""The width of the index of a bit in a line; a line has less than 64 KiB."""


def line_config(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the geometry of the lines that a run writes: fields of a RUN command of the same names."""
    return data.StructLayout(
        {
            "image_stride": 32,  # bytes from an image to the next
            "line_bytes": 16,  # bytes of a line, which is whole bus words
            "out_width": 16,  # positions in a line
            "out_lines": 16,  # rows y of an image that this run writes
            "images": 16,
        }
    )


def integer_config(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the geometry of an integer map: fields of a RUN command of the same names."""
    return data.StructLayout(
        {
            "image_stride": 32,  # bytes from an image to the next
            "int_y": 32,  # bytes from an image row to the next
            "line_bytes": 16,  # bytes from a position to the next of its row
            "int_t": 32,  # bytes from a timestep to the next
            "int_block": 32,  # bytes from a sub-block to the next
            "int_bytes": 3,  # bytes of an integer: 1, 2 or 4
            "int_groups": range(c.groups + 1),  # groups of a sub-block
            "out_width": 16,  # positions in a row
            "out_lines": 16,  # rows y of an image that this run writes
            "images": 16,
        }
    )


def line_position(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a chunk's place in the output."""
    return data.StructLayout(
        {
            "q": clog2(c.max_timesteps * c.max_planes),  # which of the row's lines: t * P' + p
            "fill": clog2(c.bus_bits),  # the chunk's first bit in its bus word
            "address": OFFSET_BITS,  # the byte offset of that word from the run's output address
            "fresh": 1,  # the chunk is the first of its line
            "end": 1,  # the chunk is the last of its line
            "last": 1,  # the chunk is the last of the run
        }
    )


def write_command(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of one bus word to write.

    ``address`` is in bytes from the run's output address, which is aligned to bus words. ``last`` marks the run's last
    word.
    """
    return data.StructLayout({"address": OFFSET_BITS, "data": c.bus_bits, "strobe": c.bus_bits // 8, "last": 1})


def packer_stage(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a chunk with its position, before it joins the bits that its line's word has already."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "bits": 2 * n,  # the chunk, shifted to its place in two neighbouring slots of n bits
            "slot": c.bus_bits // n,  # which slot of the word the lower of the two is, as a one-hot code
            "complete": 1,  # this chunk fills the word
            "gives": 1,  # the word is given out, because it is full or its line ends
            "position": line_position(c),
        }
    )


def level_group(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the levels of one group of channels at one position and timestep."""
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, c.neuron_lanes),
            "group": range(c.groups),
            "last_group": 1,
            "last_t": 1,
        }
    )


def pooled_item(c: HardwareConfig, depth: int) -> data.StructLayout:
    """Return the layout of an item on its way through the pool.

    ``address`` is the word of the memory that keeps the largest level so far; ``first`` and ``last`` say whether the
    item's position is the first or the last of its window. Where windows can overlap, ``fresh`` says that the item's
    own levels are kept, because the next window begins with it.
    """
    fresh = {"fresh": 1} if c.pool_words else {}
    return data.StructLayout({"item": level_group(c), "address": range(depth), "first": 1, "last": 1} | fresh)


def overlap_config(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the geometry of windows that overlap: fields of a RUN command of the same names."""
    return data.StructLayout({"out_width": 16, "out_lines": 16} | dict.fromkeys(OVERLAPS, 1))


def writer_config(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what the output side must know of a run: fields of a RUN command of the same names."""
    return data.StructLayout(
        {
            "readout": 1,  # potentials are written instead of levels, always as an integer map
            "channels": 16,  # Cb, the channels of the output block
            "pool": range(MAX_POOL + 1),  # the kernel of the max pool; 1 means none, as a readout must have it
            **(dict.fromkeys(OVERLAPS, 1) if c.pool_words else {}),
            "out_planes": range(c.max_planes + 1),  # P', the planes of a level (of no matter for an integer map)
            "out_thermometer": 1,  # the planes are thermometer planes, not bit-planes
            "image_stride": 32,  # bytes from an image to the next
            "line_bytes": 16,  # bytes of a line, which is whole bus words; of an integer map, from x to x + 1
            "out_width": 16,  # positions in a line, after pooling
            "out_lines": 16,  # rows y of an image that this run writes, after pooling
            "images": 16,
            "int_bytes": 3,  # bytes of an integer, if an integer map is written instead of planes; else 0
            "int_groups": range(c.groups + 1),  # groups of a sub-block of an integer map
            "int_t": 32,  # bytes from a timestep of an integer map to the next
            "int_y": 32,  # bytes from an image row to the next
            "int_block": 32,  # bytes from a sub-block to the next
            # The planes of a stored map whose levels are added to those of the neurons, or 0; the largest sum.
            **({"join_planes": range(c.max_planes + 1), "join_levels": c.level_bits} if c.joins else {}),
        }
    )


def integer_group(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the integers of one group of channels at one position and timestep, before they are cut."""
    wide = max(c.membrane_bits, c.level_bits + 1)
    return data.StructLayout({"value": data.ArrayLayout(signed(wide), c.neuron_lanes), "last_group": 1, "last_t": 1})


def fitted_group(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the integers of a group that says, too, which of them fit integers of each size."""
    group = integer_group(c)
    fits = data.ArrayLayout(len(INT_BYTES), c.neuron_lanes)
    return data.StructLayout({**{name: field.shape for name, field in group}, "fits": fits})


def plane_chunk(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a chunk: some bits of a line, ``neuron_lanes`` of them at most.

    The chunks of one position come in the order of timestep, group and plane. The planes of a group fill the same bits
    of different lines.
    """
    return data.StructLayout(
        {
            "bits": c.neuron_lanes,
            "width": range(c.neuron_lanes + 1),  # how many bits belong to the chunk; those above are zero
            "last_plane": 1,
            "last_group": 1,
            "last_t": 1,
        }
    )


def last_width(c: HardwareConfig, channels: Value) -> ValueLike:
    """Return how many of ``channels`` channels the last group holds, 1..neuron_lanes."""
    if c.neuron_lanes == 1:
        return 1
    return (channels - 1)[: c.neuron_lanes.bit_length() - 1] + 1
