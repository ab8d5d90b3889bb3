"""The row builder issues the segments of every word of every tile, and so builds the rows of the tiles."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..interface.streams import taken, tile_info
from .extract import piece_control
from .segment_table import k_tile

QUEUE_WORDS = 16
"""Words of the output queue. They are more than the extractor's latency, so that words still flow at full rate although
place for a word is set aside before its first segment is issued."""

QUEUE_LATENCY = 2
"""Cycles from a word's entry into the output queue to its offer."""


class RowBuilder(wiring.Component):
    """Walks over m tiles, their K tiles, their words and their segments, and issues one pair (word, segment) per cycle.

    The segments are the innermost of these four loops. A word is begun only when the output queue has place for it, so
    that the extractor's pipeline never has to stop.

    Members
    -------
    ready, rows, word, release : the row table's read side
    i : In stream of K tiles (SegmentTable.o)
    issue, index : Out, a segment is read; which one
    weight_slot, weight_release, weight_next : the counter of weight slots
    idle_groups : In, groups of channels that the RUN does not have
    mode, depth : In, fields of the RUN, where it has a mode
    control : Out, one cycle later: what belongs to the positions and the segment that are read
    taken : In(1), a finished word leaves the output queue
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "ready": In(1),
                "rows": In(c.count_bits),
                "idle_groups": In(range(c.groups)),
                "word": Out(range(c.tile_beats)),
                "release": Out(1),
                "i": In(stream.Signature(k_tile(c))),
                "issue": Out(1),
                "index": Out(range(c.segments)),
                "weight_slot": In(c.weight_slot_bits),
                "weight_release": In(1),
                "weight_next": Out(1),
                "control": Out(piece_control(c)),
                "taken": In(1),
                **({name: In(shape) for name, shape in taken(c).items()} if c.modes else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        segment = Signal.like(self.i.payload.others)
        following = Signal(range(1, c.tile_beats + 1), init=1)  # the word after this one
        credits = Signal(range(QUEUE_WORDS + 1), init=QUEUE_WORDS)
        tile, inside = self.i.payload, clog2(c.load_rows)
        issue, first, last_segment, last_word = self.issue, Signal(), Signal(), Signal()
        info = Signal(tile_info(c))
        m.d.comb += [
            first.eq(segment == 0),
            last_segment.eq(segment == tile.others),
            # Whether the next word begins behind the last row, without a carry: words go up one by one.
            last_word.eq(
                Mux(self.rows[:inside].any(), self.rows[inside:] == self.word, self.rows[inside:] == following)
            ),
            issue.eq(self.ready & self.i.valid & (~first | (credits != 0))),
            self.index.eq(tile.first + segment),
            self.i.ready.eq(issue & last_segment & last_word),
            self.weight_next.eq(self.i.ready),
            self.release.eq(self.i.ready & tile.last),
            info.weight_slot.eq(self.weight_slot),
            info.weight_release.eq(self.weight_release),
            info.last_k.eq(tile.last),
            info.rows.eq(self.rows),
            info.idle_groups.eq(self.idle_groups),
            *(info[name].eq(getattr(self, name)) for name in (taken(c) if c.modes else ())),
        ]
        m.d.sync += credits.eq(credits - (issue & first) + self.taken)
        with m.If(issue):
            m.d.sync += segment.eq(segment + 1)
            with m.If(last_segment):
                m.d.sync += [segment.eq(0), self.word.eq(Mux(last_word, 0, following))]
                m.d.sync += following.eq(Mux(last_word, 1, following + 1))
        m.d.sync += [
            self.control.valid.eq(issue),
            self.control.first.eq(first),
            self.control.last.eq(last_segment),
            self.control.last_word.eq(last_word),
            self.control.word.eq(self.word),
            self.control.tile.eq(info),
        ]
        return m
