"""Detector: which earlier rows of the tile are subsets of a row (ternary content-addressable memory)."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import frontend_layouts
from .config import HardwareConfig
from .fanout import copies
from .frontend_logic import covers, highest


class TcamBank(wiring.Component):
    """``entry[place]`` is valid and a subset of the query: the highest such place, per query.

    One row is inserted per cycle. Rows inserted in a cycle are seen by queries of the next one. A tile's last group
    clears the valid bits as it is taken, whether or not it inserts a row, so that no cycle is lost for it. An entry is
    written as soon as its row is there, and is valid when that is taken: a tile's places differ. Whether it is taken is
    known late, so valid bits learn it a cycle later, from registers per part of the entries, on their way to the match.

    Latency: 3 cycles (match register, groups, place). Throughput: ``queries`` queries and one insertion per cycle.

    Parameters
    ----------
    config : HardwareConfig
    bank : which one; lane ``bank`` of the rows is inserted here

    Members
    -------
    offer : the rows are there
    take : they are queried, and lane ``bank`` is inserted if ``insert``
    last : they are the tile's last rows: they are still queried, then no entry is valid
    insert : lane ``bank`` is valid
    place : entry of lane ``bank``
    rows : queries x copies of the row, one for each part of the entries (:func:`hw.frontend_layouts.query_parts`)
    pair : by lane: lane ``bank`` of this very cycle is an earlier subset of it
    best : queries x {found, place}, LATENCY cycles later
    """

    LATENCY = 3

    def __init__(self, config: HardwareConfig, *, bank: int):
        self.config, self._bank = config, bank
        self._copies = data.ArrayLayout(config.tile_k, len(frontend_layouts.query_parts(config)))
        place = frontend_layouts.place_bits(config)
        super().__init__(
            {
                "offer": In(1),
                "take": In(1),
                "last": In(1),
                "insert": In(1),
                "place": In(place),
                "rows": In(data.ArrayLayout(self._copies, config.queries)),
                "pair": In(config.queries),
                "best": Out(frontend_layouts.bests(config)),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        size = 1 << len(self.place)
        # ``brought`` and ``before`` are reset, data is not: a reset with thousands of loads takes the wires that data
        # needs.
        entries = [Signal(c.tile_k, name=f"entry{e}", reset_less=True) for e in range(size)]
        chosen, brought, before, valid = Signal(size), Signal(size), Signal(size), Signal(size)
        half = len(self.place) // 2
        low = Cat(self.place[:half] == n for n in range(1 << half))
        high = Cat((self.place[half:] == n) & self.insert & self.offer for n in range(size >> half))
        m.d.comb += chosen.eq(Cat(low[e % (1 << half)] & high[e >> half] for e in range(size)))
        cut = frontend_layouts.query_parts(c)
        part = {e: n for n, some in enumerate(cut) for e in some}
        taken = copies(m, self.take, len(cut), name="taken")
        closed = copies(m, self.take & self.last, len(cut), name="closed")
        for e, entry in enumerate(entries):
            with m.If(chosen[e]):
                m.d.sync += entry.eq(self.rows[self._bank][part[e]])
            m.d.comb += valid[e].eq((before[e] | (brought[e] & taken[part[e]])) & ~closed[part[e]])
        m.d.sync += [brought.eq(chosen), before.eq(valid)]
        for lane in range(c.queries):
            match = Signal(size, name=f"match{lane}", reset_less=True)
            for e, entry in enumerate(entries):
                older = valid[e] & covers(self.rows[lane][part[e]], entry)
                # Only the later lane can find the earlier one of its own cycle.
                newer = chosen[e] & self.pair[lane] if lane > self._bank else C(0, 1)
                m.d.sync += match[e].eq(older | newer)
            self._encode(m, lane, match)
        return m

    def _encode(self, m, lane, match):
        """Highest set bit in two stages: inside groups, then among them."""
        size = len(match)
        width = 1 << ((len(self.place) + 1) // 2)
        count = size // width
        some = Signal(count, name=f"some{lane}", reset_less=True)
        inner = [Signal(range(width), name=f"inner{lane}_{g}", reset_less=True) for g in range(count)]
        for g in range(count):
            found, index = highest(match[g * width : (g + 1) * width])
            m.d.sync += [some[g].eq(found), inner[g].eq(index)]
        found, place = _highest_of(some, inner)
        m.d.sync += [self.best[lane].found.eq(found), self.best[lane].place.eq(place)]


def _highest_of(some, inner):
    """Highest group that has a match, and the whole place: group, then place inside."""
    if len(some) == 1:
        return some[0], inner[0]
    half = len(some) // 2
    low, high = _highest_of(some[:half], inner[:half]), _highest_of(some[half:], inner[half:])
    width = len(inner[0]) + half.bit_length() - 1
    return low[0] | high[0], Cat(Mux(high[0], high[1], low[1])[:width], high[0])


class Detector(wiring.Component):
    """For every row the best earlier subset: ``entry & ~row == 0``, most bits first, then lowest index.

    Rows come in issue order, and each is inserted after it was queried, so only rows issued before it can
    match: an equal row with a lower index, or a row with fewer bits. The sorter's places make the best match the
    highest one in its bank. Rows of one bit take no prefix. With two queries the second row also sees the first.
    (Prosperity, HPCA 2025, section V: detector; here rows are inserted in sorted order.)

    Latency: 3 cycles. Throughput: ``queries`` rows per cycle, across tile borders.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`hw.frontend_layouts.sorted_group`
    room : a group may be taken
    tile_room : a group that begins a tile may be taken
    o : :func:`hw.frontend_layouts.found_group`, no backpressure
    insert : queries x :func:`hw.frontend_layouts.inserted_row`, in the cycle in which a group is taken
    inserted_last : this was the tile's last group
    """

    LATENCY = TcamBank.LATENCY

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frontend_layouts.sorted_group(config))),
                "room": In(1),
                "tile_room": In(1),
                "o": Out(frontend_layouts.found_group(config)),
                "insert": Out(data.ArrayLayout(frontend_layouts.inserted_row(config), config.queries)),
                "inserted_last": Out(1),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        group, take = self.i.payload, Signal()
        turn = Signal(frontend_layouts.place_bits(c))  # of the group in its tile
        m.d.comb += [
            self.i.ready.eq(self.room & (self.tile_room | ~group.first)),
            take.eq(self.i.valid & self.i.ready),
            self.inserted_last.eq(take & group.last),
        ]
        with m.If(take):
            m.d.sync += turn.eq(Mux(group.last, 0, turn + 1))
        pair = C(0, 1)
        if c.queries == 2:
            pair = Cat(C(0, 1), covers(group.rows[1].row, group.rows[0].row))
        banks = []
        for bank in range(c.queries):
            m.submodules[f"bank{bank}"] = tcam = TcamBank(c, bank=bank)
            mine = group.rows[bank]
            m.d.comb += [
                tcam.offer.eq(self.i.valid),
                tcam.take.eq(take),
                tcam.last.eq(group.last),
                tcam.insert.eq(group.valid[bank]),
                tcam.place.eq(mine.place),
                tcam.rows.eq(Cat(row.query for row in group.rows)),
                tcam.pair.eq(pair),
                self.insert[bank].valid.eq(take & group.valid[bank]),
                self.insert[bank].place.eq(mine.place),
                self.insert[bank].row.eq(mine.row),
                self.insert[bank].cls.eq(mine.cls),
                self.insert[bank].turn.eq(turn),
            ]
            banks.append(tcam)
        self._follow(m, take, banks)
        return m

    def _follow(self, m, take, banks):
        """The rows walk beside the search."""
        c = self.config
        layout = frontend_layouts.found_group(c)
        group = self.i.payload
        now = Signal(layout)
        m.d.comb += [now.valid.eq(take), now.last.eq(group.last)]
        single = Cat(row.cls == 0 for row in group.rows)
        for lane, row in enumerate(group.rows):
            m.d.comb += [
                now.rows[lane].valid.eq(group.valid[lane]),
                now.rows[lane].row.eq(row.row),
                now.rows[lane].index.eq(row.index),
                now.rows[lane].slot.eq(Cat(row.place, C(lane, c.queries - 1))),
            ]
        for stage in range(self.LATENCY):
            later = Signal(layout, name=f"stage{stage}")
            alone = Signal(c.queries, name=f"single{stage}")
            m.d.sync += [later.eq(now), alone.eq(single)]
            now, single = later, alone
        m.d.comb += self.o.eq(now)
        for lane in range(c.queries):
            for bank, tcam in enumerate(banks):
                m.d.comb += [
                    self.o.rows[lane].best[bank].found.eq(tcam.best[lane].found & ~single[lane]),
                    self.o.rows[lane].best[bank].place.eq(tcam.best[lane].place),
                ]
