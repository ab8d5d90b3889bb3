"""The weight loader streams the weights of a run from memory into the slots of the weight buffer."""

from __future__ import annotations

from typing import Self

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS, row_beats
from ..interface.commands import run_layout
from ..interface.memory import read_request
from ..interface.streams import weight_row


class WeightAssembler(wiring.Component):
    """Puts bus words together into weight rows, each with its slot, its row index and ``last``.

    A row is ``beats`` bus words with a byte for each lane, of which the low ``weight_bits`` bits count. The weights of
    lanes beyond these words are zero.

    Latency: a row is offered in the cycle after its last bus word. Throughput: one bus word per cycle.

    Members
    -------
    i : In stream of bus words
    o : Out stream of weight_row
    beats : In, bus words of a row, at least 1
    depth : In, rows of a K tile, 1..tile_k
    weight_slot : In, weight slot of the current K tile
    next : Out(1), strobe: the last bus word of a K tile is taken, and the slot of the next K tile is wanted
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(weight_row(c))),
                "beats": In(range(row_beats(c) + 1)),
                "depth": In(range(c.tile_k + 1)),
                "weight_slot": In(c.weight_slot_bits),
                "next": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        total = row_beats(c)
        lanes = min(c.lanes, c.bus_bits // 8)  # lanes in a bus word
        beat = Signal(range(total))
        row = Signal(range(c.tile_k))
        take, end, last = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            take.eq(self.i.valid & self.i.ready),
            end.eq(take & (beat + 1 == self.beats)),
            last.eq(row + 1 == self.depth),
            self.next.eq(end & last),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += beat.eq(Mux(end, 0, beat + 1))
            for part in range(total):
                for n in range(lanes):
                    lane = self.o.payload.data[part * lanes + n]
                    with m.If(beat == part):
                        m.d.sync += lane.eq(self.i.payload[8 * n : 8 * n + c.weight_bits].as_signed())
                    with m.Elif(beat == 0):
                        m.d.sync += lane.eq(0)
        with m.If(end):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.weight_slot.eq(self.weight_slot),
                self.o.payload.row.eq(row),
                self.o.payload.last.eq(last),
                row.eq(Mux(last, 0, row + 1)),
            ]
        return m


class WeightLoader(wiring.Component):
    """Asks for the weights of a run, K tile after K tile, and hands them on row by row.

    The weights are fetched anew for every m tile, or once (``weights_keep``), or not at all (``weights_ready``). The
    slots go round robin over all K tiles that are fetched, and the tiles of rows follow the same order
    (``WeightSlotCounter`` in :mod:`reprise.hw.im2col.im2col`). A slot that is still in use holds the stream back.

    Throughput: one bus word per cycle. Latency: 2 cycles from ``start`` to the first request.

    Members
    -------
    run, start : In, fields of the RUN (constant while it works), and its start
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    o : Out stream of weight_row
    busy : Out(1), some rows of this run have not been handed on yet
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout()),
                "start": In(1),
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
        weight_slot = Signal(c.weight_slot_bits)
        wiring.connect(m, wiring.flipped(self.i), assembler.i)
        wiring.connect(m, assembler.o, wiring.flipped(self.o))
        tiles = _TileCounter.count(m, "asked", run, self.start, self.o_request.valid & self.o_request.ready)
        rows = _TileCounter.count(m, "taken", run, self.start, assembler.next)
        address = Signal(ADDRESS_BITS)
        beats = Signal(range(row_beats(c) * c.tile_k + 1))  # of a K tile; right from the cycle after ``start`` on
        m.d.comb += [
            assembler.beats.eq(run.weight_beats),
            assembler.depth.eq(run.tile_depth),
            assembler.weight_slot.eq(weight_slot),
            self.o_request.valid.eq(tiles.active),
            self.o_request.payload.address.eq(address),
            self.o_request.payload.beats.eq(beats),
            self.busy.eq(rows.active | self.o.valid),
        ]
        m.d.sync += beats.eq(run.weight_beats[: len(assembler.beats)] * run.tile_depth[: len(assembler.depth)])
        with m.If(assembler.next):
            m.d.sync += weight_slot.eq(Mux(weight_slot == c.weight_tiles - 1, 0, weight_slot + 1))
        with m.If(self.o_request.valid & self.o_request.ready):
            m.d.sync += address.eq(address + (beats << clog2(c.bus_bits // 8)))
            with m.If(tiles.last_k):
                m.d.sync += address.eq(run.weights)
        with m.If(self.start):
            m.d.sync += address.eq(run.weights)
        return m


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
        last_k = k_left == 1
        with m.If(step):
            m.d.sync += k_left.eq(k_left - 1)
            with m.If(last_k):
                m.d.sync += [k_left.eq(run.k_tiles), m_left.eq(m_left - 1)]
                with m.If(run.weights_keep | (m_left == 1)):
                    m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += [active.eq(~run.weights_ready), k_left.eq(run.k_tiles), m_left.eq(run.m_tiles)]
        return cls(active, last_k)
