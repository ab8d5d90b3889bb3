"""The memory that holds the rows of several tiles while they are sorted."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..lib.logic import equal
from . import layouts as frontend_layouts


class RowMemory(wiring.Component):
    """Keeps the rows of several tiles and reads, for each visit, one word and which of its rows are of the class.

    A word holds one or more beats of rows (:func:`reprise.hw.sorter.layouts.word_beats`).

    Latency: 1 cycle. Throughput: one word per cycle.

    Members
    -------
    write : :func:`reprise.hw.sorter.layouts.word_write`
    i : stream of :func:`reprise.hw.sorter.layouts.class_visit`
    freed : number of words that were read for the last time in the cycle before
    o : stream of :func:`reprise.hw.sorter.layouts.class_word`
    """

    LATENCY = 1

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "write": In(frontend_layouts.word_write(config)),
                "i": In(stream.Signature(frontend_layouts.class_visit(config))),
                "freed": Out(range(frontend_layouts.words(config) + 1)),
                "o": Out(stream.Signature(frontend_layouts.class_word(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
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
                reader.en.eq(self.i.ready),  # it reads without a visit too; ``o`` is not valid then
                reader.addr.eq(self.i.payload.address),
            ]
            rows += list(reader.data)
        # ``bits`` is the popcount of the visited class.
        visit, bits = self.o.payload.visit, Signal.like(rows[0].count, reset_less=True)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), visit.eq(self.i.payload), bits.eq(self.i.payload.cls + 1)]
        m.d.comb += [out.eq(row.row) for out, row in zip(self.o.payload.rows, rows, strict=True)]
        m.d.comb += self.o.payload.mine.eq(Cat(equal(m, row.count, bits) for row in rows))
        arrived = Signal()
        m.d.sync += arrived.eq(step)
        m.d.comb += self.freed.eq(Mux(arrived & visit.last, visit.count, 0))
        return m
