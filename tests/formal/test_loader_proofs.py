"""Proofs of what tiles and neurons get: runs make up the used rows; nothing is forgotten, read or taken too soon."""

from amaranth import Cat, Mux, Signal, Value
from amaranth.hdl import Assert, Assume
from amaranth.lib import data

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import SOURCES
from reprise.hw.im2col import row_table
from reprise.hw.im2col.row_table import RowTable
from reprise.hw.lib.fifo import SmallFifo
from reprise.hw.loader.row_runs import RowRuns
from reprise.hw.loader.used_rows import UsedRows
from reprise.hw.neurons.integrate import NeuronIntegrate
from reprise.hw.neurons.select import NeuronSelect
from reprise.hw.processor.scoreboard import Scoreboard
from reprise.hw.psum.bank import PsumBank
from reprise.hw.psum.turns import drained_buffer
from tests.formal.sby import Harness, arbitrary, holds, prove

TINY = HardwareConfig.load("tiny").replace(tile_k=4)
MOST = 4  # tiles that are known


class AnySets(Harness):
    """Any sets of rows, one after the other, and any stalls: each run is the lowest one of what is left of its set."""

    def build(self, m):
        m.submodules.dut = dut = RowRuns(TINY)
        bits = TINY.tile_k
        m.d.comb += [
            dut.o.ready.eq(arbitrary(m, 1, name="ready")),
            dut.i.valid.eq(arbitrary(m, 1, name="valid")),
            dut.i.payload.eq(arbitrary(m, bits, name="used")),
        ]
        holds(m, dut.o, name="o")
        run, put, take = dut.o.payload, dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        # What is left of the set whose runs come out, and the set behind it.
        head, following, inside, waited = Signal(bits), Signal(bits), Signal(2), Signal(2)
        mine, rest, pops = Signal(bits), Signal(bits), Signal()
        m.d.comb += [
            mine.eq(((1 << run.rows) - 1) << run.first),
            rest.eq(head & ~mine),
            pops.eq(take & (rest == 0)),
            Assert(inside <= 2),
            Assert(waited <= 1),
        ]
        with m.If(dut.o.valid):
            m.d.comb += [
                Assert(inside != 0),
                Assert(mine & ~head == 0),
                Assert((run.rows == 0) == (head == 0)),
                Assert((head & ((1 << run.first) - 1)) == 0),
                Assert(((head >> run.first) >> run.rows)[0] == 0),
                Assert(run.last == (rest == 0)),
            ]
        m.d.sync += [inside.eq(inside + put - pops), waited.eq(Mux((inside != 0) & ~dut.o.valid, waited + 1, 0))]
        with m.If(take):
            m.d.sync += head.eq(Mux(pops, following, rest))
        with m.If(put):
            with m.If(inside - pops == 0):
                m.d.sync += head.eq(dut.i.payload)
            with m.Else():
                m.d.sync += following.eq(dut.i.payload)


