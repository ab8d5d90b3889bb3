"""The sorter gives out the non-zero rows of a tile by ascending popcount."""

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
    """Brings the rows of a tile into issue order: by ascending popcount, and rows of equal popcount by index.

    Rows without a set bit are left out.

    ::

        i -> TileLoader -----------> ClassWalker -> RowMemory -> RowPicker -> o
                 | maps, histogram     class, word   rows           groups
                 +----- beats ----------------------> RowMemory

    No row moves before it is issued. The loader notes which words have rows of which popcount class, the walker visits
    these words class by class, and the picker takes the rows of the class. Nothing has to be sorted first, so a tile's
    first row comes a few cycles after its last beat, whatever the tile holds. A skid buffer keeps a word that the
    picker does not take, so that the picker's ``ready`` goes no further back than the row memory's output.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V: the dispatcher orders rows by popcount;
    docs/decisions/0002-visit-words-by-popcount.md says why it is done here in this way.)

    Latency: the first group of a tile is offered ``LATENCY`` cycles after the tile's last beat was taken. With two
    queries it comes one cycle later if the first word visited has only one row of its class and the tile has more rows.

    Throughput: the visits of a tile are its pairs (class, word); an empty tile has one visit without rows. The rows of
    a tile take

    - with one query: exactly max(nonzero, 1) cycles;
    - with two queries: at least max(ceil(nonzero / 2), visits) cycles, and at most the sum of ceil(rows / 2) over the
      visits, where ``rows`` counts the rows of the class in the word: a cycle that brings no new word takes two rows
      out of a word that keeps some. It is one cycle more, once, where the picker is empty.

    The beats of a tile are loaded while the rows of the tile before are visited (:class:`TileLoader`). So n tiles take
    at most beats[0] + sum(max(rows[k], beats[k + 1])) + rows[n - 1] cycles. If all tiles have equally many beats, this
    is max(beats, rows) cycles per tile. The beats of a long tile behind a short one are not hidden, since they can
    overlap only with the rows of the short one.

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
        m.submodules.skid = skid = SkidBuffer(shape=memory.o.payload.shape())  # the picker's ``ready`` ends here
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
