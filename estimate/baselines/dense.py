"""The cycles of machines that add one bit per cycle: one skips nothing, and the other skips bits that are zero."""

import numpy as np

from ...model.prosparsity.density import Density
from ...model.prosparsity.tiles import Counts


def dense_cycles(counts: Counts[np.ndarray], depth: int, groups: int = 1) -> int:
    """Return rows x K x groups: every bit of a row takes a cycle, whether it is set or not.

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
    """Return set bits x groups: every set bit takes a cycle."""
    return int(counts.set_bits.sum()) * groups
