"""The order in which rows of several timesteps go through the neuron array.

A neuron needs its membrane potential of the timestep before, which takes a few cycles to come round. So the output
positions of a *block of positions* take turns (they are interleaved): rows come in the order (block, timestep,
position, plane), and the outputs are put back into the order (position, timestep) afterwards. The cycle model
uses the functions of integers that stand here, and :func:`interleave` builds the same in hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Any, TypeVar

from amaranth import Cat, Module, Signal
from amaranth.lib import data

from ..arch.config import HardwareConfig

T = TypeVar("T")

CONTEXTS = 8
"""The least number of membrane potentials that the neuron array keeps in each of its lanes.

Together with as many words for the initial potentials ``v0`` they fill one LUT RAM, which has 16 words.
"""


EARLY = 3
"""The least number of cycles between the same group of a position in two timesteps of a layer without a reset.

Such a layer need not wait for the levels, because its potential V is the sum U itself.
"""


def recurrence(c: HardwareConfig) -> int:
    """Return the least number of cycles between the same group of a position in two timesteps, with a reset.

    The potential after a reset depends on the level, which is found in one cycle per bit.
    """
    return EARLY + c.level_bits


def contexts(c: HardwareConfig) -> int:
    """Return the number of contexts, that is, of potentials that each lane of the neuron array keeps.

    It is a power of two, and limits the positions of a block times the groups of a layer.
    """
    return max(CONTEXTS, 1 << (c.groups - 1).bit_length())


def most_timesteps(c: HardwareConfig) -> int:
    """Return the most timesteps with which positions are interleaved.

    With more of them an m tile holds rows of a single position, and there is nothing to interleave.
    """
    return min(c.max_timesteps, c.tile_m // 2)


def block_positions(c: HardwareConfig, layer: dict[str, int]) -> int:
    """Return the number of positions of a block: the least power of two with which no neuron waits for its potential.

    It is less than that if there are too few contexts. A readout has one position in a block, because its potentials
    don't fit the reorder buffer, and so have a layer with a single timestep and one with an addend, which comes in the
    order of positions. ``layer`` has the fields of :func:`reprise.hw.interface.streams.layer_config`.
    """
    count, groups = 1, layer["groups"]
    if layer["readout"] or layer.get("addend_bytes") or not 1 < layer["timesteps"] <= most_timesteps(c):
        return count
    while count * layer["planes"] * groups < recurrence(c) and 2 * count * groups <= contexts(c):
        count *= 2
    return count


def interleave(m: Module, c: HardwareConfig, layer: data.View) -> Signal:
    """Build :func:`block_positions` in hardware, and return the positions of a block minus one.

    The result comes from a register, which costs no time because ``layer`` is constant during a run.
    """
    last, most = Signal(range(contexts(c))), Signal(range(contexts(c)), name="last_of_block")
    timesteps, alone = layer.timesteps, layer.readout
    if c.addend_groups:
        alone = alone | (layer.addend_bytes != 0)
    with m.If(~alone & (timesteps > 1) & (timesteps <= most_timesteps(c))):
        for shift in range(1, (contexts(c) - 1).bit_length() + 1):
            # For each number of groups: are there planes enough for half as many positions to hide the recurrence?
            enough = [
                (layer.groups == g) & (layer.planes >= -(-recurrence(c) // (g << (shift - 1))))
                for g in range(1, min(c.groups, contexts(c) >> shift) + 1)
            ]
            short = Signal(name=f"short{shift}")
            fits = layer.groups <= (contexts(c) >> shift)
            m.d.comb += short.eq(fits & ~Cat(enough).any())
            with m.If(short):
                m.d.comb += last.eq((1 << shift) - 1)
    m.d.sync += most.eq(last)
    return most


def channels(c: HardwareConfig) -> list[int]:
    """Return the output channel of every lane. The lanes of one neuron lane are neighbours, which keeps wires short."""
    return [channel for column in range(c.neuron_lanes) for channel in range(column, c.lanes, c.neuron_lanes)]


def to_lanes(c: HardwareConfig, by_channel: Sequence[T]) -> list[T]:
    """Bring ``lanes`` values of any type from the order of the channels into the order of the lanes."""
    return [by_channel[channel] for channel in channels(c)]


def to_channels(c: HardwareConfig, by_lane: Sequence[T]) -> list[T]:
    """Bring ``lanes`` values of any type from the order of the lanes into the order of the channels."""
    lane_of = {channel: lane for lane, channel in enumerate(channels(c))}
    return [by_lane[lane_of[channel]] for channel in range(c.lanes)]


def bank_of(c: HardwareConfig, row: Any) -> Any:
    """Return the bank of the row with index ``row``, which is an integer or a hardware value.

    With one bank it is 0. With two it is the parity of all bits of the index; together with ``row >> 1`` it determines
    the row, so ``row >> 1`` is the address in the bank. The lowest bit alone would do worse: the rows of one position
    (its timesteps and planes) are neighbours, and neurons that fire every second timestep make even and odd rows
    unequal. On a recorded LeNet-5 the fuller bank takes 17,055 of 34,104 rows instead of 17,711.
    """
    if c.banks == 1:
        return 0
    return row.bit_count() & 1 if isinstance(row, int) else reduce(xor, row)
