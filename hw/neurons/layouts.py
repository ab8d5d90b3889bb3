"""Payloads between the stages of the neuron array."""

from __future__ import annotations

from amaranth import signed
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.row_order import contexts
from ..lib.fanout import parts


def neuron_level(c: HardwareConfig) -> data.StructLayout:
    """One group of channels on its way through the search."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "rest": data.ArrayLayout(signed(c.membrane_bits), n),  # U - z*D; at the end V (0 after a hard reset)
            "level": data.ArrayLayout(c.level_bits, n),  # z
            "threshold": data.ArrayLayout(c.membrane_bits - 1, n),  # D
            "tight": n,  # the bits of z found so far are those of N: z must not pass it
        }
    )


def fired_group(c: HardwareConfig) -> data.StructLayout:
    """What of a group of channels leaves the search."""
    known = neuron_level(c).members
    return data.StructLayout({name: known[name] for name in ("step", "rest", "level")})


def potential_write(c: HardwareConfig) -> data.StructLayout:
    """A potential is written: to this context."""
    return data.StructLayout({"valid": 1, "context": range(contexts(c))})


def neuron_sum(c: HardwareConfig) -> data.StructLayout:
    """One group of channels before it fires: U and the threshold D of every channel."""
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "sum": data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes),
            "threshold": data.ArrayLayout(c.membrane_bits - 1, c.neuron_lanes),
        }
    )


def reorder_levels(c: HardwareConfig) -> data.StructLayout:
    """Levels of one group of channels, and where in the layer they stand (input)."""
    return data.StructLayout({"step": neuron_step(c), "level": data.ArrayLayout(c.level_bits, c.neuron_lanes)})


def ordered_levels(c: HardwareConfig) -> data.StructLayout:
    """Levels of one group of channels in the order position, timestep, group."""
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, c.neuron_lanes),
            "group": range(c.groups),
            "last_group": 1,
            "last_t": 1,
            "last": 1,  # end of the m tile
        }
    )


def neuron_step(c: HardwareConfig) -> data.StructLayout:
    """Where in the layer a group of partial sums stands."""
    return data.StructLayout(
        {
            "context": range(contexts(c)),  # of the potential: position of the block, group
            "group": range(c.groups),
            "last_group": 1,
            "first_plane": 1,
            "last_plane": 1,
            "first_t": 1,
            "last_t": 1,
            "last_position": 1,  # of its block
            "last": 1,  # last row of its m tile
        }
    )


def neuron_psums(c: HardwareConfig) -> data.StructLayout:
    """The partial sums of one group of channels in one plane, and what the plane weighs."""
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "negative": 1,  # the sign plane: its partial sums are inverted
            "fill": c.max_planes - 1,  # ones below its weight
            "weight": data.ArrayLayout(c.max_planes, len(parts(c.neuron_lanes))),  # 2**p or 1, for every part
            "psum": data.ArrayLayout(signed(c.psum_bits), c.neuron_lanes),
        }
    )
