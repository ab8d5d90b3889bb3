"""Proofs: FIFOs and the skid buffer keep the stream rule and lose, repeat or reorder nothing.

And what counts the items of a stream, a pool whose windows overlap, ends its windows where they should end.
"""

import pytest
from amaranth import Mux, Signal
from amaranth.hdl import Assert, Assume

from reprise.hw.lib.fifo import PushFifo, SmallFifo, StreamFifo
from reprise.hw.lib.skid import SkidBuffer
from reprise.hw.output.line_pool import WindowPhase
from tests.formal.sby import Harness, arbitrary, holds, prove

DEPTH = 4  # items in memory


class AnyTraffic(Harness):
    """A FIFO with arbitrary input and stalls; any one item is followed through it."""

    def __init__(self, dut, *, follow, passes=False):
        super().__init__()
        self.dut, self.follow, self.passes = dut, follow, passes

    def build(self, m):
        m.submodules.dut = dut = self.dut
        m.d.comb += dut.o.ready.eq(arbitrary(m, 1, name="ready"))
        holds(m, dut.o, name="o")
        if isinstance(dut, StreamFifo):
            m.d.comb += Assert(~dut.o.valid | (dut.level != 0))
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
            begun = Signal()  # pointers of parts differ in the first cycle: nothing may come then
            m.d.sync += begun.eq(1)
            m.d.comb += Assume(begun | ~dut.i.valid)
            pushes = [(dut.i.valid & dut.i.ready, dut.i.payload)]
        if self.follow:
            self._follow(m, pushes)

    def _follow(self, m, pushes):
        """Any one item is marked as it is pushed: it comes out behind those that were inside, unchanged and in time."""
        inside, ahead, waited = Signal(5), Signal(5), Signal(3)
        marked, kept = Signal(), Signal(2)
        take = self.dut.o.valid & self.dut.o.ready
        # What holds with the pushes of this cycle: items inside, and those in front of the marked one.
        count, value, before, some = inside, kept, ahead, marked
        for n, (en, pushed) in enumerate(pushes):
            mark = en & ~some & arbitrary(m, 1, name=f"mark{n}")
            value, before, some = Mux(mark, pushed, value), Mux(mark, count, before), some | mark
            count = count + en
        m.d.sync += [
            inside.eq(count - take),
            kept.eq(value),
            marked.eq(some & ~(take & (before == 0))),
            ahead.eq(before - (take & (before != 0))),
            waited.eq(Mux((inside != 0) & ~self.dut.o.valid, waited + 1, 0)),
        ]
        m.d.comb += [Assert(inside <= DEPTH + 2), Assert(waited <= 2)]
        with m.If(take):  # some kinds offer an item in the cycle in which it comes
            m.d.comb += Assert((count if self.passes else inside) != 0)
            with m.If((some if self.passes else marked) & (before == 0)):
                m.d.comb += Assert(self.dut.o.payload == value)


KINDS = {
    "stream2": lambda: StreamFifo(shape=2, depth=DEPTH, latency=2),
    "stream3": lambda: StreamFifo(shape=2, depth=DEPTH, latency=3),
    "small0": lambda: SmallFifo(shape=2, depth=DEPTH, latency=0),
    "small1": lambda: SmallFifo(shape=2, depth=DEPTH, latency=1),
    "cut": lambda: SmallFifo(shape=2, depth=DEPTH, cut=2),
    "push1": lambda: PushFifo(shape=2, depth=DEPTH, pushes=1),
    "push2": lambda: PushFifo(shape=2, depth=DEPTH, pushes=2),
    "skid": lambda: SkidBuffer(shape=2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_or_reordered(kind, tmp_path):
    """Without a bound: any pushes and stalls, from reset on for ever."""
    prove(AnyTraffic(KINDS[kind](), follow=True, passes=kind in ("small0", "skid")), tmp_path, depth=None)


def test_the_proofs_can_fail(tmp_path):
    """A false claim (the FIFO never fills) is refuted: clock, inputs and assertions are really there."""

    class NeverFull(AnyTraffic):
        def build(self, m):
            super().build(m)
            m.d.comb += Assert(self.dut.level != DEPTH)

    prove(NeverFull(KINDS["stream2"](), follow=False), tmp_path, depth=10, expect="fail")


@pytest.mark.parametrize("kind", KINDS)
def test_stream_rule_forever(kind, tmp_path):
    """Without a bound: the output register holds whatever is pushed."""
    prove(AnyTraffic(KINDS[kind](), follow=False), tmp_path, depth=None)


class AnyAxis(Harness):
    """Axes of one length follow each other, whose positions come whenever they like."""

    def build(self, m):
        m.submodules.dut = dut = WindowPhase()
        count, odd = arbitrary(m, 15, name="count", constant=True), arbitrary(m, 1, name="odd", constant=True)
        halo, ready = arbitrary(m, 1, name="halo", constant=True), arbitrary(m, 1, name="ready", constant=True)
        begun, position, steps = Signal(), Signal(17), arbitrary(m, 1, name="steps")
        total = Signal(17)
        m.d.comb += [
            Assume((count != 0) & ~(halo & ready)),
            total.eq((count << 1) + halo - odd),
            dut.i_start.eq(~begun),
            dut.i_step.eq(steps & begun),
            dut.i_count.eq(count),
            dut.i_halo.eq(halo),
            dut.i_odd.eq(odd),
            dut.i_ready.eq(ready),
        ]
        last, ends = Signal(), Signal()
        given = Signal(17)  # the windows that ended before this position
        m.d.comb += [
            last.eq(position == total - 1),
            ends.eq(position[0] ^ halo),
            given.eq(((position + halo) >> 1) - (halo & (position != 0))),
        ]
        with m.If(begun):
            m.d.comb += [
                Assert(dut.o_end == last),
                Assert(dut.o_gives == ((ends & (position != 0)) | (odd & last))),
                Assert(dut.o_fresh == (dut.o_first | ends)),
                Assert((position == 0) | ~dut.o_first),
                Assert(ready | (dut.o_first == (position == 0))),
                Assert(position < total),
                Assert(dut.left == (count - given)[:16]),
                Assert(dut.ends == ends),
            ]
        m.d.sync += begun.eq(1)
        with m.If(dut.i_step):
            m.d.sync += position.eq(position + 1)
            with m.If(last):
                m.d.sync += position.eq(0)


def test_windows_end_where_they_should(tmp_path):
    """Without a bound: for every number of windows, with and without a halo and a last window of two positions."""
    prove(AnyAxis(), tmp_path, depth=3, induction=True)
