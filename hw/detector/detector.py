"""The detector finds the earlier rows of a tile that are subsets of a row, in a ternary content-addressable memory."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import PRODUCT
from ..interface import search
from ..lib.logic import covers
from . import layouts
from .tcam import TcamBank


class Detector(wiring.Component):
    """Finds for every row the best of the earlier rows of its tile that are subsets of it.

    A row ``entry`` is a subset if ``entry & ~row == 0``. The best subset is the one with most bits and, among those,
    the one with the lowest index. Rows come in issue order, and each is inserted after it was queried. So only rows
    that were issued before it can match: an equal row with a lower index, or a row with fewer bits. The sorter numbers
    the entries so that the best match is the highest one in its bank. By the paper's rule a row of one bit takes no
    prefix; with ``one_bit_matches`` it takes an equal row. In a RUN that is not product-sparse no row takes one. With
    two queries the second row of a group is compared with the first one too.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V: detector; here rows are inserted in sorted order.)

    Latency: 3 cycles. Throughput: ``queries`` rows per cycle, also from one tile to the next.

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
    inserted_last : the group that is taken in this cycle is its tile's last
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
        group_index = Signal(search.entry_bits(c))  # number of the group in its tile
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
        """Delay the rows by as many cycles as the search takes, and join them with what it found."""
        c = self.config
        layout = layouts.found_group(c)
        group = self.i.payload
        now = Signal(layout)
        m.d.comb += [now.valid.eq(take), now.last.eq(group.last)]
        # Only an equal row is a subset of a row of one bit.
        single: Value = C(0, c.queries) if c.one_bit_matches else Cat(row.cls == 0 for row in group.rows)
        if c.modes:
            m.d.comb += [now.mode.eq(group.tile.mode), now.depth.eq(group.tile.depth)]
            single |= (group.tile.mode != PRODUCT).replicate(c.queries)
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
