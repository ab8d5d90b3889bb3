"""The segment table says which pieces of feature lines make up the rows of a K tile."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..interface.commands import run_layout, segment_entry
from ..interface.streams import segment_write
from ..lib.fifo import StreamFifo

TILES_AHEAD = 4
"""K tiles that the scan may have found ahead of the reader."""


def k_tile(c: HardwareConfig) -> data.StructLayout:
    """The segments ``first .. first + others`` of a K tile; ``last`` says that its m tile ends with it."""
    return data.StructLayout({"first": range(c.segments), "others": range(c.segments), "last": 1})


class SegmentTable(wiring.Component):
    """Keeps the segments, and scans them to find where each K tile ends.

    The ``last`` flags lie in a memory of their own. A scanner walks over them ahead of the reader, so that the reader
    knows the segments of a K tile before it begins with them. Without it there would be a path from the output of the
    segments' memory to its own address.

    Latency: ``entry`` is the segment that ``index`` named in the cycle before. Throughput: the scanner takes one cycle
    per segment and 2 cycles more per m tile, and runs up to ``TILES_AHEAD`` K tiles ahead.

    Members
    -------
    i_write : In stream of segment_write, the segments to keep (always ready)
    run, start : In, fields of the RUN, and its start
    o : Out stream of the K tiles of every m tile, in order
    read, index : In, a segment is read; which one
    entry : Out, one cycle later: that segment
    unloaded : Out(1), strobe: a K tile needs a segment that this job has not loaded, or one beyond the table's end
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_write": In(stream.Signature(segment_write(c), always_ready=True)),
                "run": In(run_layout(config)),
                "start": In(1),
                "o": Out(stream.Signature(k_tile(c))),
                "read": In(1),
                "index": In(range(c.segments)),
                "entry": Out(segment_entry(c)),
                "unloaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.entries = entries = Memory(shape=segment_entry(c), depth=c.segments, init=[])
        m.submodules.lasts = lasts = Memory(shape=1, depth=c.segments, init=[])
        write, read = entries.write_port(), entries.read_port()
        write_last, read_last = lasts.write_port(), lasts.read_port()
        segment, entry = self.i_write.payload.segment, write.data
        ones = (1 << c.tile_k) - 1
        length_mask = Signal(c.tile_k)
        m.d.comb += [
            length_mask.eq(Mux(segment.length >= c.tile_k, ones, (1 << segment.length[: clog2(c.tile_k)]) - 1)),
            entry.address.eq(segment.address),
            entry.offset.eq(segment.bit - segment.shift),
            entry.ky.eq(segment.ky),
            entry.mask.eq(length_mask << segment.shift[: clog2(c.tile_k)]),
            entry.source.eq(segment.source),
            write.addr.eq(self.i_write.payload.index),
            write.en.eq(self.i_write.valid),
            write_last.addr.eq(self.i_write.payload.index),
            write_last.data.eq(segment.last),
            write_last.en.eq(self.i_write.valid),
            read.addr.eq(self.index),
            read.en.eq(self.read),
            self.entry.eq(read.data),
        ]
        if c.masks:
            m.d.comb += entry.masks.eq(segment.mask)
        self._scan(m, read_last)
        return m

    def _scan(self, m: Module, read_last: ReadPort) -> None:
        c = self.config
        m.submodules.tiles = tiles = StreamFifo(shape=k_tile(c), depth=TILES_AHEAD)
        tile = tiles.i.payload
        wiring.connect(m, wiring.flipped(self.o), tiles.o)
        first = Signal.like(tile.first)
        others = Signal.like(tile.others)  # the segments of this K tile before the one at the memory's output
        m_left = Signal(16)
        k_left = Signal(16)
        index = Signal(range(c.segments))  # the segment whose flag is read in this cycle
        flagged = Signal(range(c.segments))  # the segment whose flag is at the memory's output now
        valid = Signal()
        take = Signal()
        end = Signal()
        m.d.comb += [
            take.eq(valid & tiles.i.ready),
            end.eq(take & read_last.data),
            tile.last.eq(k_left == 1),
            tile.first.eq(first),
            tile.others.eq(others),
            tiles.i.valid.eq(end),
            # The memory's output is held while the queue is full, so that the flag is not lost.
            read_last.addr.eq(index),
            read_last.en.eq(~valid | tiles.i.ready),
        ]
        m.d.sync += self.unloaded.eq(
            take & (~self._loaded(m, flagged) | ((flagged == c.segments - 1) & ~(end & (k_left == 1))))
        )
        with m.If((~valid | tiles.i.ready) & (m_left != 0)):
            m.d.sync += [index.eq(index + 1), flagged.eq(index), valid.eq(1)]
        with m.If(take):
            m.d.sync += others.eq(others + 1)
        with m.If(end):
            m.d.sync += [others.eq(0), first.eq(flagged + 1), k_left.eq(k_left - 1)]
            with m.If(k_left == 1):
                m.d.sync += [m_left.eq(m_left - 1), k_left.eq(self.run.k_tiles), valid.eq(0)]
                m.d.sync += [index.eq(self.run.segment_first), first.eq(self.run.segment_first)]
        with m.If(self.start):
            m.d.sync += [m_left.eq(self.run.m_tiles), k_left.eq(self.run.k_tiles), valid.eq(0), others.eq(0)]
            m.d.sync += [index.eq(self.run.segment_first), first.eq(self.run.segment_first)]

    def _loaded(self, m: Module, index: Value) -> Value:
        """Return whether this job has loaded a segment: loads fill either half of the table in order."""
        half = self.config.segments // 2
        written = self.i_write.payload.index
        ends = [Signal(range(half + 1), name=f"end{h}") for h in range(2)]
        for h, end in enumerate(ends):
            place = written[: clog2(half)]
            with m.If(self.i_write.valid & (written[clog2(half)] == h) & (place >= end)):
                m.d.sync += end.eq(place + 1)
        return index[: clog2(half)] < Mux(index[clog2(half)], ends[1], ends[0])
