"""Proofs: FIFOs and the skid buffer keep the stream rule and lose, repeat or reorder nothing.

And what counts the items of a stream, a pool whose windows overlap, ends its windows where they should end; a join adds
the levels of its map.
"""

import pytest
from amaranth import Mux, Signal, Value
from amaranth.hdl import Assert, Assume

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.lib.fifo import PushFifo, SmallFifo, StreamFifo
from reprise.hw.lib.skid import SkidBuffer
from reprise.hw.output.joins.loader import JoinLoader
from reprise.hw.output.joins.sum import LevelSum
from reprise.hw.output.line_pool import WindowPhase
from tests.formal.sby import Harness, arbitrary, holds, prove

DEPTH = 4  # items in memory
JOINS = HardwareConfig.load("tiny").replace(lanes=64, neuron_lanes=32, max_levels=3, joins=1)


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


class AnySums(Harness):
    """Fired and stored levels come whenever they like: each group is added to the stored one of the same number."""

    def build(self, m):
        c = JOINS
        m.submodules.dut = dut = LevelSum(c)
        adds, top = arbitrary(m, 1, name="adds", constant=True), arbitrary(m, c.level_bits, name="top", constant=True)
        m.d.comb += [dut.i_adds.eq(adds), dut.i_levels.eq(top), dut.o.ready.eq(arbitrary(m, 1, name="ready"))]
        for name, source in (("fired", dut.i), ("stored", dut.i_stored)):
            payload = Value.cast(source.payload)
            m.d.comb += [
                payload.eq(arbitrary(m, len(payload), name=name)),
                source.valid.eq(arbitrary(m, 1, name=f"{name}_valid")),
            ]
            waits, before = Signal(name=f"{name}_waits"), Signal.like(payload, name=f"{name}_before")
            m.d.sync += [waits.eq(source.valid & ~source.ready), before.eq(payload)]
            m.d.comb += Assume(~waits | (source.valid & (payload == before)))
        holds(m, dut.o, name="o")
        fired, stored, given = (one.valid & one.ready for one in (dut.i, dut.i_stored, dut.o))
        m.d.comb += [Assert(fired == given), Assert(stored == (given & adds))]
        m.d.comb += Assert(dut.o.valid == (dut.i.valid & (~adds | dut.i_stored.valid)))
        for n, level in enumerate(dut.o.payload.level):
            own, total = dut.i.payload.level[n], Signal(c.level_bits + 1, name=f"total{n}")
            m.d.comb += total.eq(own + dut.i_stored.payload[n])
            m.d.comb += Assert(~dut.o.valid | (level == Mux(~adds, own, Mux(total < top, total, top))))


def test_each_group_is_added_to_the_stored_one_of_its_number(tmp_path):
    """Without a bound."""
    prove(AnySums(), tmp_path, depth=None)


MAPS = {
    "two planes": {"join_planes": 2, "channels": 25, "out_width": 3},
    "groups": {"channels": 40, "out_width": 2, "out_lines": 2},
    "timesteps": {"channels": 32, "out_width": 2, "timesteps": 2, "images": 2},
}
"""Maps that a join reads; of what isn't named there is one. Chunks end with a word, or reach into the next one."""


class AnyMemory(Harness):
    """The join loader with a map in a memory of which any one bit is set, with any stalls.

    Of each level that comes out a plane is set if and only if the place of that plane in the map is that of the bit.
    """

    def __init__(self, fields):
        super().__init__()
        self.word = JOINS.bus_bits // 8
        self.sizes = dict.fromkeys(("images", "out_lines", "out_width", "timesteps", "join_planes"), 1) | fields
        groups = -(-self.sizes["channels"] // JOINS.neuron_lanes)
        self.run = self.sizes | {"groups": groups, "join": -3}
        self.run |= {"output": 64 * self.word, "join_image": 40 * self.word, "line_bytes": 2 * self.word}

    def build(self, m):
        m.submodules.dut = dut = JoinLoader(JOINS)
        m.d.comb += [dut.run[name].eq(value) for name, value in self.run.items()]
        begun = Signal()
        m.d.sync += begun.eq(1)
        m.d.comb += dut.i_start.eq(~begun)
        at, bit = arbitrary(m, 8, name="at", constant=True), arbitrary(m, 6, name="bit", constant=True)
        m.submodules.memory = memory = SmallFifo(shape=1, depth=DEPTH)
        asks, comes = arbitrary(m, 1, name="asks"), arbitrary(m, 1, name="comes")
        m.d.comb += [
            memory.i.valid.eq(dut.o_request.valid & asks),
            dut.o_request.ready.eq(memory.i.ready & asks),
            memory.i.payload.eq(dut.o_request.payload.address == at * self.word),
            dut.i.valid.eq(memory.o.valid & comes),
            memory.o.ready.eq(dut.i.ready & comes),
            dut.i.payload.eq(memory.o.payload << bit),
            dut.o.ready.eq(arbitrary(m, 1, name="ready")),
            Assert(~dut.o_request.valid | (dut.o_request.payload.beats == 1)),
        ]
        self._check(m, dut, at, bit)

    def _check(self, m, dut, at, bit):
        """Count the groups that come out, and compute the place of any lane's bits from the counts."""
        run, word = self.run, self.word
        image, y, x, t, group = counts = [Signal(4, name=name) for name in ("image", "y", "x", "t", "group")]
        sizes = [run[name] for name in ("images", "out_lines", "out_width", "timesteps", "groups")]
        over, step = Signal(), dut.o.valid & dut.o.ready
        m.d.comb += Assert(~dut.o.valid | ~over)
        for count, size in zip(counts[::-1], sizes[::-1], strict=True):
            last = count + 1 == size
            with m.If(step):
                m.d.sync += count.eq(Mux(last, 0, count + 1))
            step = step & last
        with m.If(step):
            m.d.sync += over.eq(1)
        lane = arbitrary(m, range(JOINS.neuron_lanes), name="lane", constant=True)
        channel, first, place = group * JOINS.neuron_lanes + lane, Signal(8), Signal(8)
        m.d.comb += [
            place.eq(x * run["channels"] + channel),
            first.eq(run["output"] // word + run["join"] + image * (run["join_image"] // word) + (place >> 6)),
        ]
        for p in range(run["join_planes"]):
            line = (y * run["timesteps"] + t) * run["join_planes"] + p
            here = ((first + line * (run["line_bytes"] // word))[:8] == at) & (place[:6] == bit)
            with m.If(dut.o.valid & (channel < run["channels"])):
                m.d.comb += Assert(dut.o.payload[lane][p] == here)


@pytest.mark.parametrize("name", MAPS)
def test_a_join_reads_the_levels_of_its_map(name, tmp_path):
    """As far as they are read within so many cycles."""
    prove(AnyMemory(MAPS[name]), tmp_path, depth=14)
