"""Collects what the cycle model must know of the rows of a run."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.interface import row_order
from ...hw.sorter.layouts import word_beats, words
from ...model.prosparsity.search import fullest_class
from ...model.prosparsity.tiles import TileBlock
from ...support.kernels import kernel
from .state import COMPUTE, REUSE, RING
from .walks import drain_walks


class RunData(NamedTuple):
    """The rows of a run in issue order, and its tiles, of which the K tiles of an m tile follow each other.

    Members
    -------
    bits, rows, prefix, tile_of, bank_of, after, queue_of : of every row
        The steps in which its residual bits are added, its index in its tile, its prefix's index or -1, its tile, its
        bank, how many compute rows of its tile come before it, and its FIFO.
    computes, reuses : the compute rows, and the reuse rows of each bank
    ends, compute_count, reuse_count, end_time, beats : of every tile
        The rows up to its end, its compute rows, its reuse rows in each bank, when the detector is done with it, and
        its beats.
    class_end, class_words, visit_rows : how reprise.hw.sorter.class_walker visits the rows
        The classes up to the end of each tile, the words of each class, and the rows of the class in each word.
    slot, release, last_k, m_of, command, narrow : of every tile
        The slot of its weights, whether nobody needs them after it, whether it is the last of its m tile, its m tile,
        its RUN's number in the program, and whether that RUN has four buffers of partial sums.
    walk_end : the steps of the drain's walk up to the end of every m tile
    order, last_position, last_plane : of every step: its row, and whether that is of the last position of its block and
        of the last plane
    segments : segments of every K tile
    bank_of_row : the bank of every row index of a tile
    push : ring of what will be pushed into each FIFO
    dirty : the rows that are dirty in the buffers of partial sums
    first : the first tile of the run whose rows began last; those before it belong to the run before
    run_first, run_rows : first row and number of rows of every run of neighbouring weight rows that a tile uses; a tile
        that uses none has a run of 0 rows
    run_end : the runs up to the end of each tile
    """

    bits: np.ndarray
    rows: np.ndarray
    prefix: np.ndarray
    tile_of: np.ndarray
    bank_of: np.ndarray
    after: np.ndarray
    queue_of: np.ndarray
    computes: np.ndarray
    reuses: np.ndarray
    ends: np.ndarray
    compute_count: np.ndarray
    reuse_count: np.ndarray
    end_time: np.ndarray
    beats: np.ndarray
    class_end: np.ndarray
    class_words: np.ndarray
    visit_rows: np.ndarray
    slot: np.ndarray
    release: np.ndarray
    last_k: np.ndarray
    m_of: np.ndarray
    command: np.ndarray
    narrow: np.ndarray
    walk_end: np.ndarray
    order: np.ndarray
    last_position: np.ndarray
    last_plane: np.ndarray
    segments: np.ndarray
    bank_of_row: np.ndarray
    push: np.ndarray
    dirty: np.ndarray
    run_first: np.ndarray
    run_rows: np.ndarray
    run_end: np.ndarray
    first: int


@lru_cache(maxsize=64)
def row_banks(c: HardwareConfig) -> np.ndarray:
    """Return the partial-sum bank of every row index of a tile, int64[tile_m], which must not be written."""
    return np.array([row_order.bank_of(c, row) for row in range(c.tile_m)], np.int64)


@kernel()
def _rows(
    residual: np.ndarray,
    prefix: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    nonzero: np.ndarray,
    banks_of: np.ndarray,
    weight_banks: int,
    d: tuple[np.ndarray, ...],
) -> None:
    """Fill the arrays ``d`` that hold something of every row and of every tile."""
    bits, rows, based, tile_of, bank_of, after, queue_of, computes, reuses, ends, compute_count, reuse_count = d
    n = tile = c = 0
    r = np.zeros(2, np.int64)
    for m in range(len(starts) - 1):
        for k in range(residual.shape[1]):
            for s in range(nonzero[m, k]):
                i = order[starts[m] + s, k]
                count = fullest_class(residual[starts[m] + i, k], weight_banks)
                bank = banks_of[i]
                bits[n], rows[n], based[n], tile_of[n] = count, i, prefix[starts[m] + i, k], tile
                bank_of[n], after[n] = bank, compute_count[tile]
                if count:
                    computes[c] = n
                    compute_count[tile] += 1
                    c += 1
                    queue_of[n] = COMPUTE
                else:
                    reuses[bank, r[bank]] = n
                    reuse_count[bank, tile] += 1
                    r[bank] += 1
                    queue_of[n] = REUSE + bank
                n += 1
            ends[tile] = n
            tile += 1


@kernel()
def _visits(
    packed: np.ndarray,
    starts: np.ndarray,
    word_rows: int,
    words: int,
    tile_k: int,
    class_end: np.ndarray,
    class_words: np.ndarray,
    visit_rows: np.ndarray,
) -> tuple[int, int]:
    """Fill in the classes and words of every tile as the class walker visits them, and return how many there are."""
    counts = np.zeros((tile_k + 1, words), np.int64)
    classes = visits = 0
    for m in range(len(starts) - 1):
        for k in range(packed.shape[1]):
            counts[:] = 0
            for i in range(starts[m], starts[m + 1]):
                word, count = packed[i, k], 0
                while word:
                    word &= word - np.uint64(1)
                    count += 1
                counts[count, (i - starts[m]) // word_rows] += 1
            begun = classes
            for p in range(1, tile_k + 1):
                some = 0
                for w in range(words):
                    if counts[p, w]:
                        visit_rows[visits] = counts[p, w]
                        visits += 1
                        some += 1
                if some:
                    class_words[classes] = some
                    classes += 1
            if classes == begun:  # an empty tile has one class of one word without rows, which carries its end
                visit_rows[visits], class_words[classes] = 0, 1
                visits += 1
                classes += 1
            class_end[m * packed.shape[1] + k] = classes
    return classes, visits


@kernel()
def _runs(masks: np.ndarray, tile_k: int, first: np.ndarray, rows: np.ndarray, end: np.ndarray) -> int:
    """Cut the used rows of every tile into runs of neighbouring rows, and return how many there are."""
    count = 0
    for tile in range(len(masks)):
        begun = count
        length = 0
        for k in range(tile_k + 1):
            used = k < tile_k and (masks[tile] >> np.uint64(k)) & np.uint64(1)
            if used:
                length += 1
            elif length:
                first[count], rows[count] = k - length, length
                count += 1
                length = 0
        if count == begun:
            first[count] = rows[count] = 0
            count += 1
        end[tile] = count
    return count


def _by_tile(c: HardwareConfig, fields: dict[str, int], m_tiles: int, base: int) -> dict[str, np.ndarray]:
    """Return what follows from a RUN's fields for every tile; ``base`` is the slot of the run's first weights."""
    k_tiles, keep = fields["k_tiles"], fields["weights_keep"]
    tile = np.arange(m_tiles * k_tiles)
    kept = bool(keep) & ((tile < (m_tiles - 1) * k_tiles) | bool(fields["weights_hold"]))
    return {
        "slot": (base + (tile % k_tiles if keep else tile)) % c.weight_tiles,
        "release": (~kept).astype(np.int64),
        "last_k": (tile % k_tiles == k_tiles - 1).astype(np.int64),
        "m_of": tile // k_tiles,
    }


def run_data(
    block: TileBlock,
    packed: np.ndarray,
    c: HardwareConfig,
    fields: dict[str, int],
    segments: np.ndarray,
    base: int,
    command: int,
    *,
    clean: bool = False,
) -> RunData:
    """Return all that the time of one RUN depends on.

    Parameters
    ----------
    block : the analysed rows of the RUN's tiles
    packed : uint64[M, k_tiles], the rows themselves or, in a dense RUN, their slots
    fields : of the RUN command
    segments : int64[k_tiles], how many im2col segments each K tile has
    base : slot of the RUN's first weights
    command : the RUN's number in the program
    clean : the drain hands out rows that are clean, too
    """
    nonzero = block.counts.nonzero
    total, tiles, k_tiles = int(nonzero.sum()), nonzero.size, nonzero.shape[1]
    ints = [np.zeros(total + 1, np.int64) for _ in range(8)]
    reuses = np.zeros((2, total + 1), np.int64)
    by_tile = np.zeros(tiles, np.int64), np.zeros(tiles, np.int64), np.zeros((2, tiles), np.int64)
    arrays = (*ints, reuses, *by_tile)
    banks_of = row_banks(c)
    _rows(block.residual, block.prefix, block.order, block.starts, nonzero, banks_of, c.weight_banks, arrays)
    m_rows = np.diff(block.starts).astype(np.int64)
    most = total + tiles
    class_end, class_words, visit_rows = (np.zeros(n, np.int64) for n in (tiles, most, most))
    word_rows = word_beats(c) * c.load_rows
    classes, visits = _visits(packed, block.starts, word_rows, words(c), c.tile_k, class_end, class_words, visit_rows)
    masks = np.bitwise_or.reduceat(packed, block.starts[:-1], axis=0).ravel()
    run_first, run_rows = (np.zeros(tiles * (c.tile_k // 2 + 1), np.int64) for _ in range(2))
    run_end = np.zeros(tiles, np.int64)
    count = _runs(masks, c.tile_k, run_first, run_rows, run_end)
    bits, rows, prefix, tile_of, bank_of, after, queue_of, computes = ints
    return RunData(
        bits=bits, rows=rows, prefix=prefix, tile_of=tile_of, bank_of=bank_of, after=after, queue_of=queue_of,
        computes=computes, reuses=reuses, ends=by_tile[0], compute_count=by_tile[1], reuse_count=by_tile[2],
        end_time=np.full(tiles, np.int64(1) << 60), beats=np.repeat(-(-m_rows // c.load_rows), k_tiles),
        class_end=class_end, class_words=class_words[:classes], visit_rows=visit_rows[:visits],
        **_by_tile(c, fields, len(m_rows), base), command=np.full(tiles, command),
        narrow=np.full(tiles, int(fields["groups"] <= c.narrow_groups)),
        **drain_walks(c, fields, packed, block.starts, clean), segments=segments.astype(np.int64),
        bank_of_row=banks_of,
        run_first=run_first[:count], run_rows=run_rows[:count], run_end=run_end,
        push=np.zeros((3, RING), np.int64),
        dirty=np.zeros((c.buffers, c.tile_m), np.int64), first=0,
    )  # fmt: skip


def no_rows() -> RunData:
    """Return the data of no run at all, for the cycles before the first one."""
    some = np.zeros(0, np.int64)
    two = np.zeros((2, 0), np.int64)
    flat: dict[str, Any] = dict.fromkeys(RunData._fields, some)
    flat |= dict.fromkeys(("reuses", "reuse_count", "dirty"), two)
    return RunData(**(flat | {"push": np.zeros((3, RING), np.int64), "first": 0}))
