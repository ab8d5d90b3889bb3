"""Sorter: a tile's non-zero rows by popcount."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import HardwareConfig
from ..interface import search, streams
from ..lib.skid import SkidBuffer
from .class_walker import ClassWalker
from .row_memory import RowMemory
from .row_picker import RowPicker
from .tile_loader import TileLoader


class Sorter(wiring.Component):
    """Issue order: ascending popcount, rows of equal popcount by index; zero rows are left out.

    ::

        i -> TileLoader -----------> ClassWalker -> RowMemory -> RowPicker -> o
                 | maps, histogram     class, word   rows           groups
                 +----- beats ----------------------> RowMemory

    No row moves before it is issued: the loader notes which words have rows of which class, the walker visits them
    class by class, and the picker takes the rows of the class. Nothing has to be sorted first, so a tile's first row
    comes a few cycles after its last beat, whatever it holds. A word is kept where the picker takes none, so that its
    ``ready`` goes no further than the row memory's output.
    (Prosperity, HPCA 2025, section V: dispatcher.)

    Latency: the first group of a tile is offered ``LATENCY`` cycles after its last beat was taken; with two queries one
    later where the first word visited has one row of its class and the tile has more.

    Throughput: a tile's visits are its (class, word) pairs, one without rows if it is empty. Its rows take

    - one query: exactly max(nonzero, 1) cycles;
    - two queries: at least max(ceil(nonzero / 2), visits), at most the sum over the visits of ceil(rows / 2) (rows of
      the class in the word): a cycle that brings no new word takes two rows out of a word that keeps some. Once, where
      the picker is empty, one cycle more.

    A tile's beats are loaded while the rows of the one before are visited (:class:`TileLoader`): n tiles take
    beats[0] + sum(max(rows[k], beats[k + 1])) + rows[n - 1] cycles at most. With beats in equal number this is
    max(beats, rows) per tile; a long tile behind a short one does not hide its beats in its own rows.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.tile_word`
    o : stream of :func:`reprise.hw.interface.search.sorted_group`
    """

    LATENCY = TileLoader.LATENCY + ClassWalker.LATENCY + RowMemory.LATENCY + RowPicker.LATENCY

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(streams.tile_word(config))),
                "o": Out(stream.Signature(search.sorted_group(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        m.submodules.loader = loader = TileLoader(c)
        m.submodules.walker = walker = ClassWalker(c)
        m.submodules.memory = memory = RowMemory(c)
        m.submodules.skid = skid = SkidBuffer(shape=memory.o.payload.shape())  # here ``ready`` of the picker ends
        m.submodules.picker = picker = RowPicker(c)
        connect(m, flipped(self.i), loader.i)
        connect(m, loader.o, walker.i)
        connect(m, walker.o, memory.i)
        connect(m, memory.o, skid.i)
        connect(m, skid.o, picker.i)
        connect(m, picker.o, flipped(self.o))
        m.d.comb += [
            memory.write.eq(loader.write),
            loader.freed.eq(memory.freed),
            loader.ready.eq(walker.ready),
        ]
        return m
