"""Finds out which weight rows a tile uses, while its rows pass by on their way to the core."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import DENSE
from ..interface.commands import run_layout
from ..interface.streams import tile_word
from ..lib.fifo import SmallFifo
from ..lib.skid import SkidBuffer

TILES_KNOWN = 16
"""The most tiles of which the used weight rows are known and not asked for yet. One more holds the rows back."""


class UsedRows(wiring.Component):
    """Lets the rows of the tiles pass, and says of each tile in which bits any of its rows has a one.

    Only the weight rows of these bits are needed. Nothing is said of tiles whose weights are fetched whatever their
    rows are: the first ``whole_tiles`` of a RUN, and all of a RUN that keeps its weights for every m tile. In a dense
    RUN every row takes all bits.

    A word that the core does not take waits here, so the core holds nothing before it back within the cycle.

    Latency: rows pass in the same cycle; a tile is known ``LATENCY`` cycles after its last word has passed.
    Throughput: one word per cycle.

    Parameters
    ----------
    config : HardwareConfig
    most : the most tiles that are known and not asked for yet, a power of two

    Members
    -------
    run, start : In, fields of the RUN (constant while its rows pass), and a strobe before its first row
    i, o : In and Out stream of tile words
    o_used : Out stream of masks, a bit for each weight row of the tile
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig, *, most: int = TILES_KNOWN) -> None:
        self.config = c = config
        self.most = most
        words = stream.Signature(tile_word(c))
        super().__init__(
            {
                "run": In(run_layout(config)),
                "start": In(1),
                "i": In(words),
                "o": Out(words),
                "o_used": Out(stream.Signature(c.tile_k)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run, word = self.config, self.run, self.i.payload
        m.submodules.queue = queue = SmallFifo(shape=c.tile_k, depth=self.most)
        wiring.connect(m, queue.o, wiring.flipped(self.o_used))
        m.submodules.skid = skid = SkidBuffer(shape=tile_word(c))
        wiring.connect(m, skid.o, wiring.flipped(self.o))
        whole_left = Signal.like(run.whole_tiles)
        known = Signal(range(self.most + 1))  # tiles whose last word has passed and that are not asked for yet
        after = Signal.like(known)  # and after this cycle
        room, told, taken, last = Signal(init=1), Signal(), Signal(), Signal()
        m.d.comb += [
            told.eq((whole_left == 0) & ~run.weights_keep & ~run.weights_ready),
            skid.i.payload.eq(word),
            skid.i.valid.eq(self.i.valid & room),
            self.i.ready.eq(skid.i.ready & room),
            taken.eq(self.i.valid & self.i.ready),
            last.eq(taken & word.last),
        ]
        with m.If(last & (whole_left != 0)):
            m.d.sync += whole_left.eq(whole_left - 1)
        with m.If(self.start):
            m.d.sync += whole_left.eq(run.whole_tiles)
        m.d.comb += after.eq(known + (last & told) - (self.o_used.valid & self.o_used.ready))
        m.d.sync += [known.eq(after), room.eq(after != self.most)]
        # The rows of a word are put together in one cycle, and its words in the next one.
        of_word, passed, ends = Signal(c.tile_k), Signal(), Signal()
        before, used = Signal(c.tile_k), Signal(c.tile_k)
        m.d.sync += [of_word.eq(reduce(or_, word.rows)), passed.eq(taken), ends.eq(last & told)]
        if c.modes:
            with m.If(run.mode == DENSE):
                m.d.sync += of_word.eq(Cat(run.tile_depth > bit for bit in range(c.tile_k)))
        m.d.comb += [used.eq(before | of_word), queue.i.payload.eq(used), queue.i.valid.eq(ends)]
        with m.If(passed):
            m.d.sync += before.eq(used)
        finished = Signal()  # the word that passed was the last one of its tile, whether or not anything is told of it
        m.d.sync += finished.eq(last)
        with m.If(finished):
            m.d.sync += before.eq(0)
        return m
