"""Proofs: every write address gets its data, all of it and nothing else, and every answer is waited for.

What is proven is the write master with short queues. Where a proof does not need the words and the closed bursts, their
queues are cut out: whatever they might give is allowed, in any cycle.
"""

from __future__ import annotations

import pytest
from amaranth import Mux, Signal
from amaranth.hdl import Assert

from reprise.hw.axi import write
from reprise.hw.axi.write import WriteMaster
from tests.formal.masters import CONFIG, any_answers, free_inputs, free_stream, keeps
from tests.formal.sby import Harness, arbitrary, prove


class Traffic(Harness):
    """The write master with any words, windows, stalls, halts and answers."""

    def build(self, m):
        m.submodules.dut = dut = WriteMaster(CONFIG)
        free_inputs(m, dut, ("halt", "awready", "wready", "bvalid", "bresp", "window"))
        free_stream(m, dut.i, "i")
        fresh, begun = any_answers(m, dut)
        incomplete = Signal(range(2 * write.OUTSTANDING))  # bursts on the bus whose last data has not been taken
        last = dut.wvalid & dut.wready & dut.wlast
        m.d.sync += incomplete.eq(incomplete + fresh - last)
        self.check(m, dut, fresh, incomplete, begun)


class Beats(Traffic):
    """Any one burst is marked when its address is put on the bus.

    Data is only sent of bursts whose address is on the bus or was. Of the marked burst, in its turn, AWLEN + 1 beats
    are sent, and WLAST comes with the last of them and no other.
    """

    def check(self, m, dut, fresh, incomplete, begun):
        marked, left = Signal(), Signal(8)  # the beats of the marked burst that are still to be sent after the next one
        ahead = Signal.like(incomplete)  # the bursts before the marked one
        sent = dut.wvalid & dut.wready
        mark = fresh & ~marked & arbitrary(m, 1, name="mark")
        turn = marked & (ahead == 0)
        with m.If(mark):
            m.d.sync += [marked.eq(1), left.eq(dut.awlen), ahead.eq(incomplete - (sent & dut.wlast))]
        with m.If(sent & turn):
            m.d.sync += [left.eq(left - 1), marked.eq(~dut.wlast)]
        with m.If(sent & marked & dut.wlast & ~turn):
            m.d.sync += ahead.eq(ahead - 1)
        with m.If(dut.wvalid):
            m.d.comb += Assert(incomplete != 0)
            with m.If(turn):
                m.d.comb += Assert(dut.wlast == (left == 0))
        keeps(m, "w", dut.wvalid, dut.wready, dut.wlast)


class Answers(Traffic):
    """The bus is called quiet only when each burst was answered, and at most OUTSTANDING of them wait for that."""

    def check(self, m, dut, fresh, incomplete, begun):
        m.d.comb += [
            Assert(~dut.quiet | (~dut.awvalid & ~dut.wvalid & (begun == 0) & (incomplete == 0))),
            Assert(~dut.idle | dut.quiet),
            Assert(begun + fresh <= write.OUTSTANDING),
        ]


class Progress(Traffic):
    """Data never lets the bus wait: at most ``cycles`` cycles pass without a beat while some burst lacks data.

    So every address gets its data, if the slave takes it.
    """

    cycles = 1

    def check(self, m, dut, fresh, incomplete, begun):
        waited = Signal(4)
        m.d.sync += waited.eq(Mux((incomplete != 0) & ~dut.wvalid, waited + 1, 0))
        m.d.comb += Assert(waited <= self.cycles)


@pytest.mark.parametrize("harness", [Beats, Answers], ids=lambda h: h.__name__.lower())
def test_every_address_gets_its_data(harness, short, cut, tmp_path):
    """Without a bound, whatever words come and bursts close."""
    prove(harness(), tmp_path, depth=None)


def test_data_never_waits(short, tmp_path):
    """For 14 cycles of any words: all data of a burst is there when its address goes out."""
    prove(Progress(), tmp_path, depth=14)


def test_the_proofs_can_fail(short, tmp_path):
    """A false claim is refuted: data comes a cycle after its address at the earliest."""
    harness = Progress()
    harness.cycles = 0
    prove(harness, tmp_path, depth=14, expect="fail")
