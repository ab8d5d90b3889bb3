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

POSITION = data.StructLayout({"address": signed(16), "x": signed(16), "y": signed(16)})
"""Where a row begins in one source: the on-chip word of its line, its first bit in that line, and the y of its line for
kernel row ky = 0."""


def put_layout(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what is written in a cycle."""
    return data.StructLayout(
        {
            "step": 1,  # something is
            "mask": c.load_rows,  # the lanes, which follow each other
            "count": range(c.load_rows + 1),  # their number
            "last": range(c.load_rows),  # the last one
            "same_word": 1,  # the next row goes into the same word, because the turn of the innermost loop ends
            "turn_ends": 1,
        }
    )


class LoopCounter(wiring.Component):
    """Counts nested loops and names, one step ahead, the loop that steps next.

    ``step`` moves on by one iteration. ``select``, which is one-hot and a register, names the loop that this step
    advances: the innermost one that is not at its end. All loops inside it start over. At the very last iteration
    ``select`` is zero.

    Members
    -------
    count : In(16) x loops, iterations of each loop, the innermost first (constant while it counts)
    start : In(1), begin at the first iteration
    step : In(1)
    select : Out(loops), valid from the second cycle after ``start``
    """

    def __init__(self, loops: int) -> None:
        self.loops = loops
        super().__init__(
            {"count": In(16).array(loops), "start": In(1), "step": In(1), "select": Out(loops)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = [Signal(16, name=f"left{n}") for n in range(self.loops)]
        at_end = Cat(value == 0 for value in left)
        inner_done = [at_end[:n].all() if n else 1 for n in range(self.loops)]
        fire = [inner_done[n] & ~at_end[n] for n in range(self.loops)]
        primed = Signal()
        advance = Signal()
        m.d.sync += primed.eq(self.start)
        m.d.comb += advance.eq(self.step | primed)
        with m.If(advance):
            m.d.sync += self.select.eq(Cat(fire))
            for n in range(self.loops):
                with m.If(fire[n]):
                    m.d.sync += left[n].eq(left[n] - 1)
                with m.Elif(inner_done[n]):
                    m.d.sync += left[n].eq(self.count[n] - 1)
        with m.If(self.start):
            for n in range(self.loops):
                m.d.sync += left[n].eq(self.count[n] - 1)
        return m


class RowTable(wiring.Component):
    """Generates the positions of all rows of a run, some rows per cycle and up to one m tile ahead of its reader.

    The position of row r+1 is that of row r plus the deltas of the loop that steps between them
    (``reprise.hw.arch.program``). Rows of the innermost loop are equally far apart, so as many of them as lie in one
    word are written in a cycle. The table has two buffers: while the reader walks over one m tile, the next one is
    written.

    Latency: the first m tile is ready ``LATENCY`` cycles after ``start``, and as many cycles more as it takes.
    Throughput: in each cycle the rows that are left of a word, of a turn of the innermost loop, or of the m tile.

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
    positions : Out, one cycle after ``word``: POSITION x load_rows x SOURCES
    release : In(1), the reader is done with the m tile
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout()),
                "start": In(1),
                "ready": Out(1),
                "rows": Out(c.count_bits),
                "word": In(range(c.tile_beats)),
                "positions": Out(data.ArrayLayout(data.ArrayLayout(POSITION, c.load_rows), SOURCES)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.loops = loops = LoopCounter(LOOPS - 1)  # all but the innermost one
        step = Signal()
        prime = Signal()  # the loop that steps first is not known yet
        m.d.comb += loops.start.eq(self.start)
        m.d.comb += [loops.count[n].eq(self.run[f"loop{n + 1}_count"]) for n in range(LOOPS - 1)]

        full = Array(Signal(name=f"full{h}") for h in range(2))
        rows = Array(Signal(c.count_bits, name=f"rows{h}") for h in range(2))
        buffer = Signal()  # the buffer that is being written
        read_buffer = Signal()
        row = Signal(c.row_bits)  # the first row that is written
        inner = Signal(16)  # rows from there on that belong to this turn of the innermost loop
        left = Signal(16)  # number of m tiles whose rows are still to be generated
        count = Signal(c.count_bits)
        m.d.comb += [
            count.eq(Mux(left == 1, self.run.rows_last, self.run.rows)),
            step.eq(~prime & (left != 0) & ~full[buffer]),
            self.ready.eq(full[read_buffer]),
            self.rows.eq(rows[read_buffer]),
        ]
        m.d.sync += prime.eq(self.start)
        put, tile_ends = self._put(m, row, inner, count)
        m.d.comb += [put.step.eq(step), loops.step.eq(step & put.turn_ends)]
        with m.If(step):
            m.d.sync += row.eq(row + put.count)
            m.d.sync += inner.eq(Mux(put.turn_ends, self.run.loop0_count, inner - put.count))
            with m.If(tile_ends):
                m.d.sync += [
                    row.eq(0),
                    full[buffer].eq(1),
                    rows[buffer].eq(count),
                    buffer.eq(~buffer),
                    left.eq(left - 1),
                ]
        with m.If(self.release):
            m.d.sync += [full[read_buffer].eq(0), read_buffer.eq(~read_buffer)]
        with m.If(self.start):
            m.d.sync += [left.eq(self.run.m_tiles), row.eq(0), inner.eq(self.run.loop0_count)]
        for source in range(SOURCES):
            self._source(m, source, loops.select, put, Cat(row[clog2(c.load_rows) :], buffer), read_buffer)
        return m

    def _put(self, m: Module, row: Value, inner: Value, count: Value) -> tuple[data.View, Value]:
        """Return what is written of the rows from ``row`` on, and whether the m tile of ``count`` rows ends with it."""
        c = self.config
        lane_bits = clog2(c.load_rows)
        lane, word = row[:lane_bits], row[lane_bits:]
        put, tile_ends = Signal(put_layout(c)), Signal()
        begun = [*(lane <= n for n in range(c.load_rows - 1)), Const(1)]  # lanes from the first row on
        stop = Signal(range(c.load_rows + 1))  # the lane behind the last row that is written
        # Rows of the m tile from the word's first one on, and the lane behind the turn of the innermost loop.
        here, turn, short = Signal(c.count_bits), Signal(range(2 * c.load_rows)), Signal.like(stop)
        m.d.comb += [
            here.eq(count - Cat(Const(0, lane_bits), word)),
            turn.eq(Mux(inner < c.load_rows, lane + inner[:lane_bits], c.load_rows)),
            short.eq(Mux(turn < c.load_rows, turn, c.load_rows)),
            stop.eq(Mux(here < short, here, short)),
            tile_ends.eq(here == stop),
            put.mask.eq(Cat(one & (n < stop) for n, one in enumerate(begun))),
            put.count.eq(stop - lane),
            put.last.eq(stop - 1),
            put.same_word.eq((stop != c.load_rows) & ~tile_ends),
            put.turn_ends.eq(inner == put.count),
        ]
        return put, tile_ends

    def _source(self, m: Module, s: int, select: Value, put: data.View, address: Value, read_buffer: Value) -> None:
        """Build the adders and the memory of one source."""
        c = self.config
        lanes = [Signal(POSITION, name=f"lane{s}_{n}") for n in range(c.load_rows)]
        for name in ("address", "x", "y"):
            # What row 0 of the word would have if the innermost loop had begun there.
            base = Signal(signed(16), name=f"{name}{s}")
            inner = self.run[f"loop0_{name}{s}"]
            ways = [Signal(signed(16), name=f"way{n}_{name}{s}") for n in range(c.load_rows)]  # n steps of that loop
            m.d.sync += [way.eq(n * inner) for n, way in enumerate(ways)]
            m.d.comb += [lane[name].eq(base + way) for lane, way in zip(lanes, ways, strict=True)]
            outer = Signal(signed(16), name=f"outer_{name}{s}")
            # At most one of them is not zero, so OR is enough.
            m.d.comb += outer.eq(
                reduce(or_, (Mux(select[n - 1], self.run[f"loop{n}_{name}{s}"], 0) for n in range(1, LOOPS)))
            )
            # From the last row that is written to the next one, seen from row 0 of that one's word.
            moved = Mux(put.same_word, -ways[1], Array(ways)[put.last])
            with m.If(put.step):
                m.d.sync += base.eq(base + moved + Mux(put.turn_ends, outer, ways[1]))
            with m.If(self.start):
                m.d.sync += base.eq(self.run[f"row_{name}{s}"])
        depth = 2 * c.tile_beats
        memory = Memory(shape=data.ArrayLayout(POSITION, c.load_rows), depth=depth, init=[])
        m.submodules[f"memory{s}"] = memory
        write = memory.write_port(granularity=1)
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(address),
            write.en.eq(Mux(put.step, put.mask, 0)),
            read.addr.eq(Cat(self.word, read_buffer)),
            self.positions[s].eq(read.data),
            *(write.data[n].eq(lane) for n, lane in enumerate(lanes)),
        ]
