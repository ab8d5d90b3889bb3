"""Cycles of a layer: published baselines and the ideal bound of our own processor.

All take ``prosparsity.Counts`` of int64[MT, KT] (one value per tile). Output channels are taken in groups of
``lanes``; each group repeats the tiles. The event-level model of our processor is in ``model.processor``.

- dense: one bit of a row per cycle, zero or not.
- bit-sparse: one set bit per cycle.
- published: the Prosperity simulator's tile model (HPCA 2025). A tile's compute is its residual bits + exact
  matches; its preprocess is its rows of two or more bits + rows / 8 (whole division). A layer takes the larger of
  the two sums over its tiles; tile by tile (``tilewise``) the larger is taken in each tile.
- own: two ranks of adders. A residual bit takes a slot of the accumulators; a non-zero row takes a slot of one of
  ``banks`` partial-sum banks; an exact match takes only the latter. A tile by itself cannot take fewer cycles than
  ``max(residual bits, ceil(non-zero rows / banks))``. (Over many tiles the sum can be beaten by a few cycles in a
  thousand, because the accumulators run ahead into the next tile while the banks finish this one.)
"""

import numpy as np

from model.checks import require_int
from model.prosparsity import Counts

LOAD_ROWS = 8  # rows that a detector takes in per cycle


def output_groups(outputs: int, lanes: int) -> int:
    """How often the tiles of a layer are processed: ceil(outputs / lanes)."""
    require_int("outputs", outputs, 1)
    require_int("lanes", lanes, 1)
    return -(-outputs // lanes)


def dense_cycles(counts: Counts, depth: int, groups: int = 1) -> int:
    """Rows x K (``depth``, the unpadded K of the layer) x groups."""
    return int(counts.rows[:, 0].sum()) * depth * groups if counts.rows.size else 0


def bit_sparse_cycles(counts: Counts, groups: int = 1) -> int:
    """Set bits x groups."""
    return int(counts.set_bits.sum()) * groups


def published_tile_cycles(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """(compute, preprocess) of every tile, int64[MT, KT]."""
    return counts.residual_bits + counts.exact, counts.multi_bit + counts.rows // LOAD_ROWS


def published_cycles(counts: Counts, groups: int = 1, *, tilewise: bool = False) -> int:
    """The published simulator's cycles of a layer, without its memory and neuron models."""
    compute, preprocess = published_tile_cycles(counts)
    if tilewise:
        return int(np.maximum(compute, preprocess).sum()) * groups
    return max(int(compute.sum()), int(preprocess.sum())) * groups


def own_tile_bound(counts: Counts, *, banks: int = 2, queries: int | None = None) -> np.ndarray:
    """Least cycles of every tile in our processor: int64[MT, KT].

    Parameters
    ----------
    counts : Counts
    banks : int
        Partial-sum banks.
    queries : int or None
        Non-zero rows that the detector handles per cycle; None: the detector is not a limit. If given, the bound
        is also at least ``ceil(non-zero rows / queries)`` and ``ceil(rows / 8)``, the load.
    """
    require_int("banks", banks, 1)
    bound = np.maximum(counts.residual_bits, -(-counts.nonzero // banks))
    if queries is not None:
        require_int("queries", queries, 1)
        bound = np.maximum(bound, np.maximum(-(-counts.nonzero // queries), -(-counts.rows // LOAD_ROWS)))
    return bound


def own_cycles(counts: Counts, groups: int = 1, *, banks: int = 2, queries: int | None = None) -> int:
    """The ideal bound of a layer: the sum of :func:`own_tile_bound` over its tiles, x groups."""
    return int(own_tile_bound(counts, banks=banks, queries=queries).sum()) * groups
