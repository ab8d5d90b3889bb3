"""Proofs: FIFOs keep the stream rule and lose, repeat or reorder nothing."""

import pytest
from amaranth import Signal
from amaranth.hdl import Assert, Assume

from reprise.hw.lib.fifo import PushFifo, SmallFifo, StreamFifo
from tests.formal.sby import Harness, arbitrary, holds, prove

DEPTH = 4  # items in memory


class AnyTraffic(Harness):
    """A FIFO with arbitrary input and stalls; the item number ``chosen`` is followed through it."""

    def __init__(self, dut, *, follow):
        super().__init__()
        self.dut, self.follow = dut, follow

    def build(self, m):
        m.submodules.dut = dut = self.dut
        m.d.comb += dut.o.ready.eq(arbitrary(m, 1, name="ready"))
        holds(m, dut.o, name="o")
        if isinstance(dut, PushFifo):
            for n, lane in enumerate(dut.push):
                m.d.comb += [
                    lane.en.eq(arbitrary(m, 1, name=f"en{n}")),
                    lane.data.eq(arbitrary(m, 2, name=f"data{n}")),
                ]
            pushes = [(lane.en, lane.data) for lane in dut.push]
            m.d.comb += Assume(dut.level + sum(en for en, _ in pushes) <= DEPTH)
        else:
            m.d.comb += [
                dut.i.valid.eq(arbitrary(m, 1, name="en")),
                dut.i.payload.eq(arbitrary(m, 2, name="data")),
            ]
            pushes = [(dut.i.valid & dut.i.ready, dut.i.payload)]
        if self.follow:
            self._follow(m, pushes)

    def _follow(self, m, pushes):
        chosen = arbitrary(m, 4, name="chosen", constant=True)
        put, got, kept = Signal(6), Signal(6), Signal(2)
        number = put
        for en, value in pushes:
            with m.If(en & (number == chosen)):
                m.d.sync += kept.eq(value)
            number = number + en
        take = self.dut.o.valid & self.dut.o.ready
        m.d.sync += [put.eq(number), got.eq(got + take)]
        with m.If(take):
            m.d.comb += Assert(got < put)
            with m.If(got == chosen):
                m.d.comb += Assert(self.dut.o.payload == kept)


def make(kind):
    if kind == "small":
        return SmallFifo(shape=2, depth=DEPTH)
    if kind == "stream":
        return StreamFifo(shape=2, depth=DEPTH)
    return PushFifo(shape=2, depth=DEPTH, pushes=int(kind[-1]))


@pytest.mark.parametrize("kind", ["small", "stream", "push1", "push2"])
def test_nothing_is_lost_or_reordered(kind, tmp_path):
    """Bounded: every run of 10 cycles after reset, any pushes and stalls: more than once around the memory."""
    prove(AnyTraffic(make(kind), follow=True), tmp_path, depth=10)


def test_the_proofs_can_fail(tmp_path):
    """A false claim (the FIFO never fills) is refuted: clock, inputs and assertions are really there."""

    class NeverFull(AnyTraffic):
        def build(self, m):
            super().build(m)
            m.d.comb += Assert(self.dut.level != DEPTH)

    prove(NeverFull(make("stream"), follow=False), tmp_path, depth=10, expect="fail")


@pytest.mark.parametrize("kind", ["stream", "push1", "push2"])
def test_stream_rule_forever(kind, tmp_path):
    """Without a bound: the output register holds whatever is pushed."""
    prove(AnyTraffic(make(kind), follow=False), tmp_path, depth=None)
