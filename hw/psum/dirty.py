"""The dirty maps, which know what rows of a buffer of a partial-sum bank were updated since they were drained."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

WORDS = 16
"""The most words of the LUT RAM: as many as fit in one cell of common FPGAs. The sweep takes a cycle for each."""


def dirty_words(rows: int, window: int) -> int:
    """Return the number of words of a dirty map: the most of which each is as wide as the window."""
    return max(1, min(WORDS, rows >> (window - 1).bit_length()))


def sweep_layout(words: int) -> data.StructLayout:
    """Return the layout of the word that is being cleared in dirty maps of so many words, if ``en`` is set."""
    return data.StructLayout({"en": 1, "word": range(words)})


class DirtyMap(wiring.Component):
    """Keeps one bit for each row, which says that the row is dirty.

    A row can be looked up in a cycle, ``o = dirty[read]``, and a window of rows, ``marks[n] = dirty[look + n]``, and a
    row can be set to a ``value``. The bits are in LUT RAM, which has no reset. Neighbouring rows share a word, so that
    two words hold any window. A sweep of up to 16 cycles after reset clears it, word by word with all columns at once.
    While the sweep runs, nothing may be written and no answer used.

    Latency: ``o`` and ``marks`` answer in the same cycle; a written bit is seen from the next cycle on.

    Parameters
    ----------
    rows : the number of rows, a power of two
    window : the number of neighbouring rows that are looked up together

    Members
    -------
    read, o : a row that is looked up, and whether it is dirty (one bit, in the same cycle)
    look, marks : the first row of a window, and a bit for each of its rows; those beyond the last row mean nothing
    write : with ``en``, the bit of ``row`` becomes ``value``
    sweep : the word that is being cleared while ``en`` is set
    """

    def __init__(self, rows: int, window: int) -> None:
        self.rows, self.window = rows, window
        self.words = dirty_words(rows, window)
        bits = (rows - 1).bit_length()
        super().__init__(
            {
                "read": In(bits),
                "o": Out(1),
                "look": In(bits),
                "marks": Out(window),
                "write": In(data.StructLayout({"en": 1, "row": bits, "value": 1})),
                "sweep": In(sweep_layout(self.words)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = self.rows // self.words
        low = (columns - 1).bit_length()
        shape = data.ArrayLayout(1, columns)
        m.submodules.memory = memory = Memory(
            shape=shape, depth=self.words, init=[], attrs={"ram_style": "distributed"}
        )
        write = memory.write_port(granularity=1)
        read, first, second = (memory.read_port(domain="comb") for _ in range(3))
        both = Cat(first.data, second.data)
        m.d.comb += [
            read.addr.eq(self.read[low:]),
            self.o.eq(read.data.as_value().bit_select(self.read[:low], 1)),
            first.addr.eq(self.look[low:]),
            second.addr.eq(self.look[low:] + 1),
            self.marks.eq(both >> self.look[:low]),
            write.addr.eq(Mux(self.sweep.en, self.sweep.word, self.write.row[low:])),
            write.data.eq((self.write.value & ~self.sweep.en).replicate(columns)),
            write.en.eq(Cat(self.sweep.en | (self.write.en & (self.write.row[:low] == n)) for n in range(columns))),
        ]
        return m


class Sweep(wiring.Component):
    """Goes through the words of the dirty maps once after reset, one per cycle.

    Parameters
    ----------
    words : the number of words of each dirty map

    Members
    -------
    o : the word that is to be cleared
    done : all words are clear, and the maps may be used
    """

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__({"o": Out(sweep_layout(words)), "done": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self.words + 1))
        m.d.comb += [self.done.eq(count == self.words), self.o.en.eq(~self.done), self.o.word.eq(count)]
        with m.If(~self.done):
            m.d.sync += count.eq(count + 1)
        return m
