"""The dirty maps, which know what rows of a buffer of a partial-sum bank were updated since they were drained."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

WORDS = 16
"""The most words of the LUT RAM: as many as fit in one cell of common FPGAs. The sweep takes a cycle for each."""


def sweep_layout(rows: int) -> data.StructLayout:
    """Return the layout of the word that is being cleared in the dirty maps of ``rows`` rows, if ``en`` is set."""
    return data.StructLayout({"en": 1, "word": range(min(WORDS, rows))})


class DirtyMap(wiring.Component):
    """Keeps one bit for each row, which says that the row is dirty.

    Two rows can be looked up in a cycle, ``o[n] = dirty[read[n]]``, and one can be set to a ``value``. The bits are in
    LUT RAM, which has no reset. A sweep of up to 16 cycles after reset clears it, word by word with all columns at
    once. While the sweep runs, nothing may be written and no answer used.

    Latency: ``o`` answers in the same cycle; a written bit is seen from the next cycle on.

    Parameters
    ----------
    rows : the number of rows, a power of two

    Members
    -------
    read, o : two rows that are looked up, and whether they are dirty (one bit each, in the same cycle)
    write : with ``en``, the bit of ``row`` becomes ``value``
    sweep : the word that is being cleared while ``en`` is set
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
    """Goes through the words of the dirty maps once after reset, one per cycle.

    Parameters
    ----------
    rows : the number of rows of each dirty map, a power of two

    Members
    -------
    o : the word that is to be cleared
    done : all words are clear, and the maps may be used
    """

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