class AnyRows(Harness):
    """Any tiles, whole or not, and any stalls: of each tile that is told something comes out, and of no other one.

    The words themselves come out as they came in, each in the cycle in which it comes if nothing is in its way.
    """

    def build(self, m):
        m.submodules.dut = dut = UsedRows(TINY, most=MOST)
        started = Signal()
        m.d.sync += started.eq(1)
        whole = arbitrary(m, 2, name="whole", constant=True)
        m.d.comb += [
            dut.run.whole_tiles.eq(whole),
            dut.start.eq(~started),
            dut.i.valid.eq(arbitrary(m, 1, name="valid")),
            Assume(started | ~dut.i.valid),
            dut.i.payload.last.eq(arbitrary(m, 1, name="last")),
            dut.o.ready.eq(arbitrary(m, 1, name="o_ready")),
            dut.o_used.ready.eq(arbitrary(m, 1, name="used_ready")),
        ]
        tiles, inside, waited = Signal(2), Signal(range(MOST + 2)), Signal(2)
        ends, told, comes = Signal(), Signal(), Signal()
        taken, held, kept = Signal(), Signal(), Signal()  # of a word that waits: there is one, and it is a tile's last
        m.d.sync += held.eq(dut.o.valid & ~dut.o.ready)
        with m.If(taken):
            m.d.sync += kept.eq(dut.i.payload.last)
        m.d.comb += [
            ends.eq(dut.i.valid & dut.i.ready & dut.i.payload.last),
            told.eq(ends & (tiles == whole)),
            comes.eq(dut.o_used.valid & dut.o_used.ready),
            taken.eq(dut.i.valid & dut.i.ready),
            Assert(dut.o.valid == held | taken),
            Assert(~(held & taken)),
            Assert(~dut.o.valid | (dut.o.payload.last == Mux(held, kept, dut.i.payload.last))),
            Assert(~dut.o_used.valid | (inside != 0)),
            Assert(inside <= MOST),
            Assert(waited < UsedRows.LATENCY),
        ]
        with m.If(ends & (tiles != whole)):
            m.d.sync += tiles.eq(tiles + 1)
        m.d.sync += [inside.eq(inside + told - comes), waited.eq(Mux((inside != 0) & ~dut.o_used.valid, waited + 1, 0))]


def test_runs_make_up_their_set(tmp_path):
    """Without a bound: runs are disjoint, ascending, as long as can be, and leave nothing out."""
    prove(AnySets(), tmp_path, depth=None)


def test_no_tile_is_forgotten(tmp_path):
    """Without a bound: a queue without room would swallow what is known of a tile, whose weights would never come."""
    prove(AnyRows(), tmp_path, depth=None)


class WatchedTable(RowTable):
    """The row table, which asserts that a word that its reader may use is not read while it is written."""

    def _memory(self, m, *args):
        super()._memory(m, *args)
        used = Signal()  # an m tile was ready when the word was named, which is read now
        m.d.sync += used.eq(self.ready)
        for n in range(SOURCES if row_table.DISTRIBUTED else 1):
            memory = getattr(m.submodules, f"memory{n}")
            (write,), (read,) = memory.write_ports, memory.read_ports
            m.d.comb += Assert(~used | ~write.en.any() | (write.addr != read.addr))


class AnyRun(Harness):
    """The row table with one run of any fields, and a reader that names any word of any source and releases at will."""

    def build(self, m):
        c = TINY.replace(tile_m=8, load_rows=4)
        m.submodules.dut = dut = WatchedTable(c)
        run = arbitrary(m, len(dut.run.as_value()), name="run", constant=True)
        begun, starts, releases = Signal(), arbitrary(m, 1, name="starts"), arbitrary(m, 1, name="releases")
        m.d.comb += [dut.run.as_value().eq(run), dut.start.eq(starts & ~begun), dut.release.eq(releases & dut.ready)]
        m.d.comb += [dut.word.eq(arbitrary(m, 1, name="word")), dut.source.eq(arbitrary(m, 1, name="source"))]
        m.d.sync += begun.eq(begun | starts)
        for rows in (dut.run.rows, dut.run.rows_last):
            m.d.comb += Assume((rows > 0) & (rows <= c.tile_m))


def test_no_word_is_read_while_it_is_written(tmp_path, monkeypatch):
    """Without a bound: the memory of the row table has no logic for that, be it one or one for each source."""
    for words in (row_table.DISTRIBUTED, 0):
        monkeypatch.setattr(row_table, "DISTRIBUTED", words)
        prove(AnyRun(), tmp_path, depth=None)


TAKEN = NeuronSelect.LATENCY - 1 + NeuronIntegrate.PLANES
"""Cycles from the one in which a group leaves the neurons' row buffer to that in which its addend is taken."""


