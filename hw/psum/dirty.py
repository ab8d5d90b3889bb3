"""Which rows of a buffer of a partial-sum bank were updated since it was drained."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

WORDS = 16
"""Depth of the LUT RAM: one cell of common FPGAs. The sweep after reset takes as many cycles."""


def sweep_layout(rows: int) -> data.StructLayout:
    """The word of the dirty maps that is being cleared."""
    return data.StructLayout({"en": 1, "word": range(min(WORDS, rows))})


class DirtyMap(wiring.Component):
    """One bit per row: ``o[n] = dirty[read[n]]`` for two rows; ``write`` sets one to ``value``.

    LUT RAM has no reset, so a sweep of 16 cycles after reset clears it, all columns at once; nothing may be written
    or asked while ``sweep`` runs.

    Parameters
    ----------
    rows : rows, a power of two.

    Members
    -------
    read, o : two rows to look at and whether they were dirty (in the same cycle)
    write : row, value and enable
    sweep : word that is being cleared, while valid
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.words = min(WORDS, rows)
        bits = (rows - 1).bit_length()
        super().__init__(
            {
                "read": In(data.ArrayLayout(bits, 2)),
                "o": Out(2),
                "write": In(data.StructLayout({"en": 1, "row": bits, "value": 1})),
                "sweep": In(sweep_layout(rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = self.rows // self.words
        low = (self.words - 1).bit_length()
        shape = data.ArrayLayout(1, columns)
        m.submodules.memory = memory = Memory(
            shape=shape, depth=self.words, init=[], attrs={"ram_style": "distributed"}
        )
        write = memory.write_port(granularity=1)
        for o, row in zip(self.o, self.read, strict=True):
            read = memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(row[:low]), o.eq(read.data.as_value().bit_select(row[low:], 1))]
        m.d.comb += [
            write.addr.eq(Mux(self.sweep.en, self.sweep.word, self.write.row[:low])),
            write.data.eq((self.write.value & ~self.sweep.en).replicate(columns)),
            write.en.eq(Cat(self.sweep.en | (self.write.en & (self.write.row[low:] == n)) for n in range(columns))),
        ]
        return m


class Sweep(wiring.Component):
    """Counts through the words of the dirty maps after reset, then ``done``."""

    def __init__(self, rows: int) -> None:
        self.words = min(WORDS, rows)
        super().__init__(
            {"o": Out(sweep_layout(rows)), "done": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self.words + 1))
        m.d.comb += [self.done.eq(count == self.words), self.o.en.eq(~self.done), self.o.word.eq(count)]
        with m.If(~self.done):
            m.d.sync += count.eq(count + 1)
        return m
