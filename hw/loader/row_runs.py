"""Cuts the set of weight rows that a tile uses into runs of neighbouring rows, each of which is one request."""

from __future__ import annotations

from amaranth import C, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..lib.logic import encode, several


def row_run(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a run: the rows ``first .. first+rows-1`` of a tile; ``last`` says that it has no more.

    A tile that uses no row at all has one run of 0 rows.
    """
    return data.StructLayout({"first": range(c.tile_k), "rows": range(c.tile_k + 1), "last": 1})


class RowRuns(wiring.Component):
    """Gives the runs of each set of rows, from the lowest one on.

    Latency: 2 cycles from a set to its first run. Throughput: one run per cycle, without a bubble between sets.

    Members
    -------
    i : In stream of sets, a bit for each row
    o : Out stream of :func:`row_run`
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__({"i": In(stream.Signature(c.tile_k)), "o": Out(stream.Signature(row_run(c)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.tile_k
        left, busy, move = Signal(bits), Signal(), Signal()
        # Adding the lowest bit carries through its run: it clears the run and sets the bit behind it.
        lowest, carried, rest = Signal(bits), Signal(bits + 1), Signal(bits)
        first, end = Signal(range(bits)), Signal(range(bits + 1))
        begins, more = Signal(bits), Signal()  # the bits that begin a run; there are several
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            lowest.eq(left & -left),
            carried.eq(left + lowest),
            rest.eq(left & carried[:bits]),
            first.eq(encode(lowest)),
            end.eq(encode(carried & ~Cat(left, C(0, 1)))),
            begins.eq(left & ~(left << 1)),
            more.eq(several(begins)[1]),
            self.i.ready.eq(~busy | (move & ~more)),
        ]
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(busy),
                self.o.payload.first.eq(first),
                self.o.payload.rows.eq(end - first),
                self.o.payload.last.eq(~more),
            ]
            with m.If(busy):
                m.d.sync += [left.eq(rest), busy.eq(more)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [left.eq(self.i.payload), busy.eq(1)]
        return m
