"""Asks for the bus words of a stored map, in the order in which the levels in them are added."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...arch.config import HardwareConfig, clog2
from ...arch.program import ADDRESS_BITS
from ...interface.commands import run_layout
from ...interface.memory import read_request
from ..layouts import OFFSET_BITS
from .places import ChunkPlaces


class JoinWalk(wiring.Component):
    """Requests every bus word of the lines that a run adds once, when the first chunk of which it has bits is next.

    Latency: 2 cycles from the strobe to the first request. Throughput: a chunk per cycle.

    Members
    -------
    run : In, fields of the RUN in progress
    i_start : In(1), strobe: a run begins, whose fields are there
    o : Out stream of requests
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__({"run": In(run_layout(config)), "i_start": In(1), "o": Out(stream.Signature(read_request()))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run = self.config, self.run
        m.submodules.places = places = ChunkPlaces(c)
        shift = clog2(c.bus_bits // 8)
        place, wants, free = places.o, Signal(), Signal()
        base, word, spills = Signal(ADDRESS_BITS - shift), Signal(OFFSET_BITS - shift), Signal()
        m.d.comb += [
            places.run.eq(run),
            places.i_start.eq(self.i_start),
            wants.eq(places.o_busy & (place.begins | place.spills)),
            free.eq(~self.o.valid | self.o.ready),
            places.i_step.eq(places.o_busy & (~wants | free)),
            # The word behind the chunk's first one is the next: the carry into the sum, which costs no second adder.
            self.o.payload.address.eq((Cat(spills, base) + Cat(spills, word))[1:] << shift),
            self.o.payload.beats.eq(1),
        ]
        m.d.sync += base.eq((run.output >> shift) + run.join)
        with m.If(free):
            m.d.sync += [self.o.valid.eq(wants), word.eq(place.address[shift:]), spills.eq(place.spills)]
        return m
