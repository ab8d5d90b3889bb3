"""The data path of im2col, which makes beats of tiles out of row positions and segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import SOURCES
from ..interface.commands import run_layout, segment_entry
from ..interface.streams import tile_info, tile_word
from .row_table import POSITION


def piece_control(c: HardwareConfig) -> data.StructLayout:
    """The control signals that go with one segment of one word of a tile, a word being ``load_rows`` rows."""
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,  # this is the first segment of its word
            "last": 1,  # this is the last segment of its word
            "last_word": 1,  # the word is the last of its tile
            "word": range(c.tile_beats),
            "tile": tile_info(c),
        }
    )


class Extractor(wiring.Component):
    """Cuts the bits that a segment names out of feature lines, for ``load_rows`` rows at once.

    It is a pipeline of five stages in which no stage ever waits:

    1. The position ``b = x + bit - shift`` of the row's bit 0 in the line, the line's y and its address are added up.
    2. The word address is worked out, whether y is in range, and how far b is from the ends of the line.
    3. The masks are made while the feature buffer is read.
    4. The bits that were read are shifted by whole quarters of a feature word, since block RAM is slow.
    5. They are shifted by the rest and masked. After that the pieces of a word are merged; where segments can mask each
       other, the bits of one that does are those that stay.

    Latency: ``LATENCY`` cycles from the issue of a word's last segment to the word. What belongs to a segment is at the
    inputs one cycle after its issue, and its positions a cycle later: which of the sources they are of is known then.

    Members
    -------
    run : In, fields of the RUN
    control, segment, positions : In, what belongs to one segment of one word, in each cycle
    source : Out, the source of ``segment``
    read, address : Out, something is read; x load_rows, words of the feature buffer to be read
    window, stale : In x load_rows, ``2 * feature_bits`` bits each: what the feature buffer answers, one cycle later;
        which of the window's two words this job has not loaded
    o_valid, o : Out, finished words
    unloaded : Out(1), strobe, in the cycle of the word: a bit was taken from an on-chip word that this job has not
        loaded, or from beyond the end of the feature buffer
    """

    LATENCY = 8

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(config)),
                "control": In(piece_control(c)),
                "segment": In(segment_entry(c)),
                "source": Out(range(SOURCES)),
                "positions": In(data.ArrayLayout(POSITION, c.load_rows)),
                "read": Out(1),
                "address": Out(range(c.feature_words)).array(c.load_rows),
                "window": In(2 * c.feature_bits).array(c.load_rows),
                "stale": In(2).array(c.load_rows),
                "unloaded": Out(1),
                "o_valid": Out(1),
                "o": Out(tile_word(c)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        controls = [Signal(piece_control(c), name="control0")]
        segment = Signal(segment_entry(c))
        m.d.sync += [controls[0].eq(self.control), segment.eq(self.segment)]
        m.d.comb += self.source.eq(self.segment.source)
        for stage in range(1, 6):
            controls.append(Signal(piece_control(c), name=f"control{stage}"))
            m.d.sync += controls[stage].eq(controls[stage - 1])
        m.d.comb += self.read.eq(controls[2].valid)
        masks = [Signal(c.tile_k, name=f"mask{stage}") for stage in range(1, 3)]
        inside = Signal(c.tile_k)  # the bits of a row that the run's K tiles have
        m.d.sync += [
            inside.eq(Cat(self.run.tile_depth > k for k in range(c.tile_k))),
            masks[0].eq(segment.mask & inside),
            masks[1].eq(masks[0]),
        ]
        lines = Signal(16)
        line_bits = Signal(16)
        m.d.sync += [
            lines.eq(Array(self.run[f"lines{s}"] for s in range(SOURCES))[segment.source]),
            line_bits.eq(Array(self.run[f"line_bits{s}"] for s in range(SOURCES))[segment.source]),
        ]
        merge = self._merge(m, segment, controls[5].first, masks[1])
        missing = Signal(c.load_rows)
        m.d.sync += self.unloaded.eq(missing.any())
        for r in range(c.load_rows):
            outside = Signal(name=f"outside{r}")  # the row is beyond the m tile's last row
            row = controls[1].word * c.load_rows + r
            m.d.comb += outside.eq((row >= controls[1].tile.rows) | ~controls[1].valid)
            bits = self._row(m, r, segment, outside, lines, line_bits, masks, missing[r])
            merged = self.o.rows[r]
            m.d.sync += merged.eq(merge(bits, merged))
        m.d.sync += [
            self.o_valid.eq(controls[5].valid & controls[5].last),
            self.o.last.eq(controls[5].last_word),
            self.o.tile.eq(controls[5].tile),
        ]
        return m

    def _merge(self, m: Module, segment: data.View, first: Value, mask: Signal) -> Callable[[Value, Value], Value]:
        """Return what makes of a segment's bits, and of those that its word has so far, those that it has then.

        ``mask`` has the bits of the K tile that a segment fills, three stages before it is merged; ``segment`` is five
        stages before it.
        """

        def added(bits: Value, merged: Value) -> Value:
            return bits | Mux(first, 0, merged)

        if not self.config.masks:
            return added
        masking = [Signal(name=f"masking{stage}") for stage in range(1, 6)]
        places = [Signal.like(mask, name=f"places{stage}") for stage in range(3, 6)]
        m.d.sync += Cat(masking).eq(Cat(segment.masks, masking[:-1]))
        m.d.sync += Cat(places).eq(Cat(mask, places[:-1]))

        def masked(bits: Value, merged: Value) -> Value:
            return Mux(masking[4], Mux(first, 0, merged) & (bits | ~places[2]), added(bits, merged))

        return masked

    def _row(
        self,
        m: Module,
        r: int,
        segment: data.View,
        outside: Value,
        lines: Value,
        line_bits: Value,
        masks: list[Signal],
        missing: Value,
    ) -> Signal:
        """Build the pipeline of one row and return its bits after stage 5; set ``missing`` a cycle later.

        Its registers take no reset: what they hold leaves them while the control that goes along is reset.
        """
        c = self.config
        k, word_bits = c.tile_k, clog2(c.feature_bits)
        ones = (1 << k) - 1

        def register(shape: ShapeLike, name: str) -> Any:
            return Signal(shape, name=f"{name}{r}", reset_less=True)

        position = self.positions[r]
        bit = register(signed(19), "bit")
        y = register(signed(17), "y")
        line = register(16, "line")
        m.d.sync += [
            bit.eq(position.x + segment.offset),
            y.eq(position.y + segment.ky),
            line.eq(position.address + segment.address),
        ]
        bit2, room, inside = register(signed(19), "bit2_"), register(signed(20), "room"), register(1, "inside")
        word = Signal(signed(20), name=f"word{r}")
        m.d.comb += word.eq(line + (bit >> word_bits))
        m.d.sync += [
            self.address[r].eq(word),
            bit2.eq(bit),
            room.eq(line_bits - bit),
            inside.eq((y >= 0) & (y < lines) & ~outside),
        ]
        shift, mask = register(word_bits, "shift"), register(k, "mask")
        low, high = register(k, "low"), register(k, "high")
        before = -bit2  # number of the row's bits that lie before the beginning of the line
        m.d.comb += [
            low.eq(Mux(bit2 >= 0, ones, Mux(bit2 <= -k, 0, (ones << before[: clog2(k)]) & ones))),
            high.eq(Mux(room <= 0, 0, Mux(room >= k, ones, (1 << room[: clog2(k)]) - 1))),
        ]
        m.d.sync += [shift.eq(bit2[:word_bits]), mask.eq(Mux(inside, low & high & masks[1], 0))]
        self._check_row(m, r, word, shift, mask, missing)
        few = max(0, word_bits - 2)  # the shift by less than a quarter of a word has so many bits
        coarse, fine, through = register(k + (1 << few) - 1, "coarse"), register(few, "fine"), register(k, "through")
        m.d.sync += [
            coarse.eq(self.window[r] >> (shift[few:] << few)),
            fine.eq(shift[:few]),
            through.eq(mask),
        ]
        bits = register(k, "bits")
        m.d.sync += bits.eq((coarse >> fine)[:k] & through)
        return bits

    def _check_row(self, m: Module, r: int, word: Value, shift: Value, mask: Value, missing: Value) -> None:
        """Find out whether a bit that the mask lets through comes from a word that may not be read."""
        c = self.config
        inside = clog2(c.feature_words)
        beyond = [Signal(2, name=f"beyond{r}_{stage}") for stage in range(2)]  # either word of the window
        follows = Signal(len(word) - inside, name=f"follows{r}")  # the upper bits of the window's second word
        m.d.comb += follows.eq(word[inside:] + word[:inside].all())
        m.d.sync += [beyond[0].eq(Cat(word[inside:].any(), follows.any())), beyond[1].eq(beyond[0])]
        first = Signal(c.tile_k, name=f"first{r}")  # the bits of the row that lie in the first word
        used, bad = Signal(2, name=f"used{r}"), Signal(2, name=f"bad{r}")
        m.d.comb += first.eq(Const((1 << c.feature_bits) - 1, c.feature_bits) >> shift)
        m.d.sync += [
            used.eq(Cat((mask & first).any(), (mask & ~first).any())),
            bad.eq(self.stale[r] | beyond[1]),
            missing.eq((used & bad).any()),
        ]
