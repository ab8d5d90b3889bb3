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
    m_rows, segments : rows of every m tile, segments of every K tile
    order, last_position : the drain's walk through an m tile; number 1 is that of the last m tile
    bank_of_row : the bank of every row index of a tile
    push : ring of what will be pushed into each FIFO
    dirty : the rows that are dirty in the two buffers of partial sums
    base : slot of the run's first weights
    run_first, run_rows : first row and number of rows of every run of neighbouring weight rows that a tile uses; a tile
        that uses none has a run of 0 rows
    run_end : the runs up to the end of each tile
    interleaved : whether the neurons interleave the positions of a block
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
    m_rows: np.ndarray
    segments: np.ndarray
    order: np.ndarray
    last_position: np.ndarray
    bank_of_row: np.ndarray
    push: np.ndarray
    dirty: np.ndarray
    run_first: np.ndarray
    run_rows: np.ndarray
    run_end: np.ndarray
    m_tiles: int
    k_tiles: int
    base: int
    interleaved: bool


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


@lru_cache(maxsize=64)
def drain_order(rows: int, planes: int, timesteps: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of an m tile in the order in which the drain hands them out, as reprise.hw.psum.cursor has it.

    The second array says of each row whether it is of the last position of its block.
    """
    order, last = [], []
    per = planes * timesteps
    for first in range(0, rows, block * per):
        count = min(block, -(-(rows - first) // per))
        for t in range(timesteps):
            for position in range(count):
                for plane in range(planes):
                    row = first + position * per + t * planes + plane
                    if row < rows:
                        order.append(row)
                        last.append(position == count - 1)
    return np.array(order, np.int64), np.array(last, np.int64)


def run_data(
    block: TileBlock, packed: np.ndarray, c: HardwareConfig, fields: dict[str, int], segments: np.ndarray, base: int
) -> RunData:
    """Return all that the time of one RUN depends on.

    Parameters
    ----------
    block : the analysed rows of the RUN's tiles
    packed : uint64[M, k_tiles], the rows themselves
    fields : of the RUN command
    segments : int64[k_tiles], how many im2col segments each K tile has
    base : slot of the RUN's first weights
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
    _visits(packed, block.starts, word_rows, words(c), c.tile_k, class_end, class_words, visit_rows)
    masks = np.bitwise_or.reduceat(packed, block.starts[:-1], axis=0).ravel()
    run_first, run_rows = (np.zeros(tiles * (c.tile_k // 2 + 1), np.int64) for _ in range(2))
    run_end = np.zeros(tiles, np.int64)
    count = _runs(masks, c.tile_k, run_first, run_rows, run_end)
    positions = row_order.block_positions(c, fields)
    order = np.zeros((2, c.tile_m), np.int64)
    last = np.zeros((2, c.tile_m), np.int64)
    for kind, most in enumerate((int(m_rows[0]), int(m_rows[-1]))):
        order[kind, :most], last[kind, :most] = drain_order(most, fields["planes"], fields["timesteps"], positions)
    bits, rows, prefix, tile_of, bank_of, after, queue_of, computes = ints
    return RunData(
        bits=bits, rows=rows, prefix=prefix, tile_of=tile_of, bank_of=bank_of, after=after, queue_of=queue_of,
        computes=computes, reuses=reuses, ends=by_tile[0], compute_count=by_tile[1], reuse_count=by_tile[2],
        end_time=np.full(tiles, np.int64(1) << 60), beats=np.repeat(-(-m_rows // c.load_rows), k_tiles),
        class_end=class_end, class_words=class_words, visit_rows=visit_rows,
        m_rows=m_rows, segments=segments.astype(np.int64), order=order, last_position=last,
        bank_of_row=banks_of,
        run_first=run_first[:count], run_rows=run_rows[:count], run_end=run_end,
        push=np.zeros((3, RING), np.int64),
        dirty=np.zeros((2, c.tile_m), np.int64), m_tiles=len(m_rows), k_tiles=k_tiles, base=base,
        interleaved=positions > 1,
    )  # fmt: skip


def no_rows() -> RunData:
    """Return the data of no run at all, for the cycles before the first one."""
    one = np.zeros(1, np.int64)
    two = np.zeros((2, 1), np.int64)
    flat: dict[str, Any] = {name: one for name in RunData._fields} | {
        name: two for name in ("reuses", "reuse_count", "order")
    }
    flat |= {"last_position": two, "push": np.zeros((3, RING), np.int64), "dirty": two, "interleaved": False}
    return RunData(**(flat | {"m_tiles": 0, "k_tiles": 1, "base": 0}))


def fresh(data: RunData) -> RunData:
    """Return the data of a run as it was before any machine worked on it, to be used by a machine of its own."""
    return data._replace(
        end_time=np.full_like(data.end_time, np.int64(1) << 60),
        push=np.zeros_like(data.push),
        dirty=np.zeros_like(data.dirty),
    )