class AnyAddends(Harness):
    """Addends come and rows come whenever they like, and there is room in the neurons whenever there likes to be.

    An addend is in the queue when it is taken, and no more are waited for than the queue holds.
    """

    def build(self, m):
        c = HardwareConfig.load("tiny").replace(lanes=2, neuron_lanes=1, max_timesteps=2, addend_groups=8)
        m.submodules.dut = dut = NeuronSelect(c)
        m.submodules.queue = queue = SmallFifo(shape=1, depth=c.addend_groups)
        layer = arbitrary(m, dut.i_layer.shape().size, name="layer", constant=True)
        leaves, some = Signal(TAKEN), Signal()
        count = Signal(range(4 * c.addend_groups))  # of groups whose addend waits and that have not left
        came = queue.i.valid & queue.i.ready
        m.d.comb += [
            Value.cast(dut.i_layer).eq(layer),
            dut.i.valid.eq(arbitrary(m, 1, name="row")),
            Value.cast(dut.i.payload).eq(arbitrary(m, len(Value.cast(dut.i.payload)), name="payload")),
            dut.i_inside.eq(arbitrary(m, dut.i_inside.shape(), name="inside")),
            queue.i.valid.eq(arbitrary(m, 1, name="addend")),
            dut.i_addend.eq(came),
            some.eq(dut.i_layer.addend_bytes != 0),
            queue.o.ready.eq(leaves[-1]),
            Assert(~leaves[-1] | queue.o.valid),
            Assert(count <= c.addend_groups),
        ]
        left = dut.o_issue & some
        m.d.sync += [leaves.eq(Cat(left, leaves)), count.eq(count + came - left)]


def test_an_addend_is_there_when_it_is_taken(tmp_path):
    """Without a bound."""
    prove(AnyAddends(), tmp_path, depth=None)


NARROW = TINY.replace(tile_m=8, narrow_buffers=1)
PLACE = data.StructLayout({"buffer": NARROW.buffer_bits, "narrow": 1})


class AnyTiles(Harness):
    """M tiles of any widths and numbers of K tiles, which are computed and drained at any times.

    It keeps the m tiles that have entered and are not drained, the oldest first.
    """

    def build(self, m):
        c = NARROW
        m.submodules.dut = dut = Scoreboard(c)
        tag, fresh, idle = Signal(3), Signal(init=1), Signal(range(c.groups))
        begin, tile = dut.i_begin, dut.i_begin.payload.tile
        m.d.comb += [
            Value.cast(tile).eq(arbitrary(m, Value.cast(tile).shape(), name="tile")),
            begin.payload.tag.eq(tag),
            begin.valid.eq(arbitrary(m, 1, name="valid")),
            dut.enable.eq(arbitrary(m, 1, name="enable")),
            dut.filled.eq(arbitrary(m, c.weight_tiles, name="filled")),
            Assume(fresh | (tile.idle_groups == idle)),
            Assume(tile.idle_groups < c.groups),
        ]
        for port in (dut.i_end.valid, dut.i_end.payload, dut.claim, dut.take):
            m.d.comb += Value.cast(port).eq(arbitrary(m, Value.cast(port).shape(), name="any"))
        enters = begin.valid & begin.ready
        entered, at = Signal(), Signal()  # the first tile of an m tile, in the cycle before; its parity
        m.d.sync += [entered.eq(enters & fresh), at.eq(tag[0])]
        with m.If(enters):
            m.d.sync += [tag.eq(tag + 1), fresh.eq(tile.last_k), idle.eq(tile.idle_groups)]

        inside = Signal(data.ArrayLayout(PLACE, c.buffers))
        count, settled, ends = Signal(range(c.buffers + 2)), Signal(), Signal()
        head = inside[0]
        groups = Mux(head.narrow, c.narrow_groups, c.groups)
        buffer, _ = drained_buffer(m, c, groups, ends)
        m.d.comb += [
            ends.eq(arbitrary(m, 1, name="ends") & settled & dut.full.bit_select(buffer, 1)),
            dut.drained.eq(ends << buffer),
            Assert(~settled | (buffer == head.buffer)),
            Assert(count <= c.buffers),
        ]
        new, left = Signal(PLACE), Signal.like(count)
        m.d.comb += [
            new.buffer.eq(Mux(at, dut.tiles[1].buffer, dut.tiles[0].buffer)),
            new.narrow.eq(idle >= c.groups - c.narrow_groups),
            left.eq(count - ends),
        ]
        m.d.sync += [count.eq(left + entered), settled.eq((count != 0) & ~ends)]
        for n in range(c.buffers):
            one = inside[n]
            apart = (one.buffer != new.buffer) & ((one.buffer[0] != new.buffer[0]) | (one.narrow & new.narrow))
            m.d.comb += Assert(~entered | (count <= n) | apart)
            following = inside[n + 1] if n + 1 < c.buffers else inside[n]
            with m.If(entered & (left == n)):
                m.d.sync += one.eq(new)
            with m.Elif(ends):
                m.d.sync += one.eq(following)


