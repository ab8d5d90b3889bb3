"""The cycle model of our own processor, event by event (the RTL is held against it, tile by tile).

::

    loader --8 rows/cycle--> sort --queries rows/cycle--> detector --> FIFO of rows with a residual --> accumulators
                                                             +-------> FIFO of exact matches, per bank --+    |
                                                                               partial-sum banks <-------+----+

Every cycle, in this order:

1. *Accumulators*: the row at the head of the residual FIFO issues one residual bit. Its last bit claims the
   partial-sum slot of the row's bank. Accumulators may run ``run_ahead`` tiles ahead of the oldest tile that is not
   complete.
2. *Partial sums*: a bank whose slot is not claimed takes the exact match at the head of its FIFO, if every row
   with a residual that was emitted before it had issued its last bit in an earlier cycle (its prefix is then
   finished or in the forwarding window).
3. *Detector*: emits up to ``queries`` non-zero rows of the tile being sorted, in issue order, while their FIFOs have
   room; they are seen by 1. and 2. from the next cycle on. A tile is emitted when it is wholly loaded.
4. *Loader*: takes ``load_rows`` rows (zero rows too) of the next tile; two buffers, so that it loads one tile while
   the one before is emitted.

A row's bank is the parity of its index's bits with two banks, else its index in the tile modulo ``banks``. A tile is
complete when all its non-zero rows have taken their partial-sum slot. ``latency`` is the pipeline's fill and drain,
added once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numba as nb
import numpy as np

from ..model.prosparsity.tiles import Tile, TileBlock
from ..support.checks import require_int

UNBOUNDED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class ProcessorTiming:
    """Parameters of the model; calibrated against the RTL.

    banks, queries, load_rows >= 1; run_ahead >= 0 tiles; fifo_depth, exact_depth: entries of the FIFOs (None: no
    limit); latency >= 0 cycles.
    """

    banks: int = 2
    queries: int = 2
    load_rows: int = 8
    run_ahead: int = 1
    fifo_depth: int | None = None
    exact_depth: int | None = None
    latency: int = 0

    def __post_init__(self):
        for name, low in (("banks", 1), ("queries", 1), ("load_rows", 1), ("run_ahead", 0), ("latency", 0)):
            require_int(f"timing.{name}", getattr(self, name), low)
        for name in ("fifo_depth", "exact_depth"):
            if getattr(self, name) is not None:
                require_int(f"timing.{name}", getattr(self, name), 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProcessorTrace:
    """What :func:`simulate_processor` gives.

    cycles : int, from the first row loaded to the last partial sum, with the latency;
    finish : int64[tiles], the cycle (counted from 1) in which each tile was complete;
    accumulator_busy : int, cycles in which a residual bit was issued; bank_busy : int, partial-sum slots taken.
    """

    cycles: int
    finish: np.ndarray
    accumulator_busy: int
    bank_busy: int

    @property
    def tile_cycles(self) -> np.ndarray:
        """int64[tiles]: cycles from the tile before being complete to this one being so."""
        return np.diff(self.finish, prepend=0)


@nb.njit(cache=True)
def _simulate(bits, banks_of, ends, loads, banks, queries, run_ahead, fifo_depth, exact_depth, finish):
    """bits: residual bits of every non-zero row in issue order; ends[t]: rows up to and with tile t."""
    rows, tiles = len(bits), len(ends)
    tile_of = np.empty(rows, dtype=np.int64)
    low = np.int64(0)
    for t in range(tiles):
        tile_of[low : ends[t]] = t
        low = ends[t]
    # the FIFOs: row numbers in order of emission; head (taken) and tail (emitted) of each
    residual_rows = np.empty(rows, dtype=np.int64)
    exact_rows = np.empty((banks, rows), dtype=np.int64)
    before = np.empty(rows, dtype=np.int64)  # rows with a residual emitted before this row
    head, tail = np.int64(0), np.int64(0)
    exact_head, exact_tail = np.zeros(banks, dtype=np.int64), np.zeros(banks, dtype=np.int64)
    done = np.zeros(tiles, dtype=np.int64)
    claimed = np.zeros(banks, dtype=nb.boolean)
    left = np.int64(0)  # residual bits of the head row still to issue; 0: not begun
    oldest, emitting, emitted, loading, load_left = 0, 0, np.int64(0), 0, np.int64(0)
    if tiles > 0:
        load_left = loads[0]
    cycle, busy, slots = np.int64(0), np.int64(0), np.int64(0)
    while oldest < tiles:
        cycle += 1
        issued = head
        claimed[:] = False
        if head < tail:
            row = residual_rows[head]
            if tile_of[row] <= oldest + run_ahead:
                if left == 0:
                    left = bits[row]
                left -= 1
                busy += 1
                if left == 0:
                    claimed[banks_of[row]] = True
                    done[tile_of[row]] += 1
                    slots += 1
                    head += 1
        for bank in range(banks):
            if not claimed[bank] and exact_head[bank] < exact_tail[bank]:
                row = exact_rows[bank, exact_head[bank]]
                if before[row] <= issued:
                    exact_head[bank] += 1
                    done[tile_of[row]] += 1
                    slots += 1
        loaded = loading  # tiles wholly loaded before this cycle
        if emitting < loaded:
            for _ in range(queries):
                if emitted == ends[emitting]:
                    break
                bank = banks_of[emitted]
                if bits[emitted] > 0:
                    if tail - head >= fifo_depth:
                        break
                    residual_rows[tail] = emitted
                    tail += 1
                else:
                    if exact_tail[bank] - exact_head[bank] >= exact_depth:
                        break
                    before[emitted] = tail
                    exact_rows[bank, exact_tail[bank]] = emitted
                    exact_tail[bank] += 1
                emitted += 1
        # two buffers: tile t loads while tile t-1 is emitted
        if loading < tiles and loading <= emitting + 1:
            load_left -= 1
            if load_left <= 0:
                loading += 1
                if loading < tiles:
                    load_left = loads[loading]
        if emitting < loaded and emitted == ends[emitting]:
            emitting += 1
        while oldest < emitting and done[oldest] == ends[oldest] - (ends[oldest - 1] if oldest > 0 else 0):
            finish[oldest] = cycle
            oldest += 1
    return cycle, busy, slots


@nb.njit(cache=True)
def bank_of_row(row, banks):
    """Bank of a row's partial sum: with two banks the parity of all bits of its index, which spreads neighbours."""
    if banks != 2:
        return row % banks
    parity = 0
    while row:
        parity ^= row & 1
        row >>= 1
    return parity


