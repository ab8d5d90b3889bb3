"""Cycles of the published Prosperity simulator's tile model (HPCA 2025, arXiv 2503.03379)."""

import numpy as np

from ...model.prosparsity.bound import LOAD_ROWS
from ...model.prosparsity.tiles import Counts


def published_tile_cycles(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """(compute, preprocess) of every tile, int64[MT, KT]."""
    return counts.residual_bits + counts.exact, counts.multi_bit + counts.rows // LOAD_ROWS


def published_cycles(counts: Counts, groups: int = 1, *, tilewise: bool = False) -> int:
    """The published simulator's cycles of a layer, without its memory and neuron models."""
    compute, preprocess = published_tile_cycles(counts)
    if tilewise:
        return int(np.maximum(compute, preprocess).sum()) * groups
    return max(int(compute.sum()), int(preprocess.sum())) * groups
