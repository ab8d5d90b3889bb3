"""im2col on the fly: a table of segments says which bits of which feature lines make up the rows of the tiles."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.commands import run_layout
from ..interface.streams import epoch_bits, feature_banks, feature_write, segment_write, tile_word
from ..lib.fifo import StreamFifo
from .extract import Extractor
from .feature_buffer import FeatureBuffer
from .row_builder import QUEUE_LATENCY, QUEUE_WORDS, RowBuilder
from .row_table import RowTable
from .segment_table import SegmentTable


class WeightSlotCounter(wiring.Component):
    """Counts the weight slots of the tiles of a run.

    The slots go round robin. When the weights are kept (``weights_keep``), every m tile uses the same slots.

    Members
    -------
    run, start : In, fields of the RUN, and its start
    next : In(1), the builder goes on to the next K tile
    last_k : In(1), with ``next``: the K tile that ends was the last of its m tile
    weight_slot : Out, slot of the current K tile
    release : Out(1), nobody needs the slot's weights after the current tile
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(config)),
                "start": In(1),
                "next": In(1),
                "last_k": In(1),
                "weight_slot": Out(c.weight_slot_bits),
                "release": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        # ``base`` is the first slot of the run. A run that finds its weights ready begins there again.
        base = Signal(c.weight_slot_bits)
        following = Signal(c.weight_slot_bits)
        m_left = Signal(16)
        m.d.comb += [
            following.eq(Mux(self.weight_slot == c.weight_tiles - 1, 0, self.weight_slot + 1)),
            self.release.eq(~self.run.weights_keep | ((m_left == 1) & ~self.run.weights_hold)),
        ]
        with m.If(self.next):
            m.d.sync += self.weight_slot.eq(following)
            with m.If(self.last_k):
                m.d.sync += m_left.eq(m_left - 1)
                with m.If(self.run.weights_keep & (m_left != 1)):
                    m.d.sync += self.weight_slot.eq(base)
        with m.If(self.start):
            m.d.sync += m_left.eq(self.run.m_tiles)
            with m.If(self.run.weights_ready):
                m.d.sync += self.weight_slot.eq(base)
            with m.Else():
                m.d.sync += base.eq(self.weight_slot)
        return m


class Im2col(wiring.Component):
    """Makes the beats of all K tiles of all m tiles of a run out of the feature lines on chip.

    A segment fills the bits ``[shift, shift+length)`` of row r of a K tile. It takes them from the line that begins at
    on-chip word ``address[r] + segment.address``, from bit ``x[r] + bit`` on. Bits outside 0..line_bits-1 and lines
    whose y is outside 0..lines-1 read as zero.

    Throughput: one segment of ``load_rows`` rows per cycle, without a bubble between words, K tiles and m tiles. An m
    tile of w words takes ``w * segments`` cycles, or as many as the row table for the next m tile, if these are more.
    Latency: a word is offered ``LATENCY`` cycles after the issue of its last segment.

    Parameters
    ----------
    config : the hardware configuration

    Members
    -------
    run : In, fields of the RUN (constant from ``prepare`` until it has ended)
    prepare : In(1), strobe: generate the positions of the rows of the run's first m tiles
    start : In(1), strobe that comes later: the run's features and segments are on chip
    i_features : In stream of feature_write (always ready)
    i_segments : In stream of segment_write (always ready)
    o : Out stream of tile words
    busy : Out(1), from ``prepare`` until the run's last word is taken
    epoch, clear, clear_entry : In, of the job, and what the feature buffer is to clear between jobs
    unloaded : Out(1), strobe: the run needs a segment or an on-chip word that its job has not loaded
    """

    LATENCY = Extractor.LATENCY + QUEUE_LATENCY

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(config)),
                "prepare": In(1),
                "start": In(1),
                "i_features": In(stream.Signature(feature_write(c), always_ready=True)),
                "i_segments": In(stream.Signature(segment_write(c), always_ready=True)),
                "o": Out(stream.Signature(tile_word(c))),
                "busy": Out(1),
                "epoch": In(epoch_bits(c)),
                "clear": In(1),
                "clear_entry": In(range(c.feature_words // feature_banks(c))),
                "unloaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.row_table = table = RowTable(c)
        m.submodules.segment_table = segments = SegmentTable(c)
        m.submodules.weight_slots = weight_slots = WeightSlotCounter(c)
        m.submodules.builder = builder = RowBuilder(c)
        m.submodules.features = features = FeatureBuffer(c)
        m.submodules.extractor = extractor = Extractor(c)
        m.submodules.queue = queue = StreamFifo(shape=tile_word(c), depth=QUEUE_WORDS, latency=QUEUE_LATENCY)
        wiring.connect(m, segments.o, builder.i)
        wiring.connect(m, wiring.flipped(self.i_features), features.i_write)
        wiring.connect(m, wiring.flipped(self.i_segments), segments.i_write)
        wiring.connect(m, wiring.flipped(self.o), queue.o)
        for block in (table, segments, weight_slots, extractor):
            m.d.comb += block.run.eq(self.run)
        m.d.comb += [table.start.eq(self.prepare), weight_slots.start.eq(self.prepare), segments.start.eq(self.start)]
        for r in range(c.load_rows):
            m.d.comb += [features.address[r].eq(extractor.address[r]), extractor.window[r].eq(features.window[r])]
            m.d.comb += extractor.stale[r].eq(features.stale[r])
        m.d.comb += [getattr(features, name).eq(getattr(self, name)) for name in ("epoch", "clear", "clear_entry")]
        m.d.comb += self.unloaded.eq(extractor.unloaded | segments.unloaded)
        left = Signal(16)
        taken = Signal()
        m.d.comb += [
            builder.ready.eq(table.ready),
            builder.rows.eq(table.rows),
            builder.idle_groups.eq(c.groups - self.run.groups),
            table.word.eq(builder.word),
            table.release.eq(builder.release),
            segments.index.eq(builder.index),
            segments.read.eq(builder.issue),
            table.read.eq(builder.control.valid),
            features.read.eq(extractor.read),
            builder.weight_slot.eq(weight_slots.weight_slot),
            builder.weight_release.eq(weight_slots.release),
            weight_slots.next.eq(builder.weight_next),
            weight_slots.last_k.eq(builder.release),
            extractor.control.eq(builder.control),
            extractor.segment.eq(segments.entry),
            table.source.eq(extractor.source),
            extractor.positions.eq(table.positions),
            queue.i.payload.eq(extractor.o),
            queue.i.valid.eq(extractor.o_valid),
            taken.eq(self.o.valid & self.o.ready),
            builder.taken.eq(taken),
            self.busy.eq(left != 0),
        ]
        if c.modes:
            m.d.comb += [builder.mode.eq(self.run.mode), builder.depth.eq(self.run.tile_depth)]
        with m.If(taken & self.o.payload.last & self.o.payload.tile.last_k):
            m.d.sync += left.eq(left - 1)
        with m.If(self.prepare):
            m.d.sync += left.eq(self.run.m_tiles)
        return m