def banks_of_rows(rows: np.ndarray, banks: int) -> np.ndarray:
    """:func:`bank_of_row` of many rows."""
    return np.bitwise_count(rows) & 1 if banks == 2 else rows % banks


@nb.njit(cache=True)
def _block_rows(residual, order, starts, nonzero, banks, bits, banks_of):
    """Residual bits and bank of every non-zero row of a block, tiles with K fastest."""
    n = 0
    for m in range(len(starts) - 1):
        for k in range(residual.shape[1]):
            for s in range(nonzero[m, k]):
                i = order[starts[m] + s, k]
                word = residual[starts[m] + i, k]
                count = 0
                while word:
                    word &= word - np.uint64(1)
                    count += 1
                bits[n] = count
                banks_of[n] = bank_of_row(i, banks)
                n += 1


def issued_rows(tiles: TileBlock | Iterable[Tile], banks: int) -> tuple[np.ndarray, ...]:
    """Non-zero rows in issue order over all tiles: (residual bits, bank) int32[rows], (ends, rows) int64[tiles]."""
    if isinstance(tiles, TileBlock):
        nonzero = tiles.counts.nonzero
        total = int(nonzero.sum())
        bits, banks_of = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int32)
        _block_rows(tiles.residual, tiles.order, tiles.starts, nonzero, banks, bits, banks_of)
        return bits, banks_of, np.cumsum(nonzero.reshape(-1)), tiles.counts.rows.reshape(-1)
    tiles = list(tiles)
    none = [np.empty(0, dtype=np.int32)]
    bits = np.concatenate(none + [np.bitwise_count(t.residual[t.order]) for t in tiles]).astype(np.int32)
    banks_of = np.concatenate(none + [banks_of_rows(t.order, banks) for t in tiles]).astype(np.int32)
    ends = np.cumsum(np.array([len(t.order) for t in tiles], dtype=np.int64))
    return bits, banks_of, ends, np.array([len(t.rows) for t in tiles], dtype=np.int64)


def simulate_processor(
    tiles: TileBlock | Iterable[Tile], timing: ProcessorTiming | None = None, **parameters: int
) -> ProcessorTrace:
    """Run the cycle model over tiles in the order in which hardware takes them.

    Parameters
    ----------
    tiles : TileBlock (its tiles with K fastest) or Tiles
    timing : ProcessorTiming, or its parameters as keywords.
    """
    timing = timing or ProcessorTiming(**parameters)
    bits, banks_of, ends, rows = issued_rows(tiles, timing.banks)
    finish = np.zeros(len(ends), dtype=np.int64)
    cycles, busy, slots = _simulate(
        bits,
        banks_of,
        ends.astype(np.int64),
        np.maximum(-(-rows // timing.load_rows), 1).astype(np.int64),
        timing.banks,
        timing.queries,
        timing.run_ahead,
        timing.fifo_depth or UNBOUNDED,
        timing.exact_depth or UNBOUNDED,
        finish,
    )
    return ProcessorTrace(
        cycles=int(cycles) + timing.latency, finish=finish, accumulator_busy=int(busy), bank_busy=int(slots)
    )
