"""Finds layers to compute in parts along K: those that do not fit on chip, and those that are cheaper so.

A job of few positions has m tiles of few rows, and fetches all weights for them; the next job fetches them again. A
part (:mod:`reprise.compiler.rows.split`) reads few channels of all positions, so that its m tiles are full and its
weights are fetched once for each of them. For that its sums go to memory, and come back with the next part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...hw.arch.config import HardwareConfig
from ...model.network.network import Network
from ..lower import Pitch
from ..plan import Planner
from ..work import Work
from .segments import segments
from .split import partial_bits

WORTH = 0.75
"""A layer is split if its parts take at most this share of the whole layer's cycles. Both are estimates: of a whole
layer, they count all weights of an m tile of few rows, of which not all are fetched."""


def _traffic(work: Work, bits: int, config: HardwareConfig) -> int:
    """Return the bus words of the sums of a part, which are written and read."""
    f = work.output
    block = -(-work.block_channels * bits // config.bus_bits)
    return 2 * block * work.blocks * f.images * f.timesteps * f.height * f.width


def _parts(work: Work) -> Iterator[tuple[int, int, Work]]:
    """Yield the parts that a layer may have: their number, their blocks of channels, and the first one."""
    (whole,) = work.inputs
    f = whole.feature
    for blocks in sorted({-(-f.blocks // count) for count in range(2, f.blocks + 1)}):
        weight = whole.weight[:, : blocks * f.block_channels]
        part = replace(whole, weight=weight, part=True, first=0, count=blocks)
        yield -(-f.blocks // blocks), blocks, replace(work, inputs=(part,))


def blocks_of_parts(work: Work, bits: int, config: HardwareConfig) -> int | None:
    """Return how many blocks of channels a part reads if a layer is to be split, or None if it stays whole.

    Parameters
    ----------
    bits : of the sums that a part hands to the next one
    """
    if len(work.inputs) != 1 or work.layer.pool or work.inputs[0].feature.taps > 1:
        return None
    whole = Planner(work, config)
    plan, cost = whole.plan(), whole.least()
    if len(plan.jobs) <= work.output.images:
        return None
    found = [
        (count * Planner(part, config).least() + (count - 1) * _traffic(work, bits, config), blocks)
        for count, blocks, part in _parts(work)
    ]
    least, blocks = min(found, default=(cost, 0))
    return blocks if least <= WORTH * cost else None


def _segmented(work: Work, config: HardwareConfig) -> bool:
    """Return whether the segment table holds a layer; blocks of output channels may share its segments."""
    tiles = segments(work.inputs, (Pitch(line=0, block=0),) * len(work.inputs), work.tile_depth)
    return sum(map(len, tiles)) <= config.segments


def to_split(works: Iterable[Work], network: Network, config: HardwareConfig) -> dict[str, int]:
    """Return the layers whose input or segments do not fit on chip, however the input is cut, or are cheaper split.

    They are given by name, with the blocks of channels that a part reads, or 0 for as many as fit.
    """
    found = {}
    for work in works:
        name = work.layer.name
        if not work.inputs or not work.per_tile(config.tile_m):  # a position that fits no m tile is refused later
            continue
        if not (_segmented(work, config) and Planner(work, config).fits()):
            found[name] = 0
        elif blocks := blocks_of_parts(work, partial_bits(network, work.layer), config):
            found[name] = blocks
    return found
