"""Cycles of a machine that skips nothing, or only zero bits."""

from ...model.prosparsity.tiles import Counts


def dense_cycles(counts: Counts, depth: int, groups: int = 1) -> int:
    """Rows x K (``depth``, the unpadded K of the layer) x groups."""
    return int(counts.rows[:, 0].sum()) * depth * groups if counts.rows.size else 0


def bit_sparse_cycles(counts: Counts, groups: int = 1) -> int:
    """Set bits x groups."""
    return int(counts.set_bits.sum()) * groups
