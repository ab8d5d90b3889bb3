"""Detector: which earlier rows of the tile are subsets of a row (ternary content-addressable memory)."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface import search
from ..lib.logic import covers
from . import layouts
from .tcam import TcamBank


class Detector(wiring.Component):
    """For every row the best earlier subset: ``entry & ~row == 0``, most bits first, then lowest index.

    Rows come in issue order, and each is inserted after it was queried, so only rows issued before it can
    match: an equal row with a lower index, or a row with fewer bits. The sorter's entries make the best match the
    highest one in its bank. Rows of one bit take no prefix. With two queries the second row also sees the first.
    (Prosperity, HPCA 2025, section V: detector; here rows are inserted in sorted order.)

    Latency: 3 cycles. Throughput: ``queries`` rows per cycle, across tile borders.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`reprise.hw.interface.search.sorted_group`
    room : a group may be taken
    tile_room : a group that begins a tile may be taken
    o : :func:`reprise.hw.detector.layouts.found_group`, no backpressure
    insert : queries x :func:`reprise.hw.detector.layouts.inserted_row`, in the cycle in which a group is taken
    inserted_last : this was the tile's last group
    """

    LATENCY = TcamBank.LATENCY

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(search.sorted_group(config))),
                "room": In(1),
                "tile_room": In(1),
                "o": Out(layouts.found_group(config)),
                "insert": Out(data.ArrayLayout(layouts.inserted_row(config), config.queries)),
                "inserted_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        group, take = self.i.payload, Signal()
        group_index = Signal(search.entry_bits(c))  # of the group in its tile
        m.d.comb += [
            self.i.ready.eq(self.room & (self.tile_room | ~group.first)),
            take.eq(self.i.valid & self.i.ready),
            self.inserted_last.eq(take & group.last),
        ]
        with m.If(take):
            m.d.sync += group_index.eq(Mux(group.last, 0, group_index + 1))
        pair: Value = C(0, 1)
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
                tcam.entry.eq(mine.entry),
                tcam.rows.eq(Cat(row.query for row in group.rows)),
                tcam.pair.eq(pair),
                self.insert[bank].valid.eq(take & group.valid[bank]),
                self.insert[bank].entry.eq(mine.entry),
                self.insert[bank].row.eq(mine.row),
                self.insert[bank].cls.eq(mine.cls),
                self.insert[bank].group_index.eq(group_index),
            ]
            banks.append(tcam)
        self._follow(m, take, banks)
        return m

    def _follow(self, m: Module, take: Signal, banks: list[TcamBank]) -> None:
        """The rows walk beside the search."""
        c = self.config
        layout = layouts.found_group(c)
        group = self.i.payload
        now = Signal(layout)
        m.d.comb += [now.valid.eq(take), now.last.eq(group.last)]
        single: Value = Cat(row.cls == 0 for row in group.rows)
        for lane, row in enumerate(group.rows):
            m.d.comb += [
                now.rows[lane].valid.eq(group.valid[lane]),
                now.rows[lane].row.eq(row.row),
                now.rows[lane].index.eq(row.index),
                now.rows[lane].result.eq(Cat(row.entry, C(lane, c.queries - 1))),
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
                    self.o.rows[lane].best[bank].entry.eq(tcam.best[lane].entry),
                ]
