"""Sorter: a tile's non-zero rows by popcount."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from . import frontend_layouts, layouts
from .class_walker import ClassWalker
from .config import HardwareConfig
from .fifo import SkidBuffer
from .late import equal
from .row_picker import RowPicker
from .tile_loader import TileLoader


class RowMemory(wiring.Component):
    """The rows of several tiles, in words of one or more beats; which rows of a word are of the visited class.

    Latency: 1 cycle. Throughput: one word per cycle.

    Members
    -------
    write : :func:`hw.frontend_layouts.word_write`
    i : stream of :func:`hw.frontend_layouts.class_visit`
    freed : words that were read for the last time in the cycle before
    o : stream of :func:`hw.frontend_layouts.class_word`
    """

    LATENCY = 1

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "write": In(frontend_layouts.word_write(config)),
                "i": In(stream.Signature(frontend_layouts.class_visit(config))),
                "freed": Out(range(frontend_layouts.words(config) + 1)),
                "o": Out(stream.Signature(frontend_layouts.class_word(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = Signal()
        rows = []
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            step.eq(self.i.valid & self.i.ready),
        ]
        for n, write in enumerate(self.write):
            memory = Memory(shape=write.data.shape(), depth=frontend_layouts.ring_words(self.config), init=[])
            m.submodules[f"beats{n}"] = memory
            writer, reader = memory.write_port(), memory.read_port()
            m.d.comb += [
                writer.en.eq(write.en),
                writer.addr.eq(write.addr),
                writer.data.eq(write.data),
                reader.en.eq(self.i.ready),  # it also reads what no visit asks for: ``o`` is not valid then
                reader.addr.eq(self.i.payload.place),
            ]
            rows += list(reader.data)
        visit, bits = self.o.payload.visit, Signal.like(rows[0].count, reset_less=True)  # bits of a row of the class
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), visit.eq(self.i.payload), bits.eq(self.i.payload.cls + 1)]
        m.d.comb += [kept.eq(row.row) for kept, row in zip(self.o.payload.rows, rows, strict=True)]
        m.d.comb += self.o.payload.mine.eq(Cat(equal(m, row.count, bits) for row in rows))
        arrived = Signal()
        m.d.sync += arrived.eq(step)
        m.d.comb += self.freed.eq(Mux(arrived & visit.last, visit.count, 0))
        return m


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
    i : stream of :func:`hw.layouts.tile_word`
    o : stream of :func:`hw.frontend_layouts.sorted_group`
    """

    LATENCY = TileLoader.LATENCY + ClassWalker.LATENCY + RowMemory.LATENCY + RowPicker.LATENCY

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layouts.tile_word(config))),
                "o": Out(stream.Signature(frontend_layouts.sorted_group(config))),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        m.submodules.loader = loader = TileLoader(c)
        m.submodules.walker = walker = ClassWalker(c)
        m.submodules.memory = memory = RowMemory(c)
        m.submodules.kept = kept = SkidBuffer(shape=memory.o.payload.shape())  # here ``ready`` of the picker ends
        m.submodules.picker = picker = RowPicker(c)
        connect(m, flipped(self.i), loader.i)
        connect(m, loader.o, walker.i)
        connect(m, walker.o, memory.i)
        connect(m, memory.o, kept.i)
        connect(m, kept.o, picker.i)
        connect(m, picker.o, flipped(self.o))
        m.d.comb += [
            memory.write.eq(loader.write),
            loader.freed.eq(memory.freed),
            loader.ready.eq(walker.ready),
        ]
        return m
