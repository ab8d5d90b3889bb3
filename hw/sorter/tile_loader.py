"""Tile loader: beats of rows go to the row memory, their popcount classes into maps and a histogram."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface import streams
from ..lib.logic import popcount
from . import layouts as frontend_layouts

UNDER_WAY = 3
"""Words of the row memory kept free for the beats that are on their way when ``room`` falls."""


class TileLoader(wiring.Component):
    """What the class walker needs to know of a tile, complete when its last beat is in the row memory.

    ``upto[p] = #{rows with 1 <= popcount <= p + 1}`` and ``words[p][w] = word w has a row of popcount p + 1``. Every
    beat is added to all classes that it belongs to, so nothing is left to do after the last one. A word of the row
    memory is one or more beats; its first beat clears the others, a tile may end inside a word.
    (Prosperity, HPCA 2025, section V: the dispatcher's sorting by popcount, here begun while rows arrive.)

    Latency: a tile is offered ``LATENCY`` cycles after its last beat was taken. Throughput: one beat per cycle while
    tiles are taken and the row memory has room; the next tile may load while one waits at ``o`` only up to its
    first beat.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.tile_word`
    write : beats of a word x {en, addr, data: ``load_rows`` x :func:`reprise.hw.sorter.layouts.stored_row`}, into the
        row memory
    freed : words of the row memory that were read for the last time in this cycle
    o : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : ``o.ready``, a copy for each part of the maps (wrong in the first cycle after reset, when nothing is there)
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(streams.tile_word(config))),
                "write": Out(frontend_layouts.word_write(config)),
                "freed": In(range(frontend_layouts.words(config) + 1)),
                "o": Out(stream.Signature(frontend_layouts.loaded_tile(config))),
                "ready": In(frontend_layouts.MAP_PARTS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        beat = Signal(streams.tile_word(c), reset_less=True)
        valid, first, move, room = Signal(), Signal(init=1), Signal(), Signal()
        counts = [Signal(range(c.tile_k + 1), name=f"count{r}", reset_less=True) for r in range(c.load_rows)]
        upto = [Signal(c.tile_k, name=f"upto{r}", reset_less=True) for r in range(c.load_rows)]
        take = Signal()  # the beat goes into the row memory and the maps
        m.d.comb += [
            take.eq(valid & move),
            move.eq(~first | ~self.o.valid | self.o.ready),
            self.i.ready.eq((~valid | move) & room),
        ]
        enable = Signal()
        m.d.comb += enable.eq(~valid | move)
        with m.If(enable):
            m.d.sync += [valid.eq(self.i.valid & room), beat.eq(self.i.payload)]
        for r, row in enumerate(self.i.payload.rows):
            count = Signal(range(c.tile_k + 1), name=f"popcount{r}")
            # Cumulative flags as an OR of equalities: comparators would become carry chains.
            equal = Signal(c.tile_k, name=f"equal{r}")
            m.d.comb += [count.eq(popcount(row)), equal.eq(Cat(count == p + 1 for p in range(c.tile_k)))]
            with m.If(enable):
                m.d.sync += [
                    counts[r].eq(count),
                    upto[r].eq(Cat(equal[: p + 1].any() for p in range(c.tile_k))),
                ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [first.eq(beat.last), self.o.valid.eq(beat.last)]
        word, address = self._write(m, take, beat, counts, room)
        takes = [valid & (~first | ~self.o.valid | ready) for ready in self.ready]
        self._classes(m, take, takes, first, beat, upto, word, address)
        return m

    def _write(
        self, m: Module, take: Value, beat: data.View, counts: list[Signal], room: Signal
    ) -> tuple[Signal, Signal]:
        """Words of the row memory, a ring; returns the index of the beat's word in its tile, and its address."""
        c = self.config
        beats, words = frontend_layouts.word_beats(c), frontend_layouts.words(c)
        depth = frontend_layouts.ring_words(c)
        used = Signal(range(depth + 1))
        address = Signal(range(depth))
        word, part = Signal(range(words)), Signal(range(beats))
        full = Signal()
        m.d.comb += full.eq(take & (beat.last | (part == beats - 1)))
        with m.If(take):
            m.d.sync += [part.eq(part + 1), address.eq(address + full), word.eq(word + full)]
            with m.If(full):
                m.d.sync += part.eq(0)
            with m.If(beat.last):
                m.d.sync += word.eq(0)
        m.d.sync += [
            used.eq(used + full - self.freed),
            room.eq(used < depth - UNDER_WAY),
        ]
        for n in range(beats):
            write = self.write[n]
            m.d.comb += [
                write.en.eq(take & ((part == n) | (part == 0))),
                write.addr.eq(address),
            ]
            for r in range(c.load_rows):
                here = part == n
                m.d.comb += [
                    write.data[r].row.eq(beat.rows[r]),
                    write.data[r].count.eq(Mux(here, counts[r], 0)),
                ]
        return word, address

    def _classes(
        self,
        m: Module,
        take: Value,
        takes: list[Value],
        first: Value,
        beat: data.View,
        upto: list[Signal],
        word: Value,
        address: Value,
    ) -> None:
        """``takes``: ``take`` for each part of the classes."""
        c, tile = self.config, Signal(frontend_layouts.loaded_tile(self.config), reset_less=True)
        m.d.comb += self.o.payload.eq(tile)
        exactly = [[flags[p] & ~flags[p - 1] if p else flags[0] for flags in upto] for p in range(c.tile_k)]
        with m.If(take):
            m.d.sync += tile.tile.eq(beat.tile)
            with m.If(first):
                m.d.sync += tile.base.eq(address)
            m.d.sync += tile.count.eq(word + 1)
        for p in range(c.tile_k):
            some = Signal(name=f"some{p}")
            more = popcount(Cat(flags[p] for flags in upto))
            m.d.comb += some.eq(reduce(or_, exactly[p]))
            with m.If(takes[p * len(takes) // c.tile_k]):
                m.d.sync += [
                    tile.upto[p].eq(Mux(first, 0, tile.upto[p]) + more),
                    tile.classes[p].eq((tile.classes[p] & ~first) | some),
                ]
                for w in range(len(tile.words[p])):
                    m.d.sync += tile.words[p][w].eq((tile.words[p][w] & ~first) | (some & (word == w)))
