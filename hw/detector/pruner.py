"""The pruner takes the bits of the prefix out of a row; what remains is the residual."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import DENSE
from . import layouts

TILES = 4
"""Tiles whose patterns are stored at the same time. A row reads the pattern of its prefix 3 cycles after it was itself
inserted, and by then three more tiles may have begun, since a tile may take a single cycle."""


class Pruner(wiring.Component):
    """Works out ``residual = row ^ pattern[prefix]``; the row is an exact match when that is zero.

    The XOR takes bits away and never adds any, because a prefix is a subset of its row. With two banks of patterns the
    prefix is the better of the two candidates: the one with more bits and, if these are equal, the one with the lower
    index. In one popcount class the earlier group has the lower index; of two classes the later group has more bits.
    In a dense tile a row takes a slot for each bit, and its residual, which is the row, says which of them are added.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V: pruner.)

    Latency: 3 cycles. The first reads the pattern, the second registers it, because block RAM is slow, and the third
    works out the residual. Throughput: ``queries`` rows per cycle.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : :func:`reprise.hw.detector.layouts.found_group`, no backpressure
    insert : queries x :func:`reprise.hw.detector.layouts.inserted_row`
    inserted_last : the rows that are inserted are their tile's last
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
        # The read side is some cycles behind the write side, so it has a tile count of its own.
        put, got = Signal(range(TILES)), Signal(range(TILES))
        m.d.sync += [put.eq(put + self.inserted_last), got.eq(got + (self.i.valid & self.i.last))]
        stored = data.StructLayout({"row": c.tile_k})
        if c.queries == 2:
            stored = data.StructLayout(
                {"row": c.tile_k, "cls": len(self.insert[0].cls), "group_index": len(self.insert[0].group_index)}
            )
        words: list[list[data.View]] = [[], []]  # for each lane the patterns that it read, one of each bank
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
        """Return the patterns of a lane, one cycle later."""
        held = [Signal.like(word, name=f"held{lane}_{bank}") for bank, word in enumerate(words)]
        m.d.sync += [k.eq(word) for k, word in zip(held, words, strict=True)]
        return held

    def _choose(self, best: data.View, even: data.View, odd: data.View) -> tuple[Value, Value]:
        """Return the better candidate's pattern, and whether it comes from the odd bank."""
        same = even.cls == odd.cls
        earlier = odd.group_index < even.group_index  # the odd bank's candidate was issued in the earlier group
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
            if c.modes:
                every = Cat(found.depth > bit for bit in range(c.tile_k))
                m.d.sync += [
                    self.o.rows[lane].slots.eq(Mux(found.mode == DENSE, every, rest)),
                    self.o.rows[lane].exact.eq(has & (rest == 0)),  # a dense tile has rows without bits
                ]
