"""The weight loader streams the weights of a run from memory into the slots of the weight buffer."""

from __future__ import annotations

from typing import Self

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS, row_beats
from ..interface.commands import run_layout
from ..interface.memory import read_request
from ..interface.streams import weight_row
from ..lib.fifo import SmallFifo
from ..lib.logic import precompute
from ..lib.skid import SkidBuffer
from .row_runs import RowRuns, row_run

RUNS_ASKED = 32
"""The most runs of rows that are asked for and have not come yet."""


class WeightAssembler(wiring.Component):
    """Puts bus words together into weight rows, each with its slot, its row index and ``last``.

    A row is ``beats`` bus words with a byte for each lane, of which the low ``weight_bits`` bits count. The weights of
    lanes beyond these words are zero. Where narrow RUNs have buffers of partial sums in the upper half of the lanes,
    it has the weights of the lower half. A tile that uses no row at all gets one row with ``last`` all the same, which
    takes no bus word and whose weights nobody reads.

    Latency: a row is offered in the cycle after its last bus word. Throughput: one bus word per cycle.

    Members
    -------
    i_run : In stream of runs of rows (:func:`reprise.hw.loader.row_runs.row_run`), whose bus words follow each other
    i : In stream of bus words
    o : Out stream of weight_row
    beats : In, bus words of a row, at least 1
    narrow : In(1), where narrow RUNs have four buffers: both halves of the lanes get the weights of the lower one
    weight_slot : In, weight slot of the current K tile
    next : Out(1), strobe: the last row of a K tile is complete, and the slot of the next K tile is wanted
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_run": In(stream.Signature(row_run(c))),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(weight_row(c))),
                "beats": In(range(row_beats(c) + 1)),
                "weight_slot": In(c.weight_slot_bits),
                "next": Out(1),
                **({"narrow": In(1)} if c.narrow_buffers else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run = self.config, self.i_run.payload
        total = row_beats(c)
        lanes = min(c.lanes, c.bus_bits // 8)  # lanes in a bus word
        beat = Signal(range(total))
        row = Signal(range(c.tile_k))  # within the run
        move, take, end, none, last = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            none.eq(run.rows == 0),
            self.i.ready.eq(move & self.i_run.valid & ~none),
            take.eq(self.i.valid & self.i.ready),
            end.eq((take & (beat + 1 == self.beats)) | (move & self.i_run.valid & none)),
            last.eq(none | (row + 1 == run.rows)),
            self.i_run.ready.eq(end & last),
            self.next.eq(end & last & run.last),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += beat.eq(Mux(end, 0, beat + 1))
            for number in range(total * lanes):
                lane, (comes, weight) = self.o.payload.data[number], self._weight(beat, number, lanes)
                with m.If(comes):
                    m.d.sync += lane.eq(weight[: c.weight_bits].as_signed())
                with m.Elif(beat == 0):
                    m.d.sync += lane.eq(0)
        with m.If(end):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.weight_slot.eq(self.weight_slot),
                self.o.payload.row.eq(run.first + row),
                self.o.payload.last.eq(last & run.last),
                row.eq(Mux(last, 0, row + 1)),
            ]
        return m

    def _weight(self, beat: Value, lane: int, lanes: int) -> tuple[Value, Value]:
        """Return whether the weight of a lane comes in this beat, and its byte, of bus words of so many ``lanes``."""
        part, byte = divmod(lane, lanes)
        comes, weight = beat == part, self.i.payload.word_select(byte, 8)
        if self.config.narrow_buffers and lane >= (half := self.config.lanes // 2):
            below, other = divmod(lane - half, lanes)
            if below != part:
                comes = Mux(self.narrow, beat == below, comes)
            if other != byte:
                weight = Mux(self.narrow, self.i.payload.word_select(other, 8), weight)
        return comes, weight


class WeightLoader(wiring.Component):
    """Asks for the weights of a run, K tile after K tile, and hands them on row by row.

    The weights are fetched anew for every m tile, or once (``weights_keep``), or not at all (``weights_ready``). All
    rows of the first ``whole_tiles`` K tiles are fetched, and all of weights that are kept; of other K tiles only the
    rows that a row of the tile uses. The slots go round robin over all K tiles that are fetched, and the tiles of rows
    follow the same order (``WeightSlotCounter`` in :mod:`reprise.hw.im2col.im2col`). A slot that is still in use holds
    the stream back.

    Throughput: one bus word per cycle, where a run of rows has at least two. Latency: ``WHOLE_LATENCY`` cycles from
    ``start`` to the first request, and ``LATENCY`` from a set of used rows to its first request.

    Members
    -------
    run, start : In, fields of the RUN (constant while it works), and its start
    i_used : In stream of the rows that a K tile uses, for each K tile behind the ``whole_tiles``
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    o : Out stream of weight_row
    busy : Out(1), some rows of this run have not been handed on yet
    """

    WHOLE_LATENCY = 2
    LATENCY = RowRuns.LATENCY + 1

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(config)),
                "start": In(1),
                "i_used": In(stream.Signature(c.tile_k)),
                "o_request": Out(stream.Signature(read_request())),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(weight_row(c))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run = self.config, self.run
        m.submodules.assembler = assembler = WeightAssembler(c)
        m.submodules.runs = runs = RowRuns(c)
        m.submodules.order = order = SmallFifo(shape=row_run(c), depth=RUNS_ASKED)
        weight_slot = Signal(c.weight_slot_bits)
        wiring.connect(m, wiring.flipped(self.i_used), runs.i)
        wiring.connect(m, order.o, assembler.i_run)
        # A row that finds its slot full does not hold the reader's buffer back within the cycle.
        m.submodules.skid = skid = SkidBuffer(shape=c.bus_bits)
        wiring.connect(m, wiring.flipped(self.i), skid.i)
        wiring.connect(m, skid.o, assembler.i)
        wiring.connect(m, assembler.o, wiring.flipped(self.o))
        taken = Signal()  # counted a cycle late, in which the K tile's last row stands at ``o``
        m.d.sync += taken.eq(assembler.next)
        rows = _TileCounter.count(m, "taken", run, self.start, taken)
        m.d.comb += [
            assembler.beats.eq(run.weight_beats),
            assembler.weight_slot.eq(weight_slot),
            self.busy.eq(rows.active | self.o.valid),
        ]
        if c.narrow_buffers:
            m.d.comb += assembler.narrow.eq(run.groups <= c.narrow_groups)
        with m.If(assembler.next):
            m.d.sync += weight_slot.eq(Mux(weight_slot == c.weight_tiles - 1, 0, weight_slot + 1))
        self._ask(m, runs, order)
        return m

    def _ask(self, m: Module, runs: RowRuns, order: SmallFifo) -> None:
        """Make a request of every run of rows, and tell the assembler of it."""
        c, run = self.config, self.run
        asked, stands = Signal(row_run(c)), Signal()  # the run that is asked for
        chosen = Signal(row_run(c))  # the run behind it
        tile, address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)  # of the K tile of ``chosen``, and of ``asked``
        most = range(row_beats(c) * c.tile_k + 1)
        beats, tile_beats = Signal(most), Signal(most)  # the latter is right from the cycle after ``start`` on
        whole_left, whole, some = Signal.like(run.whole_tiles), Signal(), Signal()
        move, goes, load, ends = Signal(), Signal(), Signal(), Signal()
        tiles = _TileCounter.count(m, "asked", run, self.start, ends)
        row = run.weight_beats[: row_beats(c).bit_length()]
        # The words of the tile's rows before the run: a sum of shifts, as a multiplier would come late.
        below = sum((Mux(bit, row << n, 0) for n, bit in enumerate(chosen.first)), Const(0))
        word = clog2(c.bus_bits // 8)
        m.d.comb += [
            some.eq(asked.rows != 0),
            goes.eq(stands & order.i.ready & (~some | self.o_request.ready)),
            self.o_request.valid.eq(stands & order.i.ready & some),
            self.o_request.payload.address.eq(address),
            self.o_request.payload.beats.eq(beats),
            order.i.valid.eq(goes),
            order.i.payload.eq(asked),
            move.eq(~stands | goes),
            whole.eq(run.weights_keep | (whole_left != 0)),
            chosen.eq(runs.o.payload),
            load.eq(move & tiles.active & (whole | runs.o.valid)),
            runs.o.ready.eq(load & ~whole),
            ends.eq(load & chosen.last),
        ]
        with m.If(whole):
            m.d.comb += [chosen.first.eq(0), chosen.rows.eq(run.tile_depth), chosen.last.eq(1)]
        m.d.sync += tile_beats.eq(row * run.tile_depth[: len(chosen.rows)])
        with m.If(move):
            m.d.sync += stands.eq(load)
        with m.If(load):
            m.d.sync += [
                asked.eq(chosen),
                address.eq(tile + (below << word)),
                beats.eq(chosen.rows * row),
                whole_left.eq(Mux(whole_left == 0, 0, whole_left - 1)),
            ]
        with m.If(ends):
            m.d.sync += tile.eq(Mux(tiles.last_k, run.weights, tile + (tile_beats << word)))
        with m.If(self.start):
            m.d.sync += [tile.eq(run.weights), whole_left.eq(run.whole_tiles)]


class _TileCounter:
    """Counts the K tiles of a run that are fetched, over all m tiles.

    ``active`` says that K tiles are left, and ``last_k`` that the next one is the last of its m tile.
    """

    def __init__(self, active: Signal, last_k: Value) -> None:
        self.active, self.last_k = active, last_k

    @classmethod
    def count(cls, m: Module, name: str, run: data.View, start: Value, step: Value) -> Self:
        """Build a counter that begins anew with ``start`` and counts one K tile with each ``step``."""
        active = Signal(name=f"{name}_active")
        k_left, m_left = Signal(16, name=f"{name}_k_left"), Signal(16, name=f"{name}_m_left")
        last_k = precompute(m, k_left == 1)
        last = precompute(m, last_k & (run.weights_keep | (m_left == 1)))
        with m.If(step):
            m.d.sync += k_left.eq(k_left - 1)
            with m.If(last_k):
                m.d.sync += [k_left.eq(run.k_tiles), m_left.eq(m_left - 1)]
            with m.If(last):
                m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += [active.eq(~run.weights_ready), k_left.eq(run.k_tiles), m_left.eq(run.m_tiles)]
        return cls(active, last_k)
