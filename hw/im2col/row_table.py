"""The row table says where the rows of an m tile begin in the feature buffer."""

from __future__ import annotations

from amaranth import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import LOOPS, SOURCES
from ..interface.commands import run_layout

POSITION = data.StructLayout({"address": signed(16), "x": signed(16), "y": signed(16)})
"""Where a row begins in one source: the on-chip word of its line, its first bit in that line, and the y of its line for
kernel row ky = 0."""


class LoopCounter(wiring.Component):
    """Counts nested loops and names, one step ahead, the loop that steps next.

    ``step`` moves on by one iteration. ``select``, which is one-hot and a register, names the loop that this step
    advances: the innermost one that is not at its end. All loops inside it start over. At the very last iteration
    ``select`` is zero.

    Members
    -------
    count : In(16) x LOOPS, iterations of each loop (constant while it counts)
    start : In(1), begin at the first iteration
    step : In(1)
    select : Out(LOOPS), valid from the second cycle after ``start``
    """

    def __init__(self) -> None:
        super().__init__(
            {"count": In(16).array(LOOPS), "start": In(1), "step": In(1), "select": Out(LOOPS)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = [Signal(16, name=f"left{n}") for n in range(LOOPS)]
        at_end = Cat(value == 0 for value in left)
        inner_done = [at_end[:n].all() if n else 1 for n in range(LOOPS)]
        fire = [inner_done[n] & ~at_end[n] for n in range(LOOPS)]
        primed = Signal()
        advance = Signal()
        m.d.sync += primed.eq(self.start)
        m.d.comb += advance.eq(self.step | primed)
        with m.If(advance):
            m.d.sync += self.select.eq(Cat(fire))
            for n in range(LOOPS):
                with m.If(fire[n]):
                    m.d.sync += left[n].eq(left[n] - 1)
                with m.Elif(inner_done[n]):
                    m.d.sync += left[n].eq(self.count[n] - 1)
        with m.If(self.start):
            for n in range(LOOPS):
                m.d.sync += left[n].eq(self.count[n] - 1)
        return m


class RowTable(wiring.Component):
    """Generates the positions of all rows of a run, one row per cycle and up to one m tile ahead of its reader.

    The position of row r+1 is that of row r plus the deltas of the loop that steps between them
    (``reprise.hw.arch.program``). The table has two buffers: while the reader walks over one m tile, the next one is
    written.

    Latency: the first m tile of ``rows`` rows is ready ``rows + LATENCY`` cycles after ``start``.

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
        m.submodules.loops = loops = LoopCounter()
        step = Signal()
        prime = Signal()  # the loop that steps first is not known yet
        m.d.comb += [loops.start.eq(self.start), loops.step.eq(step)]
        m.d.comb += [loops.count[n].eq(self.run[f"loop{n}_count"]) for n in range(LOOPS)]

        full = Array(Signal(name=f"full{h}") for h in range(2))
        rows = Array(Signal(c.count_bits, name=f"rows{h}") for h in range(2))
        buffer = Signal()  # the buffer that is being written
        read_buffer = Signal()
        row = Signal(c.row_bits)
        left = Signal(16)  # number of m tiles whose rows are still to be generated
        count = Signal(c.count_bits)
        m.d.comb += [
            count.eq(Mux(left == 1, self.run.rows_last, self.run.rows)),
            step.eq(~prime & (left != 0) & ~full[buffer]),
            self.ready.eq(full[read_buffer]),
            self.rows.eq(rows[read_buffer]),
        ]
        m.d.sync += prime.eq(self.start)
        with m.If(step):
            m.d.sync += row.eq(row + 1)
            with m.If(row + 1 == count):
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
            m.d.sync += [left.eq(self.run.m_tiles), row.eq(0)]
        for source in range(SOURCES):
            self._source(m, source, loops.select, step, Cat(row, buffer), read_buffer)
        return m

    def _source(self, m: Module, s: int, select: Value, step: Value, row: Value, read_buffer: Value) -> None:
        """Build the adders and the memory of one source."""
        c = self.config
        position = Signal(POSITION, name=f"position{s}")
        for name in ("address", "x", "y"):
            deltas = [Mux(select[n], self.run[f"loop{n}_{name}{s}"], 0) for n in range(LOOPS)]
            delta = Signal(signed(16), name=f"delta_{name}{s}")
            merged = deltas[0]
            for other in deltas[1:]:
                merged = merged | other  # at most one of them is not zero, so OR is enough
            m.d.comb += delta.eq(merged)
            with m.If(step):
                m.d.sync += position[name].eq(position[name] + delta)
            with m.If(self.start):
                m.d.sync += position[name].eq(self.run[f"row_{name}{s}"])
        depth = 2 * c.tile_beats
        memory = Memory(shape=data.ArrayLayout(POSITION, c.load_rows), depth=depth, init=[])
        m.submodules[f"memory{s}"] = memory
        write = memory.write_port(granularity=1)
        read = memory.read_port()
        lane_bits = clog2(c.load_rows)
        lane, word = row[:lane_bits], row[lane_bits:]
        m.d.comb += [
            write.addr.eq(word),
            write.en.eq(Mux(step, 1 << lane, 0)),
            read.addr.eq(Cat(self.word, read_buffer)),
            self.positions[s].eq(read.data),
        ]
        m.d.comb += [write.data[lane].eq(position) for lane in range(c.load_rows)]
