"""The class walker names, popcount class by popcount class, the words of the row memory that hold rows of the class."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import HardwareConfig
from ..lib.fanout import COPIES, replicate
from ..lib.logic import encode, late_mux, lowest, precompute, select, several
from ..lib.skid import SkidBuffer
from . import layouts


def chosen_class(c: HardwareConfig) -> data.StructLayout:
    """A class of a tile on its way from :class:`ClassChooser` to :class:`WordWalker`."""
    return data.StructLayout(
        {
            "words": layouts.words(c),  # a bit for each word of the tile: it has a row of the class
            "low": c.row_bits,  # number, in issue order, of the class's first row in the tile
            "high": c.count_bits,  # number of the first row after the class
            "visit": layouts.class_visit(c),  # the walker fills in bases and word, and adds the word to the address
        }
    )


def choose(m: Module, enable: Value, load: Value, new: Value, left: Value, pick: Value, last: Value) -> Value:
    """Build the registers of a walk over set bits, and return what ``last`` becomes in the next cycle.

    Where ``enable`` is 1, ``pick`` takes the lowest set bit (one-hot) of ``new`` if ``load`` is 1, and else that of
    ``left``; ``left`` takes the bits that remain, and ``last`` says that none remains. ``enable`` and ``load`` come
    late, so both outcomes are worked out before they are known: logic inside an ``If`` would wait for the condition.
    """
    picks, rests = [], []
    for coming in (left, new):
        rest = Signal(len(left))
        m.d.comb += rest.eq(coming & (coming - 1))
        picks.append(lowest(m, coming, 1)[0])
        rests.append(rest)
    ends = [precompute(m, ~several(coming)[1], name="ends") for coming in (left, new)]
    ending = late_mux(load, ends[1], ends[0])
    with m.If(enable):
        m.d.sync += [
            pick.eq(Mux(load, picks[1], picks[0])),
            left.eq(Mux(load, rests[1], rests[0])),
            last.eq(ending),
        ]
    return ending


class ClassChooser(wiring.Component):
    """Gives out the popcount classes of a tile that have a row, in ascending order.

    A tile without non-zero rows gives one class without words, so that it is closed like any other tile.

    Latency: 2 cycles. Throughput: one class per cycle, also from one tile to the next. A skid buffer keeps a class that
    is not taken. Therefore it is known a cycle ahead whether the next tile is taken, and ``i.ready``, on which hundreds
    of flip-flops depend, can be a register.

    Members
    -------
    i : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : copies of ``i.ready``, which are right from the second cycle after reset on
    o : stream of :func:`chosen_class`
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layouts.loaded_tile(config))),
                "ready": Out(layouts.MAP_PARTS),
                "o": Out(stream.Signature(chosen_class(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        tile = Signal(layouts.loaded_tile(c), reset_less=True)
        # The next class, one-hot, and the classes after it.
        pick, left = Signal(c.tile_k, reset_less=True), Signal(c.tile_k, reset_less=True)
        first, last = Signal(reset_less=True), Signal(reset_less=True)
        valid, chosen = Signal(), Signal()  # a tile is here; a class is at the output
        m.submodules.skid = skid = SkidBuffer(shape=self.o.payload.shape())
        connect(m, skid.o, flipped(self.o))
        # ``load`` and ``busy`` enable hundreds of flip-flops here, and their copies as many in the tile loader.
        # ``busy`` holds the opposite of ``load``, because synthesis would merge two equal registers into one.
        move, load, busy = Signal(), Signal(init=1), Signal()
        ending = choose(m, load | move, load, self.i.payload.classes, left, pick, last)
        over = ~Mux(move, valid, chosen) | skid.next_ready  # the chosen class moves on in the next cycle
        free = ~Mux(load, self.i.valid, valid) | (over & Mux(load | move, ending, last))
        m.d.sync += [load.eq(free), busy.eq(~free)]
        # The third and the fourth copy are left out: synthesis would merge them with ``load`` and ``busy``
        # (hw/lib/fanout.py).
        ready = replicate(m, free, COPIES, name="ready")
        m.d.comb += self.ready.eq(Cat(ready[:2], ready[4:]))
        m.d.comb += [move.eq(~chosen | skid.i.ready), skid.i.valid.eq(chosen), self.i.ready.eq(~busy)]
        with m.If(move):
            m.d.sync += first.eq(0)
        with m.If(load):
            m.d.sync += [valid.eq(self.i.valid), tile.eq(self.i.payload), first.eq(1)]
        o = skid.i.payload
        with m.If(move):
            m.d.sync += [
                chosen.eq(valid),
                o.words.eq(select(pick, tile.words)),
                o.low.eq(select(pick, [C(0, 1), *(tile.upto[p] for p in range(c.tile_k - 1))])),
                o.high.eq(select(pick, tile.upto)),
                o.visit.cls.eq(encode(pick)),
                o.visit.first.eq(first),
                o.visit.last.eq(last),
                o.visit.count.eq(tile.count),
                o.visit.address.eq(tile.base),
                o.visit.tile.eq(tile.tile),
            ]
        return m


class WordWalker(wiring.Component):
    """Gives out the words of a class in ascending order of their index.

    Latency: 1 cycle. Throughput: one word per cycle, also from one class to the next.

    Members
    -------
    i : stream of :func:`chosen_class`
    o : stream of :func:`reprise.hw.sorter.layouts.class_visit`
    """

    LATENCY = 1

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(chosen_class(config))),
                "o": Out(stream.Signature(layouts.class_visit(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = layouts.words(self.config)
        # The next word, one-hot, and the words after it.
        pick, left = Signal(count, reset_less=True), Signal(count, reset_less=True)
        last = Signal(reset_less=True)
        visit = Signal(layouts.class_visit(self.config), reset_less=True)
        load, move = Signal(), Signal()
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            load.eq(~self.o.valid | (self.o.ready & last)),
            self.i.ready.eq(load),
        ]
        choose(m, move, load, self.i.payload.words, left, pick, last)
        with m.If(move):
            m.d.sync += visit.first.eq(0)
        with m.If(load):
            m.d.sync += [self.o.valid.eq(self.i.valid), visit.eq(self.i.payload.visit)]
            m.d.sync += [base.eq(value) for base, value in zip(visit.bases, self._bases(), strict=True)]
        word = Signal(range(count))
        m.d.comb += [
            word.eq(encode(pick)),
            self.o.payload.eq(visit),
            self.o.payload.last.eq(visit.last & last),
            self.o.payload.word.eq(word),
            self.o.payload.address.eq(visit.address + word),
        ]
        return m

    def _bases(self) -> list[Value]:
        """Return the base of each lane, from which a row's TCAM entry is counted down.

        In issue order the rows of the class have the numbers ``low .. high - 1`` in their tile. With one query these
        are their group indices. With two, the rows of lane ``b`` have the group indices from ``(low + 1 - b) // 2`` to
        ``(high + 1 - b) // 2 - 1``. The sum of the first index and the one after the last is the base: it turns the
        order of these indices around.
        """
        low, high = self.i.payload.low, self.i.payload.high
        if self.config.queries == 1:
            return [low + high]
        return [(low >> 1) + (high >> 1) + low[0] + high[0], (low >> 1) + (high >> 1)]


class ClassWalker(wiring.Component):
    """Visits the pairs (class, word) of a tile in ascending order.

    Together with the order of the rows inside a word this is the order in which rows are issued (Prosperity, HPCA 2025,
    arXiv 2503.03379, section V: the dispatcher's order by popcount). While the words of a class are visited, the next
    class is chosen already.

    A row's TCAM entry will be ``bases[lane] - 1 - group_index``, where ``group_index`` counts the groups of ``queries``
    rows in the tile. Inside a class the entries fall as the group index rises. So the highest entry that matches is the
    row with most bits and, among those, the one with the lowest index. With two queries each lane has a TCAM bank of
    its own, and each bank is ordered by itself.

    Latency: 3 cycles from a tile to its first word. Throughput: one word per cycle, also from one tile to the next; a
    tile without rows takes one cycle. A class waits in a buffer while the words of another are still visited, so that
    no path leads from ``o.ready`` to ``i.ready``.

    Members
    -------
    i : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : copies of ``i.ready``, which are right from the second cycle after reset on
    o : stream of :func:`reprise.hw.sorter.layouts.class_visit`
    """

    LATENCY = ClassChooser.LATENCY + WordWalker.LATENCY

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layouts.loaded_tile(config))),
                "ready": Out(layouts.MAP_PARTS),
                "o": Out(stream.Signature(layouts.class_visit(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.classes = classes = ClassChooser(self.config)
        m.submodules.words = words = WordWalker(self.config)
        connect(m, flipped(self.i), classes.i)
        connect(m, classes.o, words.i)
        connect(m, words.o, flipped(self.o))
        m.d.comb += self.ready.eq(classes.ready)
        return m
