"""The bound: how few cycles the tiles of a layer can take in our processor, whatever surrounds it.

The processor adds in two ranks. A residual bit takes one cycle of the accumulators, in which each of ``weight_banks``
banks of weights can give the row of another bit. A row that is not zero takes one
cycle of a partial-sum bank, of which there are ``banks``; an exact match takes only that. So a tile that is alone
cannot take fewer cycles than ``max(add steps, ceil(non-zero rows / banks))``, and the bound of a layer is the sum
of this over its tiles. Loads, the detector, the neurons and the memory are not counted. (Between tiles the
accumulators run ahead, so a long run may undercut the sum by a few cycles in a thousand. Only
``max(all add steps, ceil(all non-zero rows / banks))`` holds absolutely.)

The exact cycles of the whole accelerator are the job of ``reprise.estimate.cycles``; other machines stand in
``reprise.estimate.baselines``.
"""

import numpy as np

from ...support.checks import require_int
from .tiles import Counts


def output_groups(outputs: int, lanes: int) -> int:
    """Return how often the tiles of a layer are processed: once for each ``lanes`` output channels or fewer."""
    require_int("outputs", outputs, 1)
    require_int("lanes", lanes, 1)
    return -(-outputs // lanes)


def tile_bound(counts: Counts[np.ndarray], *, banks: int, weight_banks: int = 1) -> np.ndarray:
    """Return the bound of every tile by itself, in cycles.

    Parameters
    ----------
    counts : Counts
        Of int64[MT, KT], one value per tile.
    banks : int
        Partial-sum banks, at least 1.
    weight_banks : int
        Banks of weights: 1, 2 or 4.

    Returns
    -------
    int64[MT, KT]
    """
    require_int("banks", banks, 1)
    return np.maximum(counts.add_steps(weight_banks), -(-counts.nonzero // banks))


def bound(counts: Counts[np.ndarray], groups: int = 1, *, banks: int, weight_banks: int = 1) -> int:
    """Return the bound of a layer in cycles: the sum of :func:`tile_bound` over its tiles, times ``groups``."""
    return int(tile_bound(counts, banks=banks, weight_banks=weight_banks).sum()) * groups
