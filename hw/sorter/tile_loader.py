"""The tile loader writes the rows of a tile into the row memory and notes which words have rows of which popcount."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import DENSE
from ..interface import streams
from ..lib.logic import popcount
from . import layouts as frontend_layouts

UNDER_WAY = 3
"""Words of the row memory that are kept free for the beats that are still on their way when ``room`` falls."""


class TileLoader(wiring.Component):
    """Stores the rows of a tile and finds what the class walker needs to know of it.

    This is the histogram ``upto[p]``, the number of rows with 1 <= popcount <= p + 1, and the map ``words[p][w]``,
    which says that word ``w`` has a row of popcount p + 1. Every beat is added to all classes that it belongs to as it
    comes, so nothing is left to do after the tile's last beat. A word of the row memory holds one or more beats. Its
    first beat also sets the popcounts of the others to 0, because a tile may end inside a word.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V: the dispatcher's sorting by popcount, which begins here while
    rows still arrive.)

    Latency: a tile is offered ``LATENCY`` cycles after its last beat was taken. Throughput: one beat per cycle while
    tiles are taken and the row memory has room. While a tile waits at ``o``, the first beat of the next one is taken
    and waits too.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.tile_word`
    write : beats of a word x {en, addr, data: ``load_rows`` x :func:`reprise.hw.sorter.layouts.stored_row`}, into the
        row memory
    freed : number of words of the row memory that become free in this cycle
    o : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : ``o.ready``, a copy for each part of the maps; the copies are wrong in the first cycle after reset, in which
        there is no tile yet
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
        for r, bits in enumerate(self._counts(m)):
            count = Signal(range(c.tile_k + 1), name=f"popcount{r}")
            # The cumulative flags are built as ORs of equalities, since comparators would become carry chains.
            equal = Signal(c.tile_k, name=f"equal{r}")
            m.d.comb += [count.eq(bits), equal.eq(Cat(count == p + 1 for p in range(c.tile_k)))]
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

    def _counts(self, m: Module) -> list[Value]:
        """Return the popcount of each row of the beat that comes. In a dense tile all rows that it has count as one."""
        c, beat = self.config, self.i.payload
        counts = [popcount(row) for row in beat.rows]
        if not c.modes:
            return counts
        before = Signal(range(c.tile_m), name="rows_before")  # rows of the tile in the beats that have come
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += before.eq(Mux(beat.last, 0, before + c.load_rows))
        dense = beat.tile.mode == DENSE
        return [Mux(dense, beat.tile.rows > before + r, count) for r, count in enumerate(counts)]

    def _write(
        self, m: Module, take: Value, beat: data.View, counts: list[Signal], room: Signal
    ) -> tuple[Signal, Signal]:
        """Write the beat into the row memory, which is a ring.

        Return the index of the beat's word in its tile, and the word's address in the row memory.
        """
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
        """Add the beat to its tile's maps and histogram; ``takes`` has a copy of ``take`` for each part of the maps."""
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
