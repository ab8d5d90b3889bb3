"""The layouts of what the stages of the neuron array hand to each other."""

from __future__ import annotations

from amaranth import signed
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..interface.row_order import contexts
from ..lib.fanout import parts


def neuron_level(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of one group of channels on its way through the search for its levels."""
    n = c.neuron_lanes
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "rest": data.ArrayLayout(signed(c.membrane_bits), n),  # U - z*D; at the end it is V (0 after a hard reset)
            "level": data.ArrayLayout(c.level_bits, n),  # the bits of the level z that have been found
            "threshold": data.ArrayLayout(c.membrane_bits - 1, n),  # the threshold D, which is positive
            "tight": n,  # per lane: the bits of z found so far equal those of N, so z must not get larger than N
        }
    )


def fired_group(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what remains of a group of channels when it leaves the search."""
    known = neuron_level(c).members
    return data.StructLayout({name: known[name] for name in ("step", "rest", "level")})


def potential_write(c: HardwareConfig) -> data.StructLayout:
    """Return the layout that says whether a potential is written, and to which context."""
    return data.StructLayout({"valid": 1, "context": range(contexts(c))})


def neuron_sum(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of one group of channels before it fires: U and the threshold D of every channel."""
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "sum": data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes),
            "threshold": data.ArrayLayout(c.membrane_bits - 1, c.neuron_lanes),
        }
    )


def reorder_levels(c: HardwareConfig) -> data.StructLayout:
    """Return the layout at the reorder buffer's input: a group's levels and where in the layer they belong."""
    return data.StructLayout({"step": neuron_step(c), "level": data.ArrayLayout(c.level_bits, c.neuron_lanes)})


def ordered_levels(c: HardwareConfig) -> data.StructLayout:
    """Return the layout at the reorder buffer's output, where groups come by position, timestep and group."""
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
    """Return the layout that says where in the layer a group of partial sums belongs."""
    return data.StructLayout(
        {
            "context": range(contexts(c)),  # where its potential is kept: one for each position of the block and group
            "group": range(c.groups),
            "last_group": 1,
            "first_plane": 1,
            "last_plane": 1,
            "first_t": 1,
            "last_t": 1,
            "last_position": 1,  # the position is the last of its block
            "last": 1,  # the row is the last of its m tile
        }
    )


def neuron_psums(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of the partial sums of one group of channels in one plane, with the plane's weight."""
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "negative": 1,  # it is the sign plane, whose partial sums come inverted
            "fill": c.max_planes - 1,  # for the sign plane: a 1 in every bit below its weight
            "weight": data.ArrayLayout(c.max_planes, len(parts(c.neuron_lanes))),  # 2**p or 1, a copy for every part
            "psum": data.ArrayLayout(signed(c.psum_bits), c.neuron_lanes),
        }
    )
