"""Chooses how many output positions an m tile of a layer has, by the rows of calibration images.

While an m tile is drained, the next one is computed, and with two buffers the one behind that waits for both. So a
layer whose drain takes about as long as its additions wants m tiles that are alike. Full m tiles cut lines anywhere, so
that a crowded one, which takes long to be drained, often stands beside an empty one, which is computed in no time.
Equal parts of lines, or whole lines, are more alike, although there are more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Layer
from ...model.prosparsity.modes import Mode, slots
from ...model.prosparsity.tiles import count_packed
from ...model.prosparsity.tiling import LayerTiles

DRAIN, UPDATES = 5, 2
"""Cycles that an m tile takes beside its rows, to be drained, and to be computed."""

WORTH = 0.99
"""Full m tiles stay unless others take less than this part of their cycles."""


def candidates(tiles: LayerTiles, side: int, most: int) -> list[int]:
    """Return numbers of positions, at most ``most`` and at least half of that, that cut every image alike.

    They are equal parts of a line of windows of ``side**2`` positions, or some of these lines, which divide an image.
    """
    positions = len(tiles.positions)
    line = len(np.unique(tiles.positions[:, 1])) * side
    if not line or positions % line:
        return []
    parts = [line // n for n in range(1, line) if line % n == 0 and line // n % side**2 == 0]
    lines = [line * n for n in range(1, positions // line + 1) if positions // line % n == 0]
    return sorted({n for n in (*parts, *lines) if most / 2 <= n < most}, reverse=True)


def cycles(tiles: LayerTiles, layer: Layer, c: HardwareConfig, mode: Mode, channels: int) -> int:
    """Return about how many cycles the m tiles of a block of channels take, with its buffers of partial sums."""
    rows = replace(tiles, packed=slots(tiles.packed, mode, tiles.tile_k))
    counts = count_packed(rows.packed, rows.starts, one_bit_matches=c.one_bit_matches, prefixes=mode == "product")
    steps = np.maximum(-(-counts.nonzero // c.banks), counts.add_steps(c.weight_banks))
    work = np.maximum(steps, -(-counts.rows // c.load_rows)).sum(axis=1) + UPDATES
    planes = len(tiles.plane_weights)
    handed = tiles.packed.any(axis=1) | (np.arange(len(tiles.packed)) % planes == planes - 1)
    groups = -(-channels // c.neuron_lanes)
    drain = np.add.reduceat(handed.astype(np.int64), tiles.starts[:-1]) * groups + DRAIN
    # When the last m tile was computed, and the last ones were drained, of which each leaves its buffer to another one.
    computed, drained = 0, [0] * (c.buffers if groups <= c.narrow_groups else 2)
    for updates, leaves in zip(work.tolist(), drain.tolist(), strict=True):
        computed = max(computed, drained[0]) + updates
        drained = [*drained[1:], max(computed, drained[-1]) + leaves]
    return drained[-1]


def positions_of_tile(
    tiles_of: Callable[[int], LayerTiles], layer: Layer, c: HardwareConfig, mode: Mode, channels: int
) -> int:
    """Return how many positions an m tile of a layer has at most, or 0 for as many as it holds.

    Parameters
    ----------
    tiles_of : makes the layer's tiles, with at most so many rows along M
    layer, mode, channels : the layer, what it leaves out, and the output channels of a RUN
    c : HardwareConfig
    """
    full = tiles_of(c.tile_m)
    rows = len(full.packed) // (full.images * len(full.positions))  # of a position
    if full.packed.shape[1] > 2 * c.weight_tiles:  # there, many K tiles hide the drain, and more m tiles cost weights
        return 0
    side = layer.pool.side if layer.pool else 1
    least, chosen = WORTH * cycles(full, layer, c, mode, channels), 0
    for positions in candidates(full, side, c.tile_m // rows):
        taken = cycles(tiles_of(positions * rows), layer, c, mode, channels)
        if taken < least:
            least, chosen = taken, positions
    return chosen
