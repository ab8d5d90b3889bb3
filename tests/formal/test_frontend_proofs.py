"""Proofs for every tile of a small size: the output is a permutation, a prefix is the best and before its users."""

import pytest
from amaranth import Array, C, Mux, Signal, Value
from amaranth.hdl import Assert, Assume

from reprise.hw.detector.dispatcher import Dispatcher
from reprise.hw.interface.row_order import bank_of
from reprise.hw.sorter.class_walker import ClassChooser, WordWalker
from reprise.hw.sorter.row_memory import RowMemory
from reprise.hw.sorter.row_picker import RowPicker
from reprise.hw.sorter.sorter import Sorter
from tests.formal.any_rows import AnyModes, AnyRows, tiny
from tests.formal.sby import Harness, arbitrary, holds, prove


def some_rows(m, c):
    """8 rows, of which 3 are arbitrary in 3 bits and the others zero."""
    return [arbitrary(m, 3, name=f"row{r}", constant=True) if r % 3 == 1 else C(0, 3) for r in range(c.tile_m)]


def send(m, c, rows, i):
    """Offer the tile's beats, once."""
    beat = Signal(range(c.tile_beats + 1))
    m.d.comb += [i.valid.eq(beat != c.tile_beats), i.payload.last.eq(beat == c.tile_beats - 1)]
    for r, row in enumerate(i.payload.rows):
        m.d.comb += row.eq(
            Array(rows[n * c.load_rows + r] for n in range(c.tile_beats))[
                beat[: max(1, (c.tile_beats - 1).bit_length())]
            ]
        )
    m.d.sync += beat.eq(beat + (i.valid & i.ready))


