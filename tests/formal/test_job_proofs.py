"""Proof over sequencer and bus masters together: while no job is in progress nothing moves on the bus."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Module, ResetInserter, Signal
from amaranth.hdl import Assert, Assume

from reprise.hw.axi.read import ReadArbiter
from reprise.hw.axi.write import WriteMaster
from reprise.hw.sequencer.sequencer import RESET_CYCLES, Sequencer
from tests.formal.masters import CONFIG, READERS, any_answers, free_inputs, free_stream
from tests.formal.sby import Harness, arbitrary, prove


class AfterDone(Harness):
    """Sequencer, write master and read arbiter, wired as the accelerator wires them; all else may do anything.

    Assumed: a job ends with its result (END) only while no burst is under way or wanted; answers come after what they
    answer (A3.3.1); the bus answers within the sequencer's time after an error, since it is given up otherwise, and
    ``bus_hung`` says so. The bench asserts the first two in every co-simulation (cosim/bench/rtl/system_tb.sv).
    """

    def build(self, m):
        m.submodules.sequencer = sequencer = Sequencer(CONFIG, drain_cycles=RESET_CYCLES + 4)
        data_reset = Signal()
        m.d.sync += data_reset.eq(sequencer.reset)
        path = Module()
        path.submodules.writes = writes = WriteMaster(CONFIG)
        path.submodules.reads = reads = ReadArbiter(CONFIG, READERS)
        m.submodules.path = ResetInserter(data_reset)(path)
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
        free_inputs(m, reads, ("hold", "arready", "rvalid", "rlast", "rresp", "window"))
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


def test_the_proof_can_fail(short, cut, tmp_path):
    """A false claim is refuted: jobs do end with an error while answers of their writes have come."""

    class NoErrorAfterAnswers(AfterDone):
        def check(self, m, sequencer, reads, writes):
            answered = Signal()
            m.d.sync += answered.eq(answered | (writes.bvalid & writes.bready & (sequencer.code == 0)))
            m.d.comb += Assert(~(answered & sequencer.done))

    prove(NoErrorAfterAnswers(), tmp_path, depth=40, expect="fail")
