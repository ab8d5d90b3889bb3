"""The row picker takes the rows of the visited class out of words of the row memory, ``queries`` rows per cycle."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface import search
from ..lib.fanout import replicate
from ..lib.logic import encode, lowest, select, several
from . import layouts


class RowPicker(wiring.Component):
    """Gives out groups of ``queries`` consecutive rows of a tile, in issue order, with their TCAM entries.

    It looks at ``queries`` words at a time. With two queries a row that is left alone in one word waits for the first
    row of the next word, because only the last group of a tile may have a single row. Rows of two tiles are never in
    one group.

    Latency: 2 cycles from the word that completes a group. Throughput: ``queries`` rows and at most one word per cycle.
    With one query a word of n rows takes n cycles. With two it takes at least one and at most ceil(n / 2) cycles, and
    one cycle more, once, where the picker is empty: two words of one row each take two cycles, since the first waits
    for the second.

    Members
    -------
    i : stream of :func:`reprise.hw.sorter.layouts.class_word`; a word without rows stands for an empty tile
    o : stream of :func:`reprise.hw.interface.search.sorted_group`
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layouts.class_word(config))),
                "o": Out(stream.Signature(search.sorted_group(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        layout = layouts.class_word(c)
        words = [Signal(layout, name=f"word{n}", reset_less=True) for n in range(c.queries)]
        valid = [Signal(name=f"valid{n}") for n in range(c.queries)]
        size = len(words[0].mine)
        # The bits of a word mark the rows that are still to be taken. A word of the next tile is not seen before the
        # last word of this tile has left.
        seen = [valid[0]] + [here & ~(valid[0] & words[0].visit.last) for here in valid[1:]]
        bits = Signal(c.queries * size)
        m.d.comb += bits.eq(Cat(word.mine & here.replicate(size) for word, here in zip(words, seen, strict=True)))
        picks = lowest(m, bits, c.queries)
        rest = Signal(len(bits))
        m.d.comb += rest.eq(bits & ~reduce(or_, picks))
        ends = Signal()  # the last row that is seen is the tile's last
        enough, move, fire = Signal(), Signal(), Signal()
        m.d.comb += [
            ends.eq(Cat(here & word.visit.last for word, here in zip(words, seen, strict=True)).any()),
            # ``enough`` is derived from the bits and not from the picks, which come out of a carry chain. A word
            # without rows stands for an empty tile and is the tile's last, so it gives a group too.
            enough.eq(C(1, 1) if c.queries == 1 else ends | several(bits)[1]),
            move.eq(~self.o.valid | self.o.ready),
            fire.eq(move & enough & Cat(seen).any()),
        ]
        left = [Mux(fire & seen[n], rest.word_select(n, size), words[n].mine) for n in range(c.queries)]
        more = [Signal(name=f"more{n}") for n in range(c.queries)]  # some rows of this word stay
        done = [Signal(name=f"done{n}") for n in range(c.queries)]
        for n in range(c.queries):
            stays = several(words[0].mine)[1] if c.queries == 1 else rest.word_select(n, size).any()
            m.d.comb += [more[n].eq(stays), done[n].eq(~valid[n] | (fire & seen[n] & ~more[n]))]
        self._refill(m, words, valid, seen, left, done, fire)
        self._give(m, words, seen, picks, ends & ~Cat(more).any(), move, fire)
        return m

    def _refill(
        self,
        m: Module,
        words: list[data.View],
        valid: list[Signal],
        seen: list[Value],
        left: list[Value],
        done: list[Signal],
        fire: Value,
    ) -> None:
        """Move the words up where the first is done, and take the stream's word into the last place."""
        fill = done[0] if len(words) == 1 else done[0] | done[1]
        m.d.comb += self.i.ready.eq(fill)
        for n, word in enumerate(words):
            m.d.sync += [word.mine.eq(left[n]), valid[n].eq(~done[n])]
            with m.If(fire & seen[n]):
                m.d.sync += word.visit.first.eq(0)
        if len(words) == 2:
            with m.If(done[0]):
                m.d.sync += [
                    words[0].eq(words[1]),
                    words[0].mine.eq(left[1]),
                    words[0].visit.first.eq(words[1].visit.first & ~(fire & ~valid[0])),
                    valid[0].eq(~done[1]),
                ]
        with m.If(fill):
            m.d.sync += [words[-1].eq(self.i.payload), valid[-1].eq(self.i.valid)]

    def _give(
        self,
        m: Module,
        words: list[data.View],
        seen: list[Value],
        picks: list[Signal],
        last: Value,
        move: Value,
        fire: Value,
    ) -> None:
        c, o = self.config, Signal(self.o.payload.shape(), name="given")
        size = len(words[0].mine)
        m.d.comb += self.o.payload.eq(o)
        group_index = Signal(search.entry_bits(c))  # number of the group in its tile
        # The choice stands outside the ``If``, where it would wait for ``move``, which comes late.
        parts = [[pick.word_select(n, size) for n in range(c.queries)] for pick in picks]
        visits, taken = [words[0].visit] * c.queries, [Signal(c.tile_k, name=f"row{n}") for n in range(c.queries)]
        if c.queries == 2:
            visits = [Signal.like(words[0].visit, name=f"visit{lane}") for lane in range(2)]
            for visit, mine in zip(visits, parts, strict=True):
                m.d.comb += visit.eq(Mux(mine[1].any(), words[1].visit, words[0].visit))
        for row, pick in zip(taken, picks, strict=True):
            m.d.comb += row.eq(select(pick, [r for w in words for r in w.rows]))
        queries = []
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(fire),
                o.valid.eq(Cat(pick.any() for pick in picks)),
                o.first.eq(Mux(seen[0], words[0].visit.first, words[-1].visit.first)),
                o.last.eq(last),
                o.tile.eq(Mux(seen[0], words[0].visit.tile, words[-1].visit.tile)),
            ]
            for lane, (row, visit) in enumerate(zip(o.rows, visits, strict=True)):
                queries.append(replicate(m, taken[lane], len(row.query), name=f"query{lane}_"))
                m.d.sync += [
                    row.row.eq(taken[lane]),
                    row.index.eq(Cat(encode(list(reduce(or_, parts[lane]))), visit.word)),
                    row.cls.eq(visit.cls),
                    row.entry.eq(visit.bases[lane] + ~group_index),
                ]
        for row, query in zip(self.o.payload.rows, queries, strict=True):
            m.d.comb += row.query.eq(Cat(query))
        with m.If(fire):
            m.d.sync += group_index.eq(Mux(last, 0, group_index + 1))
