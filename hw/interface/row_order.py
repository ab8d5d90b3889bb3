"""The order in which rows of several timesteps go through the neuron array.

A timestep needs the membrane potential of the timestep before, which takes a few cycles to come round. So the positions
of a block take turns: rows come by (block, timestep, position, plane), outputs are put back in the order (position,
timestep).
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
"""Potentials kept by the neuron array, at least: with the page of v0, one LUT RAM of 16 words."""


EARLY = 3
"""Least cycles between the same group of a position in two timesteps without a reset: V is U."""


def recurrence(c: HardwareConfig) -> int:
    """Least cycles between the same group of a position in two timesteps (with a reset)."""
    return EARLY + c.level_bits


def contexts(c: HardwareConfig) -> int:
    """Potentials kept: positions of a block times groups; a power of two."""
    return max(CONTEXTS, 1 << (c.groups - 1).bit_length())


def most_timesteps(c: HardwareConfig) -> int:
    """More timesteps aren't interleaved: an m tile then holds a single position."""
    return min(c.max_timesteps, c.tile_m // 2)


def block_positions(c: HardwareConfig, layer: dict[str, int]) -> int:
    """Positions of a block: the least power of two that hides the recurrence, as far as the contexts go.

    One for a readout (its potentials don't fit the reorder buffer) and for a single timestep.
    ``layer`` has the fields of :func:`reprise.hw.interface.streams.layer_config`.
    """
    count, groups = 1, layer["groups"]
    if layer["readout"] or not 1 < layer["timesteps"] <= most_timesteps(c):
        return count
    while count * layer["planes"] * groups < recurrence(c) and 2 * count * groups <= contexts(c):
        count *= 2
    return count


def interleave(m: Module, c: HardwareConfig, layer: data.View) -> Signal:
    """The hardware of :func:`block_positions`: positions of a block minus one, registered (the layer is constant)."""
    last, most = Signal(range(contexts(c))), Signal(range(contexts(c)), name="last_of_block")
    timesteps = layer.timesteps
    with m.If(~layer.readout & (timesteps > 1) & (timesteps <= most_timesteps(c))):
        for shift in range(1, (contexts(c) - 1).bit_length() + 1):
            # Per number of groups, the planes that would do with half as many positions.
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
    """The output channel of every lane."""
    return [channel for column in range(c.neuron_lanes) for channel in range(column, c.lanes, c.neuron_lanes)]


def to_lanes(c: HardwareConfig, by_channel: Sequence[T]) -> list[T]:
    """Values by channel (``lanes`` of them, any type), in the order of the lanes."""
    return [by_channel[channel] for channel in channels(c)]


def to_channels(c: HardwareConfig, by_lane: Sequence[T]) -> list[T]:
    """Values by lane (``lanes`` of them, any type), in the order of the channels."""
    lane_of = {channel: lane for lane, channel in enumerate(channels(c))}
    return [by_lane[lane_of[channel]] for channel in range(c.lanes)]


def bank_of(c: HardwareConfig, row: Any) -> Any:
    """Bank of row index ``row`` (an integer or a hardware value): 0, or with two banks a bit.

    Together with ``row >> 1`` it determines the row, so that is the address in the bank. Rows of one position are
    neighbours (timesteps, planes), and neurons that fire every second timestep make even and odd rows unequal: the
    parity of all bits spreads them (recorded LeNet-5: fullest bank 17,055 of 34,104 rows instead of 17,711).
    """
    if c.banks == 1:
        return 0
    return row.bit_count() & 1 if isinstance(row, int) else reduce(xor, row)