def test_no_buffer_is_taken_before_it_is_drained(tmp_path):
    """Without a bound."""
    prove(AnyTiles(), tmp_path, depth=None)


class AnyUpdates(Harness):
    """Any updates of one of two banks, and any reads by the drain: a row that is granted holds the sum of its updates.

    One row is followed. As in the processor, it is updated again after three cycles at the earliest, and its buffer is
    either updated or drained.
    """

    def build(self, m):
        c = TINY.replace(tile_m=8, banks=2, lanes=1, neuron_lanes=1, weight_bits=2, psum_bits=6)
        m.submodules.dut = dut = PsumBank(c)
        row, buffer = (arbitrary(m, len(dut.look[n]), name=n, constant=True) for n in ("row", "buffer"))
        for port in (dut.next_slot, dut.drain, dut.clear, dut.operand):
            m.d.comb += Value.cast(port).eq(arbitrary(m, Value.cast(port).shape(), name="any"))
        swept, dirty, total = Signal(), Signal(), Signal(c.psum_bits)
        ports = dut.slot, dut.drain, dut.clear
        beside, _, drained = (one.valid & (one.buffer == buffer) for one in ports)
        update, read, clear = (one.valid & (one.buffer == buffer) & (one.row == row) for one in ports)
        updated, cleared, before = Signal(4), Signal(2), Signal()  # in the cycles before this one
        came, sums = Signal(2), Signal(data.ArrayLayout(c.psum_bits, 2))
        m.d.sync += [dut.slot.eq(dut.next_slot), swept.eq(1), before.eq(drained)]
        m.d.sync += [updated.eq(Cat(update, updated)), cleared.eq(Cat(clear, cleared))]
        m.d.sync += [came.eq(Cat(read & dut.grant & dirty, came)), sums.eq(Cat(total, sums[0]))]
        m.d.comb += [
            *(dut.sweep.en.eq(~swept), dut.groups.eq(-1)),
            Assume(swept | ~(dut.next_slot.valid | dut.drain.valid | dut.clear.valid)),
            Assume(~update | ~(updated[:2].any() | cleared.any())),
            Assume(~read | ((dut.drain.dirty == dirty) & ~(update | updated.any() | cleared.any()))),
            Assume(~(drained | before) | ~(beside | updated.any())),
            Assert(~dut.drain.valid | dut.grant | (dut.slot.valid & dut.drain.dirty)),
            Assert(~came[1] | (dut.o == sums[1])),
        ]
        with m.If(update | clear):
            m.d.sync += dirty.eq(update)
        with m.If(updated[1]):
            m.d.sync += total.eq(total + dut.operand.as_signed())
        with m.If(clear):
            m.d.sync += total.eq(0)


def test_what_is_granted_is_the_sum_of_its_updates(tmp_path):
    prove(AnyUpdates(), tmp_path, depth=14)
