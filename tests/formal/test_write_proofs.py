"""Proofs: every write address gets its data, all of it and nothing else, and every answer is waited for.

Over sequencer and bus masters together: while no job is in progress nothing moves on the bus.

What is proven is the write master with short queues. Where a proof does not need the words and the closed bursts, their
queues are cut out: whatever they might give is allowed, in any cycle.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import pytest
from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert, Assume

from reprise.hw.axi import write
from reprise.hw.axi.read import ReadArbiter
from reprise.hw.axi.write import WriteMaster
from reprise.hw.lib.resets import BlockResets
from reprise.hw.sequencer.sequencer import RESET_CYCLES, Sequencer
from tests.formal.masters import CONFIG, READERS, any_answers, free_inputs, free_stream, keeps
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


class AfterDone(Harness):
    """Sequencer, write master and read arbiter, wired as the accelerator wires them; all else may do anything.

    Assumed: a job ends with its result (END) only while no burst is under way or wanted; answers come after what they
    answer (A3.3.1); the bus answers within the sequencer's time after an error, since it is given up otherwise, and
    ``bus_hung`` says so. The bench asserts the first two in every co-simulation (cosim/bench/rtl/system_tb.sv).
    """

    def build(self, m):
        m.submodules.sequencer = sequencer = Sequencer(CONFIG, drain_cycles=RESET_CYCLES + 4)
        path = Module()
        path.submodules.writes = writes = WriteMaster(CONFIG)
        path.submodules.reads = reads = ReadArbiter(CONFIG, READERS)
        m.submodules.path = BlockResets(path, sequencer.reset)
        clear, outside = arbitrary(m, 1, name="clear"), arbitrary(m, 1, name="outside")
        m.d.comb += [
            writes.halt.eq(sequencer.halt),
            reads.halt.eq(sequencer.halt),
            sequencer.bus_quiet.eq(reads.idle & writes.quiet & ~clear),
            sequencer.read_error.eq(reads.error),
            sequencer.write_error.eq(writes.error),
            sequencer.write_outside.eq(writes.outside),
            sequencer.read_outside.eq(reads.outside.any() & outside),
        ]
        free_inputs(
            m, sequencer,
            ("start", "stop", "bad_start", "watchdog", "progress", "finished", "command_error", "command_code", "taken",
             "bad_data", "unloaded"),
        )  # fmt: skip
        free_inputs(m, writes, ("awready", "wready", "bvalid", "bresp", "window"))
        free_inputs(m, reads, ("hold", "arready", "rvalid", "rlast", "rresp"))
        free_stream(m, writes.i, "i")
        for n, burst in enumerate(reads.i_burst):
            free_stream(m, burst, f"burst{n}")
        any_answers(m, writes)
        wanted = reduce(or_, (burst.valid for burst in reads.i_burst), writes.i.valid)
        ends = sequencer.enable & sequencer.finished
        m.d.comb += [Assume(~ends | (~wanted & reads.idle & writes.idle)), Assume(~sequencer.bus_hung)]
        self.check(m, sequencer, reads, writes)

    def check(self, m, sequencer, reads, writes):
        read, written = reads.arvalid | (reads.rvalid & reads.rready), writes.awvalid | writes.wvalid | writes.bvalid
        m.d.comb += Assert(sequencer.busy | ~(read | written))


def test_nothing_moves_without_a_job(short, cut, tmp_path):
    """Without a bound: from ``done`` (and from reset) to the next start there is no handshake, and no valid."""
    prove(AfterDone(), tmp_path, depth=None)


def test_the_proof_of_jobs_can_fail(short, cut, tmp_path):
    """A false claim is refuted: jobs do end with an error while answers of their writes have come."""

    class NoErrorAfterAnswers(AfterDone):
        def check(self, m, sequencer, reads, writes):
            answered = Signal()
            m.d.sync += answered.eq(answered | (writes.bvalid & writes.bready & (sequencer.code == 0)))
            m.d.comb += Assert(~(answered & sequencer.done))

    prove(NoErrorAfterAnswers(), tmp_path, depth=40, expect="fail")
