"""The row table says where the rows of an m tile begin in the feature buffer."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import LOOPS, SOURCES
from ..interface.commands import run_layout
from ..lib.logic import multiple, precompute
from ..lib.wide_memory import UNCHECKED
from .loop_counter import LoopCounter

POSITION = data.StructLayout({"address": signed(16), "x": signed(16), "y": signed(16)})
"""Where a row begins in one source: the on-chip word of its line, its first bit in that line, and the y of its line for
kernel row ky = 0."""

DISTRIBUTED = 64
"""The most words of a memory that synthesis makes of LUT RAM."""


def put_layout(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what is written in a cycle."""
    return data.StructLayout(
        {
            "step": 1,  # something is
            "mask": c.load_rows,  # the lanes; what follows the turn or the m tile is written again, or is of no row
            "same_word": 1,  # the next row goes into the same word, because the turn of the innermost loop ends
            "turn_ends": 1,
        }
    )


class RowTable(wiring.Component):
    """Generates the positions of all rows of a run, some rows per cycle and up to one m tile ahead of its reader.

    The position of row r+1 is that of row r plus the deltas of the loop that steps between them
    (``reprise.hw.arch.program``). Rows of the innermost loop are equally far apart, so as many of them as lie in one
    word are written in a cycle. The table has two buffers: while the reader walks over one m tile, the next one is
    written. Both sources share a memory, and those of a join are written one after the other. Of a run without lines of
    source 1 nothing is written for it, since its positions do not matter then: it reads zeros everywhere.

    Latency: the first m tile is ready ``LATENCY`` cycles after ``start``, and as many cycles more as it takes.
    Throughput: in each cycle the rows that are left of a word, of a turn of the innermost loop, or of the m tile. A
    join takes two cycles for them.

    Parameters
    ----------
    config : the hardware configuration

    Members
    -------
    run : In, fields of the RUN (constant while it works)
    start : In(1), strobe: begin a run; the table must be empty
    ready : Out(1), an m tile may be read
    rows : Out, number of rows of that m tile
    word : In, the word to be read, which holds ``load_rows`` rows from row ``word * load_rows`` on
    read, source : In, one cycle after ``word``: something is read; the source to be read
    positions : Out, one cycle after ``source``: POSITION x load_rows
    release : In(1), the reader is done with the m tile; ``word`` may be its last one in the same cycle
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(config)),
                "start": In(1),
                "ready": Out(1),
                "rows": Out(c.count_bits),
                "word": In(range(c.tile_beats)),
                "read": In(1),
                "source": In(range(SOURCES)),
                "positions": Out(data.ArrayLayout(POSITION, c.load_rows)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.loops = loops = LoopCounter(LOOPS - 1)  # all but the innermost one
        step = Signal()
        makes = Signal()  # positions of ``source`` are made; a step ends with those of the last source
        source, join = Signal(range(SOURCES)), Signal()
        prime = Signal()  # the loop that steps first is not known yet
        m.d.comb += loops.start.eq(self.start)
        m.d.comb += [loops.count[n].eq(self.run[f"loop{n + 1}_count"]) for n in range(LOOPS - 1)]

        full = Array(Signal(name=f"full{h}") for h in range(2))
        rows = Array(Signal(c.count_bits, name=f"rows{h}") for h in range(2))
        buffer = Signal()  # the buffer that is being written
        read_buffer = Signal()
        lane = Signal(range(c.load_rows))  # of the first row that is written, in its word
        word = Signal(range(c.tile_beats))
        left, some = Signal(16), Signal()  # number of m tiles whose rows are still to be generated; there are some
        count = Signal(c.count_bits)  # the rows of this m tile
        # From the word's first row on: the rows of the m tile, and those up to the end of this turn of the inner loop.
        here, reach = Signal(c.count_bits), Signal(17)
        self.tile_near, self.turn_near = Signal(), Signal()  # these are no more than a word has
        self.first = Signal(2)  # if both are near: the turn ends before the m tile; the m tile before the turn
        m.d.comb += [
            makes.eq(~prime & some & ~full[buffer]),
            step.eq(makes & (source == join)),
            self.ready.eq(full[read_buffer]),
            self.rows.eq(rows[read_buffer]),
        ]
        m.d.sync += [prime.eq(self.start), join.eq(self.run.lines1 != 0), source.eq(source ^ (makes & join))]
        put, tile_ends = self._put(m, lane, here, reach)
        m.d.comb += [put.step.eq(step), loops.step.eq(step & put.turn_ends)]
        self._measure(m, put, tile_ends, left, count, here, reach)
        with m.If(step):
            m.d.sync += [lane.eq(Mux(put.same_word, reach[: clog2(c.load_rows)], 0)), word.eq(word + ~put.same_word)]
            with m.If(tile_ends):
                m.d.sync += [
                    word.eq(0),
                    full[buffer].eq(1),
                    rows[buffer].eq(count),
                    buffer.eq(~buffer),
                    left.eq(left - 1),
                    some.eq(left != 1),
                ]
        with m.If(self.release):
            m.d.sync += [full[read_buffer].eq(0), read_buffer.eq(~read_buffer)]
        with m.If(self.start):
            m.d.sync += [left.eq(self.run.m_tiles), some.eq(1), lane.eq(0), word.eq(0)]
        sources = [self._source(m, s, loops.select, put, tile_ends, here) for s in range(SOURCES)]
        self._memory(m, sources, source, Mux(makes, put.mask, 0), Cat(word, buffer), read_buffer)
        return m

    def _put(self, m: Module, lane: Value, here: Value, reach: Value) -> tuple[data.View, Value]:
        """Return what is written of the word's rows from ``lane`` on, and whether the m tile ends with it.

        It ends with the word, with the m tile, or with the turn of the innermost loop. How far off these are stands in
        registers, and so does whether they are near and which comes first, so that nothing is compared here.
        """
        c = self.config
        bits = clog2(c.load_rows) + 1
        put, tile_ends = Signal(put_layout(c)), Signal()
        begun = [*(lane <= n for n in range(c.load_rows - 1)), Const(1)]  # lanes from the first row on
        turn = reach[:bits]
        tile_near, turn_near = self.tile_near, self.turn_near
        turn_first, tile_first = self.first
        m.d.comb += [
            tile_ends.eq(tile_near & ~(turn_near & turn_first)),
            put.turn_ends.eq(turn_near & ~(tile_near & tile_first)),
            put.mask.eq(Cat(begun)),
            put.same_word.eq(turn_near & (turn != c.load_rows) & ~tile_ends),
        ]
        return put, tile_ends

    def _measure(
        self, m: Module, put: data.View, tile_ends: Value, left: Value, count: Signal, here: Signal, reach: Signal
    ) -> None:
        """Keep how far off the ends of the m tile and of the innermost turn are, from the word's first row on."""
        c, run = self.config, self.run
        turn = reach[: clog2(c.load_rows)]  # if the turn ends within the word
        again = Signal.like(reach)
        m.d.comb += again.eq(run.loop0_count + Mux(put.same_word, turn, 0))
        following = Signal.like(count)  # of the next m tile
        m.d.comb += following.eq(Mux(left == 2, run.rows_last, run.rows))
        word, tile = c.load_rows, here[: clog2(c.load_rows) + 1]  # all is compared before it is known what happens
        onward = [precompute(m, value <= 2 * word) for value in (here, reach)]
        turn_left = precompute(m, reach <= tile + word)  # behind the m tile's last row
        turn_next = precompute(m, run.loop0_count <= word), precompute(m, run.loop0_count + turn <= word)
        next_near = precompute(m, following <= word)
        bits = len(tile)

        def first(tile: Value, turn: Value) -> Signal:
            return precompute(m, Cat(turn[:bits] < tile[:bits], tile[:bits] < turn[:bits]))

        firsts = (
            first(here - word, reach - word),
            first(here - word, run.loop0_count),
            first(here, run.loop0_count + turn),
        )
        next_firsts = first(following, reach - tile), first(following, run.loop0_count)
        with m.If(put.step):
            m.d.sync += self.first.eq(firsts[0])
            m.d.sync += reach.eq(reach - Mux(tile_ends, tile, word))
            m.d.sync += self.turn_near.eq(Mux(tile_ends, turn_left, onward[1]))
            with m.If(put.turn_ends):
                m.d.sync += [reach.eq(again), self.turn_near.eq(Mux(put.same_word, turn_next[1], turn_next[0]))]
                m.d.sync += self.first.eq(Mux(put.same_word, firsts[2], firsts[1]))
            with m.If(~put.same_word):
                m.d.sync += [here.eq(here - word), self.tile_near.eq(onward[0])]
            with m.If(tile_ends):
                m.d.sync += [here.eq(following), count.eq(following), self.tile_near.eq(next_near)]
                m.d.sync += self.first.eq(Mux(put.turn_ends, next_firsts[1], next_firsts[0]))
        with m.If(self.start):
            rows = Mux(run.m_tiles == 1, run.rows_last, run.rows)
            m.d.sync += [here.eq(rows), count.eq(rows), reach.eq(run.loop0_count)]
            m.d.sync += [self.tile_near.eq(rows <= word), self.turn_near.eq(turn_next[0])]
            m.d.sync += self.first.eq(first(rows, run.loop0_count))

    def _source(
        self, m: Module, s: int, select: Value, put: data.View, tile_ends: Value, here: Value
    ) -> dict[str, list[Value]]:
        """Follow the position of one source from word to word.

        Return, for each part of POSITION, what row 0 of the word has, and how far each row is from that.
        """
        c = self.config
        found: dict[str, list[Value]] = {}
        for name in ("address", "x", "y"):
            # What row 0 of the word would have if the innermost loop had begun there.
            base = Signal(signed(16), name=f"{name}{s}")
            inner = self.run[f"loop0_{name}{s}"]
            # So many steps of that loop.
            ways = [Signal(signed(16), name=f"way{n}_{name}{s}", reset_less=True) for n in range(c.load_rows + 1)]
            m.d.sync += [way.eq(multiple(inner, n)) for n, way in enumerate(ways)]
            found[name] = [base, *ways[: c.load_rows]]
            outer = Signal(signed(16), name=f"outer_{name}{s}")
            # At most one of them is not zero, so OR is enough.
            m.d.comb += outer.eq(
                reduce(or_, (Mux(select[n - 1], self.run[f"loop{n}_{name}{s}"], 0) for n in range(1, LOOPS)))
            )
            # From row 0 of this word to what row 0 of the next one would have. Where the turn ends, the way goes from
            # its last row by the outer loops' step. Only which way it is waits for what is written.
            onward, moved = Signal.like(base, name=f"onward_{name}{s}"), Signal.like(base, name=f"moved_{name}{s}")
            m.d.comb += onward.eq(base + outer)
            to_tile_end, behind_tile_end = (
                precompute(m, Array(ways[n : n + c.load_rows])[(here - 1)[: clog2(c.load_rows)]]) for n in range(2)
            )
            m.d.comb += moved.eq(Mux(tile_ends, behind_tile_end, ways[-1]))
            with m.If(put.turn_ends):
                m.d.comb += moved.eq(Mux(tile_ends, to_tile_end, Mux(put.same_word, -ways[1], ways[-2])))
            with m.If(put.step):
                m.d.sync += base.eq(Mux(put.turn_ends, onward, base) + moved)
            with m.If(self.start):
                m.d.sync += base.eq(self.run[f"row_{name}{s}"])
        return found

    def _memory(
        self,
        m: Module,
        sources: list[dict[str, list[Value]]],
        source: Value,
        mask: Value,
        address: Value,
        buffer: Value,
    ) -> None:
        """Add up the positions of a word's rows, which lie ``ways`` from its row 0, and keep them.

        They are written in the cycle after, and a word is read in the cycle after it is named. So a word is not read
        while it is written, although the writer goes on as soon as a buffer is full or given back.

        Which source is read is known late, from a block RAM. So where the memory is LUT RAM, there is one for each
        source, and what is chosen among are the registers behind them.
        """
        c = self.config
        depth = 2 * c.tile_beats  # of a source
        cut = SOURCES * depth <= DISTRIBUTED
        lanes = Signal(data.ArrayLayout(POSITION, c.load_rows), reset_less=True)
        for name in POSITION.members:
            parts = zip(*(one[name] for one in sources), strict=True)
            base, *ways = (Mux(source, second, first) for first, second in parts)
            m.d.sync += [lane[name].eq(base + way) for lane, way in zip(lanes, ways, strict=True)]
        enable, into, place = Signal(c.load_rows), Signal(len(address) + 1), Signal(len(address))
        m.d.sync += [enable.eq(mask), into.eq(Cat(address, source))]
        m.d.sync += place.eq(Cat(self.word, buffer))
        found = []
        for n in range(SOURCES if cut else 1):
            memory = Memory(
                shape=data.ArrayLayout(POSITION, c.load_rows),
                depth=depth if cut else SOURCES * depth,
                init=[],
                attrs=UNCHECKED,
            )
            m.submodules[f"memory{n}"] = memory
            write, read = memory.write_port(granularity=1), memory.read_port()
            m.d.comb += [
                write.en.eq(Mux(into[-1] == n, enable, 0) if cut else enable),
                write.addr.eq(into[:-1] if cut else into),
                write.data.eq(lanes),
                read.addr.eq(place if cut else Cat(place, self.source)),
                read.en.eq(self.read),
            ]
            found.append(read.data)
        if cut:
            second = Signal()
            m.d.sync += second.eq(self.source)
            m.d.comb += self.positions.eq(Mux(second, found[1].as_value(), found[0].as_value()))
        else:
            m.d.comb += self.positions.eq(found[0])
