"""Cycles of a layer: published baselines and the ideal bound of our own processor.

All take ``prosparsity.Counts`` of int64[MT, KT] (one value per tile). Output channels are taken in groups of
``lanes``; each group repeats the tiles. The event-level model of our processor is in ``estimate.processor_model``.

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

from ...support.checks import require_int
from .tiles import Counts

LOAD_ROWS = 8  # rows that a detector takes in per cycle


def output_groups(outputs: int, lanes: int) -> int:
    """How often the tiles of a layer are processed: ceil(outputs / lanes)."""
    require_int("outputs", outputs, 1)
    require_int("lanes", lanes, 1)
    return -(-outputs // lanes)


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
