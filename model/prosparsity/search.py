"""The compiled prefix search of ``reprise.model.prosparsity.tiles``.

A row that equals an earlier one is found by a hash table; its prefix is the first such row. Only the distinct rows are
searched, from the largest number of set bits down, and the first subset that is met is the prefix. All cores take
tiles in parallel.
"""

from collections.abc import Callable
from typing import Any, cast

import numba as nb
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from ...support.kernels import kernel

FEWEST = 2  # set bits that a row has at least that may have a prefix, by the paper's rule
N_COUNTS = 8  # the fields of prosparsity.Counts, in their order


@intrinsic
def _popcount(typingctx: Any, word: Any) -> tuple[Any, Callable]:
    """Count the set bits of a uint64 by one machine instruction."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


popcount = cast("Callable[[np.uint64], np.uint64]", _popcount)  # as compiled code calls it


@kernel()
def fullest_class(word: np.uint64, classes: int) -> np.int64:
    """Return the most set bits of one class, where bit k is in class ``k mod classes``; there are 1, 2 or 4 classes."""
    every = ~np.uint64(0) // np.uint64((1 << classes) - 1)  # a bit in each group of ``classes``
    most = np.int64(0)
    for n in range(classes):
        most = max(most, np.int64(popcount(word & (every << np.uint64(n)))))
    return most


@kernel()
def find_first_equal(rows: np.ndarray, first: np.ndarray) -> None:
    """Fill first[i] with the lowest j for which rows[j] == rows[i], by a hash table with open addressing."""
    size = 2
    while size < 2 * len(rows):
        size *= 2
    mask = np.uint64(size - 1)
    table = np.full(size, -1, dtype=np.int32)
    for i in range(len(rows)):
        word = rows[i]
        slot = ((word ^ (word >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)
        slot &= mask
        while table[slot] >= 0 and rows[table[slot]] != word:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot] = i
        first[i] = table[slot]


@kernel()
def sort_by_popcount(rows: np.ndarray, order: np.ndarray, ends: np.ndarray) -> int:
    """Fill ``order`` with the rows that are not zero, as they are issued, and return how many these are.

    ``ends[p]`` becomes the number of those with at most p set bits.
    """
    tally = np.zeros(66, dtype=np.int64)
    for i in range(len(rows)):
        tally[popcount(rows[i]) + np.uint64(1)] += 1
    tally[1] = 0  # zero rows are not issued
    for p in range(1, 66):
        tally[p] += tally[p - 1]
    for i in range(len(rows)):
        bits = popcount(rows[i])
        if bits > 0:
            order[tally[bits]] = i
            tally[bits] += 1
    ends[:] = tally[:65]
    ends[0] = 0
    return ends[64]


@kernel()
def search_tile(
    rows: np.ndarray, prefix: np.ndarray, residual: np.ndarray, order: np.ndarray, counts: np.ndarray, fewest: int
) -> None:
    """Fill the prefixes, residuals, issue order and counts of one tile.

    A row with less than ``fewest`` set bits, 1 or 2, has no prefix.
    Behind the rows that are not zero, ``order`` is filled with -1. ``counts``, which are zero at first, have the order
    of ``tiles.Counts``.
    """
    m = len(rows)
    first = np.empty(m, dtype=np.int32)
    ends = np.empty(65, dtype=np.int64)
    find_first_equal(rows, first)
    order[:] = -1
    nonzero = sort_by_popcount(rows, order, ends)
    # the distinct rows, in issue order: word, index, and where each number of set bits ends
    words = np.empty(nonzero, dtype=np.uint64)
    index = np.empty(nonzero, dtype=np.int32)
    distinct_ends = np.zeros(65, dtype=np.int64)
    distinct = 0
    for p in range(1, 65):
        for s in range(ends[p - 1], ends[p]):
            i = order[s]
            if first[i] == i:
                words[distinct] = rows[i]
                index[distinct] = i
                distinct += 1
        distinct_ends[p] = distinct
    prefix[:] = -1
    residual[:] = rows
    set_bits, multi_bit, exact, saved = np.int64(0), 0, 0, np.int64(0)
    for s in range(nonzero):
        i = order[s]
        word = rows[i]
        bits = np.int64(popcount(word))
        set_bits += bits
        if bits > 1:
            multi_bit += 1
        if bits < fewest:
            continue
        found = np.int64(-1)
        if first[i] != i:
            found = first[i]
            exact += 1
        else:
            p = int(bits) - 1
            while found < 0 and p > 0:
                for c in range(distinct_ends[p - 1], distinct_ends[p]):
                    if words[c] & ~word == 0:
                        found = index[c]
                        break
                p -= 1
        if found >= 0:
            prefix[i] = found
            residual[i] = word ^ rows[found]
            saved += np.int64(popcount(rows[found]))
    counts[0], counts[1], counts[2], counts[3] = m, nonzero, multi_bit, exact
    counts[4], counts[5] = set_bits, set_bits - saved
    for s in range(nonzero):
        word = residual[order[s]]
        counts[6] += fullest_class(word, 2)
        counts[7] += fullest_class(word, 4)


@kernel(parallel=True)
def search_tiles(
    packed: np.ndarray,
    starts: np.ndarray,
    prefix: np.ndarray,
    residual: np.ndarray,
    order: np.ndarray,
    counts: np.ndarray,
    fewest: int,
) -> None:
    """Search every tile of packed rows (M, KT) in parallel.

    Where prefix, residual and order have no rows, only the counts are kept.
    """
    k_tiles = packed.shape[1]
    keep = len(prefix) > 0
    for job in nb.prange((len(starts) - 1) * k_tiles):
        m, k = job // k_tiles, job % k_tiles
        low, high = starts[m], starts[m + 1]
        rows = packed[low:high, k].copy()
        one_prefix = np.empty(len(rows), dtype=np.int32)
        one_residual = np.empty(len(rows), dtype=np.uint64)
        one_order = np.empty(len(rows), dtype=np.int32)
        search_tile(rows, one_prefix, one_residual, one_order, counts[m, k], fewest)
        if keep:
            prefix[low:high, k] = one_prefix
            residual[low:high, k] = one_residual
            order[low:high, k] = one_order