class AnyTile(Harness):
    """The sorter with one arbitrary tile.

    Every non-zero row comes out exactly once, with its own pattern, no row before one of fewer bits or an
    equal one of lower index; all of them within ``cycles`` cycles. So a prefix (fewer bits, or equal and of lower
    index) comes before its users, and the queues behind keep the order (see test_stream_proofs).
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        # The last beat is taken in cycle ``words``; three rows, one per cycle (in three visits, with two queries: two
        # groups, the first a cycle late); noted.
        self.cycles = config.tile_beats + Sorter.LATENCY + 2 + 1

    def build(self, m):
        c = self.config
        m.submodules.sorter = sorter = Sorter(c)
        rows = some_rows(m, c)
        send(m, c, rows, sorter.i)
        m.d.comb += sorter.o.ready.eq(1)
        self._check(m, rows, sorter.o)

    def _check(self, m, rows, output):
        c = self.config
        cycle, mask = Signal(8), Signal(c.tile_m)
        seen, key = mask, Signal(8)  # rows that came; popcount and index of the last
        before = key
        for lane, row in enumerate(output.payload.rows):
            here = output.valid & output.payload.valid[lane]
            own, after = Signal(c.tile_m, name=f"own{lane}"), Signal(8, name=f"key{lane}")
            count = sum(row.row[b] for b in range(c.tile_k))
            m.d.comb += [own.eq(Mux(here, 1 << row.index, 0)), after.eq(Mux(here, (count << 4) + row.index, before))]
            with m.If(here):
                m.d.comb += [
                    Assert((seen & own) == 0),
                    Assert(Array(rows)[row.index] == row.row),
                    Assert(after > before),
                ]
            seen, before = seen | own, after
        m.d.sync += [cycle.eq(cycle + 1), mask.eq(seen), key.eq(before)]
        with m.If(cycle == self.cycles):
            m.d.comb += [Assert(mask[r] == (row != 0)) for r, row in enumerate(rows)]


@pytest.mark.parametrize("load_rows", [8, 4, 2])
@pytest.mark.parametrize("queries", [1, 2])
def test_sorting_is_a_permutation(queries, load_rows, tmp_path):
    harness = AnyTile(tiny(queries, load_rows=load_rows))
    prove(harness, tmp_path, depth=harness.cycles + 1)


def test_the_sorting_proof_can_fail(tmp_path):
    """One cycle too few: some tile is not finished."""
    harness = AnyTile(tiny(1))
    harness.cycles -= 1
    prove(harness, tmp_path, depth=harness.cycles + 1, expect="fail")


@pytest.mark.parametrize(("queries", "one_bit_matches"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_prefixes_are_the_best(queries, one_bit_matches, tmp_path):
    """Bounded: four groups, or three of two rows, and up to two cycles in which there is no room."""
    prove(AnyRows(tiny(queries, one_bit_matches=one_bit_matches)), tmp_path, depth=13 - queries)


def test_modes_take_what_they_say(tmp_path):
    """Bounded: three groups, and up to two cycles in which there is no room."""
    harness = AnyModes(tiny(1, modes=1))
    harness.groups = 3
    prove(harness, tmp_path, depth=11)


@pytest.mark.parametrize("one_bit_matches", [0, 1])
def test_the_proof_of_prefixes_can_fail(one_bit_matches, tmp_path):
    harness = AnyRows(tiny(1, one_bit_matches=one_bit_matches))
    harness.fewest = 3 - harness.fewest  # the other rule
    prove(harness, tmp_path, depth=12, expect="fail")


class AnyGroups(Harness):
    """The dispatcher with any groups of any tiles, where it has room, and any stalls of its outputs.

    Every output keeps the stream rule. A row is offered only when its tile's begin is or was. The queue of ``bank``
    (None: compute rows) gives exactly its rows, in the order in which they came, with their tile's tag (the kinds of
    rows exclude each other, so every row is in one queue: the output is a permutation, a prefix stays before its
    users); ``o_end`` counts the queue's rows of its tile (here: the first one) and comes after the tile was closed.
    """

    def __init__(self, config, *, bank):
        super().__init__()
        self.config, self.bank = config, bank

    def build(self, m):
        c = self.config
        m.submodules.dut = dut = Dispatcher(c, flight=0)
        for n, port in enumerate([dut.o_begin, dut.o_end, dut.o_compute, *dut.o_reuse]):
            m.d.comb += port.ready.eq(arbitrary(m, 1, name=f"ready{n}"))
            holds(m, port, name=f"port{n}")
        begin, valid, last = (arbitrary(m, 1, name=name) for name in ("begin", "valid", "last"))
        m.d.comb += [dut.begin.eq(begin & dut.tile_room), dut.i.valid.eq(valid), dut.i.last.eq(last)]
        for lane, row in enumerate(dut.i.rows):
            free = arbitrary(m, len(row.as_value()), name=f"row{lane}")
            m.d.comb += [row.eq(free), row.valid.eq(free[0] & valid)]
        begun, closed = Signal(3), Signal(3)  # tiles: tags do not wrap
        m.d.sync += [begun.eq(begun + dut.begin), closed.eq(closed + (valid & last))]
        m.d.comb += [Assume(begun != 7), Assume(~valid | (closed != begun)), Assume(~valid | dut.room)]
        port = dut.o_compute if self.bank is None else dut.o_reuse[self.bank]
        self._announced(m, dut, port)
        self._ended(m, dut, closed, self._followed(m, dut, port, closed))

    def _announced(self, m, dut, port):
        read = Signal(3)
        m.d.sync += read.eq(read + (dut.o_begin.valid & dut.o_begin.ready))
        with m.If(dut.o_begin.valid):
            m.d.comb += Assert(dut.o_begin.payload.tag == read)
        with m.If(port.valid & (port.payload.tag >= read)):
            m.d.comb += Assert(dut.o_begin.valid)  # it, or one before it

    def _followed(self, m, dut, port, closed):
        """Row number ``chosen`` of the queue; returns the rows of the cycle that belong into it."""
        chosen = arbitrary(m, 4, name="chosen", constant=True)
        put, got = Signal(6), Signal(6)
        index, tag = Signal(self.config.row_bits), Signal(3)
        number, here = put, []
        for row in dut.i.rows:
            mine = ~row.exact if self.bank is None else row.exact & (bank_of(self.config, row.index) == self.bank)
            here.append(row.valid & mine)
            with m.If(here[-1] & (number == chosen)):
                m.d.sync += [index.eq(row.index), tag.eq(closed)]
            number = number + here[-1]
        take = port.valid & port.ready
        m.d.sync += [put.eq(number), got.eq(got + take)]
        with m.If(take):
            m.d.comb += Assert(got < put)
            with m.If(got == chosen):
                m.d.comb += [Assert(port.payload.row == index), Assert(port.payload.tag == tag)]
        return here

    def _ended(self, m, dut, closed, here):
        total, ended, end = Signal(6), Signal(), dut.o_end
        with m.If(closed == 0):
            m.d.sync += total.eq(total + sum(here))
        m.d.sync += ended.eq(ended | (end.valid & end.ready))
        with m.If(end.valid & ~ended):
            count = end.payload.computes if self.bank is None else end.payload.reuses[self.bank]
            # A tile has at most tile_m rows.
            m.d.comb += [
                Assume(total <= self.config.tile_m),
                Assert(count == total),
                Assert(end.payload.tag == 0),
                Assert(closed != 0),
            ]


@pytest.mark.parametrize(("queries", "bank"), [(1, None), (1, 0), (2, None), (2, 1)])
def test_rows_are_steered(queries, bank, tmp_path):
    """Bounded: every run of 8 cycles after reset, three groups of rows at the outputs."""
    prove(AnyGroups(tiny(queries, banks=2), bank=bank), tmp_path, depth=8)


def test_the_steering_proof_can_fail(tmp_path):
    """A false claim (exact matches of both banks come out of one) is refuted."""

    class OneQueue(AnyGroups):
        def _ended(self, m, dut, closed, here):
            m.d.comb += Assert(~dut.o_reuse[1].valid)

    prove(OneQueue(tiny(1, banks=2), bank=0), tmp_path, depth=8, expect="fail")


class AnyStage(Harness):
    """A block of the sorter with any input that keeps the stream rule, and any stalls: so does its output."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def build(self, m):
        m.submodules.dut = dut = self.dut
        m.d.comb += [
            dut.i.valid.eq(arbitrary(m, 1, name="valid")),
            Value.cast(dut.i.payload).eq(arbitrary(m, len(Value.cast(dut.i.payload)), name="payload")),
            dut.o.ready.eq(arbitrary(m, 1, name="ready")),
        ]
        holds(m, dut.o, name="o")


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("block", [ClassChooser, WordWalker, RowMemory, RowPicker])
def test_stream_rule_forever(block, queries, tmp_path):
    """Without a bound: whatever comes in, even what no tile would give."""
    prove(AnyStage(block(tiny(queries, load_rows=2))), tmp_path, depth=None)
