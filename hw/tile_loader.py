"""Tile loader: beats of rows in; beats with non-zero rows and the tile's popcount histogram out."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import frontend_layouts, layouts
from .config import HardwareConfig
from .fifo import SmallFifo, StreamFifo
from .frontend_logic import popcount, popcount_flags

TILES = 8
"""Histograms that may wait: as many as tiles of one beat overtake their beats in the FIFO."""


class TileLoader(wiring.Component):
    """Counts rows by popcount: ``upto[p] = #{rows with 1 <= popcount <= p + 1}``, cumulative from the start.

    Because every beat is added to all classes it belongs to, no prefix sum follows the last beat. Beats without a
    non-zero row are dropped: the sorter never sees them. Histograms wait in a queue, beats in a FIFO of four tiles.

    Latency: a tile's histogram is offered 4 cycles after its last beat was taken; a beat 4 cycles after the next
    non-zero one of its tile (or its tile's last), 5 cycles after itself if it is the last. Throughput: one beat per
    cycle.
    (Prosperity, HPCA 2025, section V: the dispatcher's sorting by popcount, here begun while rows arrive.)

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`hw.layouts.tile_word`
    o_words : stream of :func:`hw.frontend_layouts.loaded_word`
    o_tile : stream of :func:`hw.frontend_layouts.loaded_tile`; stays valid while the consumer works on the tile
    """

    LATENCY = 4
    """Cycles from a tile's last beat to its histogram."""
    LATENCY_WORDS = 5
    """Cycles from a tile's last beat to itself."""

    def __init__(self, config: HardwareConfig):
        self.config = config
        self._word = frontend_layouts.loaded_word(config)
        self._tile = frontend_layouts.loaded_tile(config)
        super().__init__(
            {
                "i": In(stream.Signature(layouts.tile_word(config))),
                "o_words": Out(stream.Signature(self._word)),
                "o_tile": Out(stream.Signature(self._tile)),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        # Two tiles of beats, and those on their way.
        depth = max(16, 4 * c.words)
        m.submodules.buffer = buffer = StreamFifo(shape=self._word, depth=depth)
        connect(m, buffer.o, flipped(self.o_words))

        step = Signal()  # the pipeline moves
        room = Signal()
        taken = Signal()
        m.d.sync += room.eq(buffer.level < depth - 5)
        m.d.comb += [self.i.ready.eq(step & room), taken.eq(self.i.valid & self.i.ready)]

        valid = Signal()
        beat = Signal(layouts.tile_word(c))
        nonzero = Signal(c.load_rows)
        upto = [Signal(c.tile_k, name=f"upto{r}") for r in range(c.load_rows)]
        with m.If(step):
            m.d.sync += [valid.eq(taken), beat.eq(self.i.payload)]
            for r in range(c.load_rows):
                # Cumulative flags as an OR of equalities: comparators would become carry chains.
                equal = popcount_flags(m, self.i.payload.rows[r], name=f"row{r}")
                m.d.sync += nonzero[r].eq(self.i.payload.rows[r] != 0)
                m.d.sync += upto[r].eq(Cat(equal[: p + 1].any() for p in range(c.tile_k)))
        self._histogram(m, step, valid, beat, upto)
        self._keep_nonzero(m, step, valid, beat, nonzero, buffer)
        return m

    def _histogram(self, m, step, valid, beat, upto):
        c = self.config
        first, done = Signal(init=1), Signal()
        counters = [Signal(c.count_bits, name=f"counter{p}") for p in range(c.tile_k)]
        tile = Signal(layouts.tile_info(c))
        m.submodules.tiles = tiles = SmallFifo(shape=self._tile, depth=TILES)
        # A register behind the queue: the sorter's admission of a tile is the front-end's longest path.
        m.d.comb += tiles.o.ready.eq(~self.o_tile.valid | self.o_tile.ready)
        with m.If(tiles.o.ready):
            m.d.sync += [self.o_tile.valid.eq(tiles.o.valid), self.o_tile.payload.eq(tiles.o.payload)]
        m.d.comb += [
            step.eq(~done | tiles.i.ready),
            tiles.i.valid.eq(done),
            tiles.i.payload.upto.eq(Cat(counters)),
            tiles.i.payload.empty.eq(counters[-1] == 0),
            tiles.i.payload.tile.eq(tile),
        ]
        with m.If(step):
            m.d.sync += done.eq(valid & beat.last)
            with m.If(valid):
                m.d.sync += [first.eq(beat.last), tile.eq(beat.tile)]
                for p, counter in enumerate(counters):
                    more = popcount(Cat(flags[p] for flags in upto))
                    m.d.sync += counter.eq(Mux(first, 0, counter) + more)

    def _keep_nonzero(self, m, step, valid, beat, nonzero, buffer):
        """Beats wait here until it is known whether another non-zero one of their tile follows."""
        index = Signal(range(self.config.words))
        kept = Signal()
        word = Signal(self._word)
        now = step & valid
        useful = nonzero.any()
        final = word.last | (now & beat.last & ~useful)
        m.d.comb += [
            buffer.i.valid.eq(kept & (word.last | (now & (useful | beat.last)))),
            buffer.i.payload.eq(word),
            buffer.i.payload.last.eq(final),
        ]
        with m.If(now):
            m.d.sync += index.eq(Mux(beat.last, 0, index + 1))
        with m.If(now & useful):
            m.d.sync += [
                kept.eq(1),
                word.rows.eq(beat.rows),
                word.nonzero.eq(nonzero),
                word.index.eq(index),
                word.last.eq(beat.last),
            ]
        with m.Elif(buffer.i.valid):
            m.d.sync += kept.eq(0)
