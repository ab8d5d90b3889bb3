"""Cycles of a machine that adds one bit per cycle and skips nothing, or skips zero bits only."""

import numpy as np

from ...model.prosparsity.density import Density
from ...model.prosparsity.tiles import Counts


def dense_cycles(counts: Counts[np.ndarray], depth: int, groups: int = 1) -> int:
    """Every bit of a row takes a cycle, zero or not: rows x K x groups.

    Parameters
    ----------
    counts : Counts
        Of int64[MT, KT], one value per tile.
    depth : int
        The unpadded K of the layer.
    groups : int
        How often the tiles are processed, once per group of output channels.
    """
    return Density.of(counts, depth, groups).elements


def bit_sparse_cycles(counts: Counts[np.ndarray], groups: int = 1) -> int:
    """Every set bit takes a cycle: set bits x groups."""
    return int(counts.set_bits.sum()) * groups
