"""What a processor of binary rows leaves out: the three modes in which the same rows are multiplied.

- "product": zero bits and what a row has in common with its prefix, by the rule of
  :mod:`reprise.model.prosparsity.tiles`. This is product sparsity (Prosperity, HPCA 2025, arXiv 2503.03379).
- "bit": zero bits only. No row has a prefix, and each adds a weight row for each of its set bits.
- "dense": nothing. Every bit of a tile's rows takes its slot, also those of rows without a set bit; a zero bit adds 0.

The result is the same integers in all of them.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from ...support.checks import require, require_int
from .tiles import TileBlock, analyze_packed

Mode = Literal["product", "bit", "dense"]

MODES: tuple[Mode, ...] = ("product", "bit", "dense")
"""The modes in the order of their numbers in a RUN command."""


def slots(packed: np.ndarray, mode: Mode, depth: int) -> np.ndarray:
    """Return the bits of each row that take a slot, uint64[M, KT]: the set ones or, if dense, all ``depth`` of a tile.

    Parameters
    ----------
    packed : uint64[M, KT], the rows
    mode : one of :data:`MODES`
    depth : bits of a row in a tile, 1..64
    """
    require(mode in MODES, "mode", f"one of {', '.join(MODES)}", mode)
    require_int("depth", depth, 1, 64, "a row of a tile is one machine word")
    return np.full_like(packed, (1 << depth) - 1) if mode == "dense" else packed


def analyze_mode(
    packed: np.ndarray, starts: np.ndarray, mode: Mode, depth: int, *, one_bit_matches: bool | int = False
) -> TileBlock:
    """Analyse every tile of packed rows as a mode takes them.

    The rows of the result are the :func:`slots`, and its residuals what is left of them. So ``residual_bits`` counts
    the additions of the mode, zeros among them if it is dense, and ``nonzero`` the rows that are issued. ``set_bits``
    are those of the rows in every mode.

    Parameters
    ----------
    packed, starts, one_bit_matches : as for :func:`reprise.model.prosparsity.tiles.analyze_packed`
    mode, depth : as for :func:`slots`
    """
    rows = slots(packed, mode, depth)
    block = analyze_packed(rows, starts, one_bit_matches=one_bit_matches, prefixes=mode == "product")
    if mode != "dense":
        return block
    set_bits = np.add.reduceat(np.bitwise_count(packed).astype(np.int64), starts[:-1], axis=0)
    return replace(block, counts=replace(block.counts, set_bits=set_bits))
