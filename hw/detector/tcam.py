"""A bank of the ternary content-addressable memory (TCAM), which finds the earlier rows that are subsets of a row."""

from collections.abc import Sequence

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface import search
from ..lib.fanout import replicate
from ..lib.logic import covers, highest
from . import layouts


class TcamBank(wiring.Component):
    """Finds for each query the highest entry that is valid and a subset of it.

    One row is inserted per cycle, and the queries of the next cycle see it. The last group of a tile clears all valid
    bits as it is taken, whether or not it inserts a row, so that no cycle is lost for that. (Prosperity, HPCA 2025,
    arXiv 2503.03379, section V: the detector's TCAM.)

    An entry is written as soon as its row is offered, and becomes valid when the row is taken. It may be written early
    because every row of a tile has an entry of its own. Whether a row is taken is known only late in the cycle. So the
    valid bits learn it a cycle later, on the way to the match, from registers of which each part of the entries has its
    own.

    Latency: 3 cycles: the match of every entry is registered, then the highest match in each group of entries, then the
    highest of all. Throughput: ``queries`` queries and one insertion per cycle.

    Parameters
    ----------
    config : HardwareConfig
    bank : number of this bank; lane ``bank`` of the rows is inserted here

    Members
    -------
    offer : rows are there
    take : the rows are queried, and lane ``bank`` is inserted if ``insert`` is 1
    last : the rows are the last of their tile; they are still queried, and after that no entry is valid
    insert : lane ``bank`` is valid
    entry : the entry into which lane ``bank`` goes
    rows : queries x copies of the row, one for each part of the entries
        (:func:`reprise.hw.interface.search.query_parts`)
    pair : a bit for each lane: the row that lane ``bank`` inserts in this very cycle precedes it and is a subset of it
    best : queries x {found, entry}, LATENCY cycles later
    """

    LATENCY = 3

    def __init__(self, config: HardwareConfig, *, bank: int) -> None:
        self.config, self._bank = config, bank
        self._copies = data.ArrayLayout(config.tile_k, len(search.query_parts(config)))
        entry = search.entry_bits(config)
        super().__init__(
            {
                "offer": In(1),
                "take": In(1),
                "last": In(1),
                "insert": In(1),
                "entry": In(entry),
                "rows": In(data.ArrayLayout(self._copies, config.queries)),
                "pair": In(config.queries),
                "best": Out(layouts.bests(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        size = 1 << len(self.entry)
        # Only ``brought`` and ``before`` are reset, and the entries are not: a reset that goes to thousands of
        # flip-flops would take up wires that the data needs.
        entries = [Signal(c.tile_k, name=f"entry{e}", reset_less=True) for e in range(size)]
        chosen, brought, before, valid = Signal(size), Signal(size), Signal(size), Signal(size)
        half = len(self.entry) // 2
        low = Cat(self.entry[:half] == n for n in range(1 << half))
        high = Cat((self.entry[half:] == n) & self.insert & self.offer for n in range(size >> half))
        m.d.comb += chosen.eq(Cat(low[e % (1 << half)] & high[e >> half] for e in range(size)))
        cut = search.query_parts(c)
        part = {e: n for n, some in enumerate(cut) for e in some}
        taken = replicate(m, self.take, len(cut), name="taken")
        closed = replicate(m, self.take & self.last, len(cut), name="closed")
        for e, entry in enumerate(entries):
            with m.If(chosen[e]):
                m.d.sync += entry.eq(self.rows[self._bank][part[e]])
            m.d.comb += valid[e].eq((before[e] | (brought[e] & taken[part[e]])) & ~closed[part[e]])
        m.d.sync += [brought.eq(chosen), before.eq(valid)]
        for lane in range(c.queries):
            match = Signal(size, name=f"match{lane}", reset_less=True)
            for e, entry in enumerate(entries):
                older = valid[e] & covers(self.rows[lane][part[e]], entry)
                # Of the rows of one cycle only the later lane can have the earlier one as its prefix.
                newer = chosen[e] & self.pair[lane] if lane > self._bank else C(0, 1)
                m.d.sync += match[e].eq(older | newer)
            self._encode(m, lane, match)
        return m

    def _encode(self, m: Module, lane: int, match: Value) -> None:
        """Find the highest set bit of ``match`` in two stages: inside each group of entries, then among the groups."""
        size = len(match)
        width = 1 << ((len(self.entry) + 1) // 2)
        count = size // width
        some = Signal(count, name=f"some{lane}", reset_less=True)
        inner = [Signal(range(width), name=f"inner{lane}_{g}", reset_less=True) for g in range(count)]
        for g in range(count):
            found, index = highest(match[g * width : (g + 1) * width])
            m.d.sync += [some[g].eq(found), inner[g].eq(index)]
        found, entry = _highest_of(some, inner)
        m.d.sync += [self.best[lane].found.eq(found), self.best[lane].entry.eq(entry)]


def _highest_of(some: Value, inner: Sequence[Value]) -> tuple[Value, Value]:
    """Return whether any group has a match, and the highest matching entry: number of its group, then place in it."""
    if len(some) == 1:
        return some[0], inner[0]
    half = len(some) // 2
    low, high = _highest_of(some[:half], inner[:half]), _highest_of(some[half:], inner[half:])
    width = len(inner[0]) + half.bit_length() - 1
    return low[0] | high[0], Cat(Mux(high[0], high[1], low[1])[:width], high[0])
