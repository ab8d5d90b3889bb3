"""Proofs: no address leaves its window, and nothing begins without a job, on the modules that the accelerator has."""

from __future__ import annotations

import pytest
from amaranth import Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import data

from reprise.hw.arch.config import clog2
from reprise.hw.axi import read, write
from reprise.hw.axi.read import ReadArbiter
from reprise.hw.axi.write import WriteMaster
from reprise.hw.interface.memory import BURST_BEATS, window
from reprise.hw.sequencer.sequencer import RESET_CYCLES, Sequencer
from tests.formal.masters import CONFIG, READERS, free_inputs, free_stream, keeps
from tests.formal.sby import Harness, arbitrary, prove

SHIFT = clog2(CONFIG.bus_bits // 8)


def leaves(window, address, length):
    """Whether a burst of ``length + 1`` words from a byte address leaves a window, by the definition."""
    first = address >> SHIFT
    return ~window.open | (first < window.first) | (first + length > window.last)


class Writes(Harness):
    """The write master with any words, stalls, answers and halts; one window for all time.

    No address of a burst that stays in its group of BURST_BEATS words leaves the window, and no burst leaves its group.
    """

    def __init__(self, groups=False):
        super().__init__()
        self.groups = groups

    def build(self, m):
        m.submodules.dut = dut = WriteMaster(CONFIG)
        free_inputs(m, dut, ("halt", "awready", "wready", "bvalid", "bresp"), window=1)
        free_stream(m, dut.i, "i")
        began, halted = Signal(), Signal()
        m.d.sync += [began.eq(dut.awvalid & ~dut.awready), halted.eq(dut.halt)]
        stays = (dut.awaddr >> SHIFT)[: clog2(BURST_BEATS)] + dut.awlen < BURST_BEATS
        with m.If(dut.awvalid):
            m.d.comb += Assert(stays if self.groups else ~stays | ~leaves(dut.window, dut.awaddr, dut.awlen))
        with m.If(halted & ~began):
            m.d.comb += Assert(~dut.awvalid)
        if not self.groups:
            keeps(m, "aw", dut.awvalid, dut.awready, dut.awaddr, dut.awlen)


class Reads(Harness):
    """The read arbiter with any bursts that a burst reader makes, any stalls, holds, halts and answers.

    :class:`Bursts` proves what is assumed of these bursts.
    """

    def build(self, m):
        m.submodules.dut = dut = ReadArbiter(CONFIG, READERS)
        free_inputs(m, dut, ("halt", "hold", "arready", "rvalid", "rlast", "rresp"))
        allowed = Signal(window(CONFIG))
        m.d.comb += allowed.eq(arbitrary(m, allowed.shape().size, name="window", constant=True))
        for n, burst in enumerate(dut.i_burst):
            payload, place = burst.payload, clog2(BURST_BEATS)
            m.d.comb += [
                burst.valid.eq(arbitrary(m, 1, name=f"valid{n}")),
                payload.eq(arbitrary(m, payload.shape().size, name=f"payload{n}")),
                Assume((payload.beats != 0) & ((payload.address >> SHIFT)[:place] + payload.beats <= BURST_BEATS)),
                Assume(payload.address[:SHIFT] == 0),
                Assume(payload.inside == ~leaves(allowed, payload.address, payload.beats - 1)),
            ]
        began, halted = Signal(), Signal()
        m.d.sync += [began.eq(dut.arvalid & ~dut.arready), halted.eq(dut.halt)]
        with m.If(dut.arvalid):
            m.d.comb += [
                Assert(~leaves(allowed, dut.araddr, dut.arlen)),
                Assert((dut.araddr >> SHIFT)[: clog2(BURST_BEATS)] + dut.arlen < BURST_BEATS),
            ]
        with m.If(halted & ~began):
            m.d.comb += Assert(~dut.arvalid)
        keeps(m, "ar", dut.arvalid, dut.arready, dut.araddr, dut.arlen)


class Bursts(Harness):
    """A burst reader with any requests, grants, stalls and answers.

    Its bursts make up each request, in order. Each stays in its group of BURST_BEATS words and is as long as it can be,
    and each says rightly whether it lies in the window, which is one for all time. No more words are asked for than the
    buffer has room for.
    """

    def build(self, m):
        m.submodules.dut = dut = read.BurstReader(CONFIG, depth=2 * read.BURST_BEATS)
        asked, burst, group = dut.i.payload, dut.o_burst.payload, read.BURST_BEATS
        free_stream(m, dut.i, "i")
        free_inputs(m, dut, (), window=1)
        m.d.comb += [dut.o.ready.eq(arbitrary(m, 1, name="ready")), dut.o_burst.ready.eq(arbitrary(m, 1, name="grant"))]
        m.d.comb += Assume((asked.address < 1 << SHIFT + 4) & (asked.address[:SHIFT] == 0) & (asked.beats < 8))
        # What is left of the request whose bursts come out, and the request behind it.
        word, left, next_word, next_left = Signal(5), Signal(4), Signal(5), Signal(4)
        put, take = dut.i.valid & dut.i.ready, dut.o_burst.valid & dut.o_burst.ready
        rest, stands = Signal(4), Signal()
        m.d.comb += rest.eq(Mux(take, left - burst.beats, left))
        m.d.sync += [left.eq(rest), word.eq(Mux(take, word + burst.beats, word))]
        with m.If((rest == 0) & (stands | put)):
            m.d.sync += [word.eq(Mux(stands, next_word, asked.address >> SHIFT)), stands.eq(stands & put)]
            m.d.sync += left.eq(Mux(stands, next_left, asked.beats))
        with m.Elif(put):
            m.d.sync += stands.eq(1)
        with m.If(put):
            m.d.sync += [next_word.eq(asked.address >> SHIFT), next_left.eq(asked.beats)]
        room = group - word % group
        with m.If(dut.o_burst.valid):
            m.d.comb += [Assert(burst.address == word << SHIFT), Assert(burst.beats == Mux(left < room, left, room))]
            m.d.comb += Assert(burst.beats != 0)
            m.d.comb += Assert(burst.inside == ~leaves(dut.window, burst.address, burst.beats - 1))
        under_way, inside = Signal(4), Signal(4)
        comes = dut.i_data.valid
        m.d.comb += comes.eq(arbitrary(m, 1, name="comes") & (under_way != 0))
        m.d.sync += under_way.eq(under_way + Mux(take, burst.beats, 0) - comes)
        m.d.sync += inside.eq(inside + comes - (dut.o.valid & dut.o.ready))
        m.d.comb += Assert(under_way + inside <= dut.depth)


class Jobs(Harness):
    """The sequencer with any host, any data path and any bus."""

    def build(self, m):
        m.submodules.dut = dut = Sequencer(CONFIG, drain_cycles=RESET_CYCLES + 4)
        outs = ("begin", "enable", "halt", "reset", "busy", "done", "bus_hung", "started", "code", "index")
        free_inputs(m, dut, (name for name in dut.signature.members if name not in outs))
        was_busy, was_done, was_reset, quiet, started, stopped = (Signal(name=f"was{n}") for n in range(6))
        waited = Signal(range(RESET_CYCLES + 8))
        m.d.sync += [was_busy.eq(dut.busy), was_done.eq(dut.done), was_reset.eq(dut.reset), quiet.eq(dut.bus_quiet)]
        m.d.sync += [started.eq(dut.started), stopped.eq(dut.started & dut.stop)]
        halting = dut.halt & ~dut.reset
        m.d.sync += waited.eq(waited + 1)
        with m.If(~halting):
            m.d.sync += waited.eq(0)
        m.d.comb += [
            Assert(dut.busy | dut.halt),  # nothing begins without a job
            Assert(~dut.enable | (dut.busy & ~dut.reset & ~dut.halt)),
            Assert(~dut.begin | dut.busy),
            Assert(~(dut.started & dut.busy)),
            Assert(~dut.done | (was_busy & ~dut.busy)),  # a job ends once
            Assert(~(dut.done & was_done)),
            Assert(was_busy | ~dut.busy | started),  # and only a start begins one
        ]
        with m.If(dut.reset & ~was_reset):  # no reset cuts a burst, except where the bus never answers
            m.d.comb += Assert(quiet | dut.bus_hung)
        runs = Signal()  # a job that was started together with a stop issues nothing
        m.d.sync += runs.eq((runs & dut.busy) | stopped)
        issued = Signal(2)
        with m.If(started):
            m.d.sync += issued.eq(0)
        with m.Elif(dut.enable & ~issued.all()):
            m.d.sync += issued.eq(issued + 1)
        m.d.comb += Assert(~(runs & (issued > 1)))


@pytest.mark.parametrize("harness", [Writes, Reads], ids=lambda h: h.__name__.lower())
def test_windows_hold_forever(harness, tmp_path):
    """Without a bound, from reset on: no address leaves its window, none begins after a halt, each waits for ready."""
    prove(harness(), tmp_path, depth=2, induction=True)


def test_bursts_end_at_their_group(tmp_path, monkeypatch):
    """Without a bound: no burst spans a multiple of BURST_BEATS words (with two bursts under way and four words)."""
    for name, value in {"OUTSTANDING": 2, "QUEUE_WORDS": 4, "CLOSE_AFTER": 1}.items():
        monkeypatch.setattr(write, name, value)
    prove(Writes(groups=True), tmp_path, depth=None)


def test_bursts_make_up_their_request(tmp_path, monkeypatch):
    """Without a bound: what a burst reader asks for is what it was asked for (in bursts of two words)."""
    for name, value in {"BURST_BEATS": 2, "LENGTH_BITS": 3, "ADDRESS_BITS": SHIFT + 5}.items():
        monkeypatch.setattr(read, name, value)
    monkeypatch.setattr(read, "BURST", data.StructLayout({"address": SHIFT + 5, "beats": range(3), "inside": 1}))
    prove(Bursts(), tmp_path, depth=None)


def test_jobs_forever(tmp_path):
    """Without a bound: nothing begins without a job, no reset cuts a burst, a job ends once."""
    prove(Jobs(), tmp_path, depth=None)


def test_the_proofs_can_fail(tmp_path):
    """False claims are refuted: writes do leave the half of their window, and reads do begin."""

    class Half(Writes):
        def build(self, m):
            super().build(m)
            dut = m.submodules.dut
            m.d.comb += Assert(~dut.awvalid)

    prove(Half(), tmp_path, depth=30, expect="fail")
