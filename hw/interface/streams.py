"""Payloads of the streams between blocks, as functions of the configuration."""

from __future__ import annotations

from amaranth import signed
from amaranth.lib import data

from ..arch.config import HardwareConfig
from .commands import segment_bus_layout


def feature_write(c: HardwareConfig) -> data.StructLayout:
    """Two neighbouring words (an even address and the next), of which ``mask`` names those to write."""
    return data.StructLayout(
        {"pair": range(c.feature_words // 2), "words": data.ArrayLayout(c.feature_bits, 2), "mask": 2}
    )


TAG_BITS = 3
"""Bits of a tile tag: the tile's sequence number modulo 8 (at most 6 tiles are in flight)."""


def tile_info(c: HardwareConfig) -> data.StructLayout:
    """What the blocks after the loader must know of a tile."""
    return data.StructLayout(
        {
            "weight_slot": c.weight_slot_bits,  # weight buffer slot that holds the tile's weights
            "weight_release": 1,  # the slot may be refilled when this tile is done
            "last_k": 1,  # last K tile of its m tile: partial sums are then drained
            "rows": c.count_bits,  # rows of the m tile, 1..tile_m: the same in all its K tiles
        }
    )


def tile_word(c: HardwareConfig) -> data.StructLayout:
    """``load_rows`` consecutive rows of a tile."""
    return data.StructLayout({"rows": data.ArrayLayout(c.tile_k, c.load_rows), "last": 1, "tile": tile_info(c)})


def tile_begin(c: HardwareConfig) -> data.StructLayout:
    """Announces a tile, before any of its rows."""
    return data.StructLayout({"tag": TAG_BITS, "tile": tile_info(c)})


def tile_end(c: HardwareConfig) -> data.StructLayout:
    """Closes a tile, after all its rows: how many there were."""
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "computes": c.count_bits,
            "reuses": data.ArrayLayout(c.count_bits, c.banks),
        }
    )


def compute_row(c: HardwareConfig) -> data.StructLayout:
    """A row that is no exact match: ``residual`` bits are added to the prefix's result."""
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "residual": c.tile_k,
            "has_prefix": 1,
            "prefix": c.row_bits,  # where the prefix's tile result is
            "result": c.row_bits,  # where its own tile result goes
            "row": c.row_bits,  # row index in the tile: address of its partial sum
        }
    )


def reuse_row(c: HardwareConfig) -> data.StructLayout:
    """An exact match: its result is its prefix's."""
    return data.StructLayout(
        {
            "tag": TAG_BITS,
            "prefix": c.row_bits,
            "row": c.row_bits,
            "after": c.count_bits,  # compute rows of this tile issued before it
        }
    )


def weight_row(c: HardwareConfig) -> data.StructLayout:
    """The weights of one k for all lanes."""
    return data.StructLayout(
        {
            "weight_slot": c.weight_slot_bits,
            "row": range(c.tile_k),
            "last": 1,
            "data": data.ArrayLayout(signed(c.weight_bits), c.lanes),
        }
    )


def psum_row(c: HardwareConfig) -> data.StructLayout:
    """The finished partial sums of one row (one plane of one destination)."""
    return data.StructLayout(
        {
            "psum": data.ArrayLayout(signed(c.psum_bits), c.lanes),
            "dirty": 1,  # else nothing was added to the row: its partial sums are zero, whatever ``psum`` says
            "last_position": 1,  # of its block (row_order): the next position's row is of the next timestep
            "last": 1,  # of the m tile
        }
    )


def layer_config(c: HardwareConfig) -> data.StructLayout:
    """What the neuron array and the output side must know of a layer; constant during a run."""
    return data.StructLayout(
        {
            "readout": 1,  # does not fire: potentials are written
            "reset": 2,  # 0 soft, 1 hard, 2 none
            "levels": c.level_bits,  # N
            "planes": range(c.max_planes + 1),  # P of the input rows
            "weigh": 1,  # 1: plane p weighs 2**p (bit-plane), 0: 1 (thermometer)
            "signed": 1,  # the highest plane is a two's-complement sign plane
            "timesteps": range(c.max_timesteps + 1),  # T
            "groups": range(c.groups + 1),  # active groups of neuron_lanes
        }
    )


def neuron_params(c: HardwareConfig) -> data.StructLayout:
    """Integer parameters of one group of ``neuron_lanes`` channels."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "group": range(c.groups),
            "bias": data.ArrayLayout(signed(c.membrane_bits), n),
            "threshold": data.ArrayLayout(c.membrane_bits - 1, n),  # D > 0
            "v0": data.ArrayLayout(signed(c.membrane_bits), n),
            "leak": data.ArrayLayout(9, n),  # l, 0..256
        }
    )


def neuron_out(c: HardwareConfig) -> data.StructLayout:
    """Levels (or potentials) of one group of channels at one position and timestep."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, n),
            "potential": data.ArrayLayout(signed(c.membrane_bits), n),  # not where positions are interleaved
            "group": range(c.groups),
            "last_group": 1,
            "last_t": 1,
            "last": 1,
        }
    )


def segment_write(c: HardwareConfig) -> data.StructLayout:
    """A segment on its way into the table."""
    return data.StructLayout({"index": range(c.segments), "segment": segment_bus_layout()})
