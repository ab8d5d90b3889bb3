"""Cycles of the published Prosperity simulator's tile model (HPCA 2025, arXiv 2503.03379).

A tile's compute is its residual bits plus its exact matches; its preprocessing is its rows of two or more bits plus
its rows / 8, rounded down. A layer takes the larger of the two sums over its tiles. Tile by tile, the larger of the
two is taken in each tile instead.
"""

import numpy as np

from ...model.prosparsity.tiles import Counts

LOAD_ROWS = 8
"""Rows that the published detector takes in per cycle."""


def published_model_tile_cycles(counts: Counts[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Cycles of (compute, preprocessing) of every tile, int64[MT, KT] each."""
    return counts.residual_bits + counts.exact, counts.multi_bit + counts.rows // LOAD_ROWS


def published_model_cycles(counts: Counts[np.ndarray], groups: int = 1, *, tilewise: bool = False) -> int:
    """Cycles of a layer in the published simulator, without its memory and neuron models.

    Parameters
    ----------
    counts : Counts
        Of int64[MT, KT], one value per tile.
    groups : int
        How often the tiles are processed, once per group of output channels.
    tilewise : bool
        Take the larger of compute and preprocessing in every tile, not over the whole layer.
    """
    compute, preprocess = published_model_tile_cycles(counts)
    if tilewise:
        return int(np.maximum(compute, preprocess).sum()) * groups
    return max(int(compute.sum()), int(preprocess.sum())) * groups
