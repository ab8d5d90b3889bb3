"""Reads lines of a kernel as planes, where a layer weighs them all alike, as sums over tokens do.

A row of the hardware is what one plane of an output position reads, and the neurons add up what its planes give. If the
weights of a kernel are the same in each of its lines, the lines can be planes that weigh 1. Then a position has more
rows, but each has fewer K tiles, and the weights of a line are fetched once for all lines. A layer with few positions,
whose m tiles are nearly empty otherwise, gains by that: one that adds up all tokens has a single position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ..plan import Planner
from ..work import Work
from .inputs import Input

WORTH = 0.7
"""Lines are read as planes if a layer takes at most this share of the cycles so, by an estimate that leaves out what
the neurons take for more rows. With several positions they are more than what is saved, until it is as much as this."""


def _alike(i: Input) -> int:
    """Return how many lines the kernel of a source has if it weighs them all alike, and else 1."""
    weight = i.weight
    return weight.shape[2] if i.feature.taps == 1 and bool((weight == weight[:, :, :1]).all()) else 1


def with_lines(work: Work, fold: int) -> Work:
    """Return a layer that reads so many equal parts of its kernels' lines as planes; a mask of channels has none."""

    def lines(i: Input) -> Input:
        return replace(i, weight=i.weight[:, :, : i.kernel[0] // fold], fold=fold) if i.stride else i

    return replace(work, inputs=tuple(map(lines, work.inputs)), planes=work.planes * fold, fold=fold)


def lines_as_planes(parts: Sequence[Work], config: HardwareConfig) -> int:
    """Return how many equal parts of a layer's kernels are read as planes, so that it is the cheapest; 1 for none.

    Only binary maps are read so, whose single plane weighs 1.

    Parameters
    ----------
    parts : the layer, or its parts along K, all of which are read alike
    """
    kernels = [_alike(i) for work in parts for i in work.inputs if not i.masks]
    binary = all(work.planes == 1 for work in parts)
    signed = any(i.feature.signed for work in parts for i in work.inputs)
    if not kernels or not binary or signed:
        return 1
    lines = int(np.gcd.reduce(kernels))
    most = config.max_planes - max(work.layer.shift for work in parts)
    rows = config.tile_m // parts[0].rows_per_position
    options = [1, *(n for n in range(2, min(lines, most, rows) + 1) if lines % n == 0)]

    if len(options) == 1:
        return 1

    def cost(fold: int) -> float:
        return sum(Planner(with_lines(work, fold), config).least() for work in parts)

    best = min(options, key=cost)
    return best if cost(best) <= WORTH * cost(1) else 1
