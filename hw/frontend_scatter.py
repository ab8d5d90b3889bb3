"""First half of the sorter: rows are picked out of the beats and scattered to their turns."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import frontend_layouts
from .config import HardwareConfig
from .fifo import SmallFifo
from .frontend_logic import encode, lowest, popcount_flags, select

TILES = 8
"""Sorted tiles that may wait for the detector."""


class RowPicker(wiring.Component):
    """Takes ``queries`` non-zero rows per cycle out of beats, in order, without a lost slot.

    With two queries it looks at the current and the next beat, so an odd row is paired with the next beat's first;
    rows of two tiles are never paired.

    Latency: 2 cycles. Throughput: ``queries`` rows, at most one beat per cycle.

    Members
    -------
    i : stream of :func:`hw.frontend_layouts.loaded_word`
    go : rows move on; ``rows`` hold while it is low
    rows : queries x {valid, row, index}; lane 0 comes first
    last : these are the last rows of their tile
    """

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frontend_layouts.loaded_word(config))),
                "go": In(1),
                "rows": Out(frontend_layouts.picked_rows(config)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        words = [Signal(frontend_layouts.loaded_word(c), name=f"word{n}") for n in range(c.queries)]
        here = [word.nonzero for word in words]
        # A word's nonzero bits are those still to be taken. Rows of the next tile must wait for theirs.
        offered = [here[0]] + [mask & ~(words[0].last & here[0].any()).replicate(c.load_rows) for mask in here[1:]]
        bits = Signal(len(words) * c.load_rows)
        m.d.comb += bits.eq(Cat(offered))
        picks = lowest(m, bits, c.queries)
        taken = Signal(len(words) * c.load_rows)
        m.d.comb += taken.eq(reduce(or_, picks))
        rest = [Signal(c.load_rows, name=f"rest{n}") for n in range(len(words))]
        for n, (left, mask) in enumerate(zip(rest, here, strict=True)):
            m.d.comb += left.eq(mask & ~taken.word_select(n, c.load_rows))
        empty = Signal()
        m.d.comb += [empty.eq(~rest[0].any()), self.i.ready.eq(self.go & empty)]
        with m.If(self.go):
            for lane, pick in enumerate(picks):
                rows = [row for word in words for row in word.rows]
                parts = [pick[n * c.load_rows : (n + 1) * c.load_rows] for n in range(len(words))]
                beat = select([part.any() for part in parts], [word.index for word in words])
                inside = encode(list(reduce(or_, parts)))
                m.d.sync += [
                    self.rows[lane].valid.eq(pick.any()),
                    self.rows[lane].row.eq(select(pick, rows)),
                    self.rows[lane].index.eq(Cat(inside, beat)),
                ]
            # A word without rows left but with last set would be an earlier tile's: only picked words count.
            ends = [
                word.last & ~left.any() & taken.word_select(n, c.load_rows).any()
                for n, (word, left) in enumerate(zip(words, rest, strict=True))
            ]
            m.d.sync += self.last.eq(reduce(or_, ends))
            for word, left in zip(words, rest, strict=True):
                m.d.sync += word.nonzero.eq(left)
            with m.If(empty):
                for word, after, left in zip(words[:-1], words[1:], rest[1:], strict=True):
                    m.d.sync += [word.eq(after), word.nonzero.eq(left)]
                m.d.sync += [
                    words[-1].eq(self.i.payload),
                    words[-1].nonzero.eq(Mux(self.i.valid, self.i.payload.nonzero, 0)),
                ]
        return m


class Scatter(wiring.Component):
    """Gives every picked row its turn and TCAM entry and writes it into the ring of sorted rows.

    The classes' counters are driven by the class flags alone (no multiplexer in the loop); the counter, the
    start and the end of a row's class are selected behind them.

    Latency: a row is written 2 cycles after it was counted. Throughput: ``queries`` rows per cycle; an empty tile
    takes one cycle. A tile begins when the ring has room for all its rows.

    Parameters
    ----------
    config : HardwareConfig
    depth : rows of the ring (power of two)

    Members
    -------
    i_words : stream of :func:`hw.frontend_layouts.loaded_word`
    i_tile : stream of :func:`hw.frontend_layouts.loaded_tile`; taken when the tile's last row is counted
    write : queries x {en, addr, data: :func:`hw.frontend_layouts.sorted_row`}
    freed : ``queries`` rows of the ring have been read
    o : stream of :func:`hw.frontend_layouts.sorted_tile`; the tile's rows can be read two cycles later
    """

    def __init__(self, config: HardwareConfig, *, depth: int):
        self.config, self._depth = config, depth
        row = frontend_layouts.sorted_row(config)
        write = data.StructLayout({"en": 1, "addr": range(depth), "data": row})
        super().__init__(
            {
                "i_words": In(stream.Signature(frontend_layouts.loaded_word(config))),
                "i_tile": In(stream.Signature(frontend_layouts.loaded_tile(config))),
                "write": Out(data.ArrayLayout(write, config.queries)),
                "freed": In(1),
                "o": Out(stream.Signature(frontend_layouts.sorted_tile(config))),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        m.submodules.picker = picker = RowPicker(c)
        connect(m, flipped(self.i_words), picker.i)
        rows = Signal(frontend_layouts.picked_rows(c))
        flags = [Signal(c.tile_k, name=f"flags{lane}") for lane in range(c.queries)]
        last, fire = Signal(), Signal()
        m.d.comb += picker.go.eq(~rows[0].valid | fire)
        with m.If(picker.go):
            m.d.sync += [rows.eq(picker.rows), last.eq(picker.last)]
            for lane, picked in enumerate(picker.rows):
                found = popcount_flags(m, picked.row, name=f"lane{lane}")
                m.d.sync += flags[lane].eq(Mux(picked.valid, found, 0))
        base = self._admit(m, rows, last, fire)
        self._place(m, rows, flags, last, fire, base)
        return m

    def _admit(self, m, rows, last, fire):
        """Tiles: room in the ring, order, announcement. Returns the tile's first address, in groups."""
        c = self.config
        tile = self.i_tile.payload
        m.submodules.tiles = tiles = SmallFifo(shape=frontend_layouts.sorted_tile(c), depth=TILES)
        connect(m, tiles.o, flipped(self.o))
        ring = self._depth // c.queries
        need = Signal(range(ring + 1))
        free = Signal(range(ring + 1), init=ring)
        begun, skip, credit = Signal(), Signal(), Signal()
        ahead = Signal(range(TILES + 1))  # tiles announced (or nearly) and not taken
        base = Signal(range(ring))
        m.d.comb += [
            need.eq((tile.upto[-1] + (c.queries - 1)) >> (c.queries - 1)),
            credit.eq(self.i_tile.valid & (ahead != TILES)),
            fire.eq(rows[0].valid & credit & ~tile.empty & (begun | (need <= free))),
            skip.eq(credit & tile.empty),
            self.i_tile.ready.eq((fire & last) | skip),
        ]
        with m.If(fire):
            m.d.sync += begun.eq(~last)
        with m.If(fire & last):
            m.d.sync += base.eq(base + need)
        m.d.sync += [
            free.eq(free + self.freed - Mux(fire & ~begun, need, 0)),
            ahead.eq(ahead + self.i_tile.ready - (self.o.valid & self.o.ready)),
        ]
        # The reader must not come before the last write: one cycle more for the two-cycle writes.
        done, sent = self.i_tile.ready, tile.tile
        count = tile.upto[-1]
        for n in range(c.queries):
            late = Signal(frontend_layouts.sorted_tile(c), name=f"late{n}")
            later = Signal(name=f"later{n}")
            m.d.sync += [late.tile.eq(sent), late.count.eq(count), later.eq(done)]
            done, sent, count = later, late.tile, late.count
        m.d.comb += [tiles.i.valid.eq(done), tiles.i.payload.tile.eq(sent), tiles.i.payload.count.eq(count)]
        return base

    def _place(self, m, rows, flags, last, fire, base):
        c = self.config
        upto = [self.i_tile.payload.upto[p][: c.row_bits] for p in range(c.tile_k)]
        counters = [Signal(c.row_bits, name=f"counter{p}") for p in range(c.tile_k)]
        with m.If(fire):
            for p, counter in enumerate(counters):
                m.d.sync += counter.eq(counter + sum((f[p] for f in flags[1:]), start=flags[0][p]))
            with m.If(last):
                m.d.sync += [counter.eq(0) for counter in counters]
        start = Signal.like(base)
        m.d.sync += start.eq(base)
        for lane, flag in enumerate(flags):
            counted = Signal(frontend_layouts.counted_row(c), name=f"counted{lane}")
            same = (flags[0] & flags[1]).any() if lane else C(0, 1)  # the pair's first row is of the same class
            m.d.sync += [
                counted.valid.eq(fire & rows[lane].valid),
                counted.row.eq(rows[lane].row),
                counted.index.eq(rows[lane].index),
                counted.cls.eq(encode(list(flag))),
                counted.low.eq(select(flag, [C(0, c.row_bits)] + upto[:-1])),
                counted.high.eq(select(flag, upto)),
                counted.number.eq(select(flag, counters)),
                counted.same.eq(same),
            ]
            self._write(m, lane, counted, start)

    def _write(self, m, lane, counted, start):
        """Two stages: the turn; the address and the TCAM entry."""
        c = self.config
        ready = Signal.like(counted, name=f"placed{lane}")
        turn = Signal(c.row_bits, name=f"turn{lane}")
        base = Signal.like(start, name=f"base{lane}")
        m.d.sync += [
            ready.eq(counted),
            turn.eq(counted.low + counted.number + counted.same),
            base.eq(start),
        ]
        place = Signal(frontend_layouts.place_bits(c), name=f"place{lane}")
        if c.queries == 1:
            m.d.sync += place.eq(counted.high + ~counted.number)
            addr = base + turn
        else:
            # Of the class's turns low..high-1 those of this parity are (low + odd) / 2 .. (high + odd) / 2 - 1.
            even = ~turn[0]
            first, end = (ready.low + even) >> 1, (ready.high + even) >> 1
            m.d.comb += place.eq(first + end + ~turn[1:])
            addr = Cat(turn[0], (base + turn[1:])[: len(base)])
        m.d.comb += [
            self.write[lane].en.eq(ready.valid),
            self.write[lane].addr.eq(addr),
            self.write[lane].data.row.eq(ready.row),
            self.write[lane].data.index.eq(ready.index),
            self.write[lane].data.cls.eq(ready.cls),
            self.write[lane].data.place.eq(place),
        ]
