"""Class walker: the words of the row memory that hold rows of a popcount class, class by class."""

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
            "words": layouts.words(c),  # those with a row of the class
            "low": c.row_bits,  # first group_index of the class
            "high": c.count_bits,  # first group_index after it
            "visit": layouts.class_visit(c),  # without bases, word, address
        }
    )


def choose(m: Module, enable: Value, load: Value, new: Value, left: Value, pick: Value, last: Value) -> Value:
    """Registers of a walk over set bits: the lowest bit of ``new`` or ``left``, those after it, whether it is the last.

    Both outcomes are worked out before ``enable`` and ``load`` are known, which come late: no logic stands in an
    ``If``, which would let it wait for the condition. Returns what ``last`` becomes.
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
    """Ascending popcount classes of a tile, without those that have no row; an empty tile gives one without words.

    Latency: 2 cycles. Throughput: one class per cycle, over tile borders too. A class that is not taken is kept, so
    that it is known a cycle ahead whether a tile is taken: ``i.ready`` is a register, as hundreds hang on it.

    Members
    -------
    i : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : copies of ``i.ready``, from the second cycle after reset
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
        pick, left = Signal(c.tile_k, reset_less=True), Signal(c.tile_k, reset_less=True)  # next class, those after it
        first, last = Signal(reset_less=True), Signal(reset_less=True)
        valid, chosen = Signal(), Signal()  # a tile, a class at the output
        m.submodules.skid = skid = SkidBuffer(shape=self.o.payload.shape())
        connect(m, skid.o, flipped(self.o))
        # They enable hundreds of flip-flops here, their copies as many in the loader. One holds the opposite, since
        # synthesis makes one register of two equal ones.
        move, load, busy = Signal(), Signal(init=1), Signal()
        ending = choose(m, load | move, load, self.i.payload.classes, left, pick, last)
        over = ~Mux(move, valid, chosen) | skid.next_ready  # the chosen class moves on in the next cycle
        free = ~Mux(load, self.i.valid, valid) | (over & Mux(load | move, ending, last))
        m.d.sync += [load.eq(free), busy.eq(~free)]
        # Not the third and the fourth, which would be one with these two (hw/lib/fanout.py).
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
    """Ascending words of a class.

    Latency: 1 cycle. Throughput: one word per cycle, over class borders too.

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
        pick, left = Signal(count, reset_less=True), Signal(count, reset_less=True)  # next word, those after it
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
        """Turns low..high-1 of the class; those of lane b are (low + 1 - b) // 2 .. (high + 1 - b) // 2 - 1."""
        low, high = self.i.payload.low, self.i.payload.high
        if self.config.queries == 1:
            return [low + high]
        return [(low >> 1) + (high >> 1) + low[0] + high[0], (low >> 1) + (high >> 1)]


class ClassWalker(wiring.Component):
    """Visits (class, word) in ascending order: with the rows' order inside a word this is the issue order.

    While the words of a class are visited the next class is chosen already. ``bases[lane] - 1 - group_index`` will be
    a row's TCAM entry (``group_index`` counts the groups of ``queries`` rows in the tile). Inside a class entries fall
    with the group index, so the highest entry that matches is the one with most bits and, among those, the lowest
    index. With two queries even and odd groups use separate TCAM banks, each ordered by itself.

    Latency: 3 cycles from a tile to its first word. Throughput: one word per cycle, over tile borders too; a tile
    without rows takes one cycle. A class is kept where the words of another are still visited, so that ``o.ready``
    goes no further.

    Members
    -------
    i : stream of :func:`reprise.hw.sorter.layouts.loaded_tile`
    ready : copies of ``i.ready``, from the second cycle after reset
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
