"""Pruner: the prefix's pattern is taken out of a row."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from . import layouts

TILES = 4
"""Tiles of patterns stored: rows read their prefix 3 cycles after they were inserted, and tiles may be that short."""


class Pruner(wiring.Component):
    """``residual = row ^ pattern[prefix]`` (a prefix is a subset); exact when that is zero.

    With two banks of patterns the better of their two candidates is the prefix: more bits, then the lower index.
    In one popcount class the earlier group has the lower index; of different classes the later group has more bits.
    (Prosperity, HPCA 2025, section V: pruner.)

    Latency: 3 cycles (pattern read | registered, as block RAM is slow | residual). Throughput: ``queries`` rows per
    cycle.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : :func:`reprise.hw.detector.layouts.found_group`, no backpressure
    insert : queries x :func:`reprise.hw.detector.layouts.inserted_row`
    inserted_last : the inserted rows are their tile's last
    o : :func:`reprise.hw.detector.layouts.pruned_group`, no backpressure
    """

    LATENCY = 3

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(layouts.found_group(config)),
                "insert": In(data.ArrayLayout(layouts.inserted_row(config), config.queries)),
                "inserted_last": In(1),
                "o": Out(layouts.pruned_group(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        # The read side is behind: it has its own tile count.
        put, got = Signal(range(TILES)), Signal(range(TILES))
        m.d.sync += [put.eq(put + self.inserted_last), got.eq(got + (self.i.valid & self.i.last))]
        stored = data.StructLayout({"row": c.tile_k})
        if c.queries == 2:
            stored = data.StructLayout(
                {"row": c.tile_k, "cls": len(self.insert[0].cls), "group_index": len(self.insert[0].group_index)}
            )
        words: list[list[data.View]] = [[], []]  # by lane: the banks' patterns
        for bank in range(c.queries):
            depth = TILES << len(self.insert[0].entry)
            m.submodules[f"patterns{bank}"] = memory = Memory(shape=stored, depth=depth, init=[])
            writer, new = memory.write_port(), self.insert[bank]
            m.d.comb += [writer.en.eq(new.valid), writer.addr.eq(Cat(new.entry, put))]
            m.d.comb += [writer.data[name].eq(new[name]) for name in stored.members]
            for lane in range(c.queries):
                reader = memory.read_port()
                m.d.comb += reader.addr.eq(Cat(self.i.rows[lane].best[bank].entry, got))
                words[lane].append(reader.data)
        found = [Signal(layouts.found_group(c), name=f"found{stage}") for stage in range(2)]
        m.d.sync += [found[0].eq(self.i), found[1].eq(found[0])]
        self._subtract(m, found[1], [self._register(m, lane, some) for lane, some in enumerate(words)])
        return m

    def _register(self, m: Module, lane: int, words: list[data.View]) -> list[data.View]:
        """The patterns of a lane a cycle later."""
        held = [Signal.like(word, name=f"held{lane}_{bank}") for bank, word in enumerate(words)]
        m.d.sync += [k.eq(word) for k, word in zip(held, words, strict=True)]
        return held

    def _choose(self, best: data.View, even: data.View, odd: data.View) -> tuple[Value, Value]:
        """The better candidate's pattern, and whether it is the odd bank's."""
        same = even.cls == odd.cls
        earlier = odd.group_index < even.group_index  # the odd group_index is the earlier one
        odd_better = best[1].found & (~best[0].found | (same == earlier))
        return Mux(odd_better, odd.row, even.row), odd_better

    def _subtract(self, m: Module, found: data.View, words: list[list[data.View]]) -> None:
        c = self.config
        m.d.sync += [self.o.valid.eq(found.valid), self.o.last.eq(found.last)]
        for lane, row in enumerate(found.rows):
            if c.queries == 1:
                pattern, has, prefix = words[lane][0].row, row.best[0].found, row.best[0].entry
            else:
                pattern, odd = self._choose(row.best, *words[lane])
                has = row.best[0].found | row.best[1].found
                prefix = Cat(Mux(odd, row.best[1].entry, row.best[0].entry), odd)
            rest = row.row ^ Mux(has, pattern, C(0, c.tile_k))
            m.d.sync += [
                self.o.rows[lane].valid.eq(found.valid & row.valid),
                self.o.rows[lane].index.eq(row.index),
                self.o.rows[lane].result.eq(row.result),
                self.o.rows[lane].has_prefix.eq(has),
                self.o.rows[lane].prefix.eq(prefix),
                self.o.rows[lane].residual.eq(rest),
                self.o.rows[lane].exact.eq(rest == 0),
            ]
