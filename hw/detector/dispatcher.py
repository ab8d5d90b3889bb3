"""The dispatcher puts pruned rows into the processor's queues and announces the tiles that they belong to."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import HardwareConfig
from ..interface import streams
from ..interface.row_order import bank_of
from ..lib.fifo import PushFifo, SmallFifo
from ..lib.logic import late_mux, precompute
from ..lib.skid import SkidBuffer
from . import layouts as frontend_layouts

BEGINS = 2
"""Announced tiles that may wait unread. The number bounds how far the front-end runs ahead of the processor."""
ENDS = 16
"""Tiles that may have been announced while their end has not been read."""


def queue_margin(config: HardwareConfig, flight: int) -> int:
    """Return how many rows may still come into a queue after its level was looked at.

    They are the rows of ``flight`` cycles, and of three more for the registers of the level, of ``room`` and of the
    pushed rows.
    """
    return config.queries * (flight + 3)


def queue_depth(config: HardwareConfig, flight: int) -> int:
    """Return how many rows a queue holds: a power of two, at least two full tiles and at least four margins."""
    return 1 << (max(2 * config.tile_m, 4 * queue_margin(config, flight)) - 1).bit_length()


class Dispatcher(wiring.Component):
    """Hands rows with a residual to ``o_compute`` and exact matches to ``o_reuse`` of their bank, in issue order.

    Every tile is announced by ``o_begin`` before its rows come, and closed by ``o_end`` after the last of them was
    pushed into a queue. An exact match carries how many compute rows of its tile precede it: when they are done, the
    result of its prefix is known. (Prosperity, HPCA 2025, arXiv 2503.03379, section V: dispatcher.)

    Latency: 3 cycles from ``i`` to ``o_compute`` or ``o_reuse``, and 1 cycle to ``o_end``. Throughput: up to
    ``queries`` rows per cycle come in, and each output stream gives one row per cycle. ``i`` cannot be stopped, so
    ``room`` leaves place for the rows that are still in the detector and the pruner.

    Parameters
    ----------
    config : HardwareConfig
    flight : cycles from the detector's taking a row, which ``room`` allows, to that row's arrival at ``i``

    Members
    -------
    i : :func:`reprise.hw.detector.layouts.pruned_group`, no backpressure
    begin : a tile begins: the detector takes its first group, some cycles before that group is at ``i``
    tile : :func:`reprise.hw.interface.streams.tile_info` of the tile that begins
    room : another group may be taken
    tile_room : another tile may begin
    o_begin : stream of :func:`reprise.hw.interface.streams.tile_begin`
    o_end : stream of :func:`reprise.hw.interface.streams.tile_end`
    o_compute : stream of :func:`reprise.hw.interface.streams.compute_row`
    o_reuse : banks x stream of :func:`reprise.hw.interface.streams.reuse_row`
    """

    LATENCY = 3

    def __init__(self, config: HardwareConfig, *, flight: int) -> None:
        self.config = config
        self._margin, self._depth = queue_margin(config, flight), queue_depth(config, flight)
        super().__init__(
            {
                "i": In(frontend_layouts.pruned_group(config)),
                "begin": In(1),
                "tile": In(streams.tile_info(config)),
                "room": Out(1),
                "tile_room": Out(1),
                "o_begin": Out(stream.Signature(streams.tile_begin(config))),
                "o_end": Out(stream.Signature(streams.tile_end(config))),
                "o_compute": Out(stream.Signature(streams.compute_row(config))),
                "o_reuse": Out(stream.Signature(streams.reuse_row(config))).array(config.banks),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        tag = Signal(streams.TAG_BITS)  # number of the tile at ``i``
        before = [Signal(c.count_bits, name=f"before{lane}") for lane in range(c.queries + 1)]
        computes = Signal(c.count_bits)
        is_compute = [row.valid & ~row.exact for row in self.i.rows]
        m.d.comb += before[0].eq(computes)
        m.d.comb += [before[n + 1].eq(before[n] + is_compute[n]) for n in range(c.queries)]
        closes = self.i.valid & self.i.last
        with m.If(self.i.valid):
            m.d.sync += computes.eq(Mux(self.i.last, 0, before[-1]))
        m.d.sync += tag.eq(tag + closes)

        m.submodules.compute = compute = PushFifo(shape=streams.compute_row(c), depth=self._depth, pushes=c.queries)
        self._offer(m, "compute", compute, self.o_compute)
        for lane, row in enumerate(self.i.rows):
            m.d.comb += [
                compute.push[lane].en.eq(is_compute[lane]),
                compute.push[lane].data.tag.eq(tag),
                compute.push[lane].data.residual.eq(row.residual),
                compute.push[lane].data.has_prefix.eq(row.has_prefix),
                compute.push[lane].data.prefix.eq(row.prefix),
                compute.push[lane].data.result.eq(row.result),
                compute.push[lane].data.row.eq(row.index),
                *([compute.push[lane].data.slots.eq(row.slots)] if c.modes else []),
            ]
        levels, reuses = [compute.level], []
        for bank in range(c.banks):
            fifo, count = self._reuse(m, bank, tag, before, closes)
            levels.append(fifo.level)
            reuses.append(count)
        full = [level > self._depth - self._margin for level in levels]
        m.d.sync += self.room.eq(~sum(full[1:], start=full[0]).any())
        self._tiles(m, tag, closes, before[-1], reuses)
        return m

    def _offer(self, m: Module, name: str, fifo: PushFifo, o: stream.Interface) -> None:
        """Connect a queue to its output stream, through a skid buffer.

        The processor decides its ``ready`` late in the cycle; the skid buffer keeps it from the queue's logic.
        """
        m.submodules[f"{name}_skid"] = skid = SkidBuffer(shape=o.payload.shape())
        connect(m, fifo.o, skid.i)
        connect(m, skid.o, flipped(o))

    def _reuse(self, m: Module, bank: int, tag: Value, before: list[Signal], closes: Value) -> tuple[PushFifo, Value]:
        """Build the queue of one bank, and return it and the number of the bank's exact matches in this tile so far."""
        c = self.config
        m.submodules[f"reuse{bank}"] = fifo = PushFifo(shape=streams.reuse_row(c), depth=self._depth, pushes=c.queries)
        self._offer(m, f"reuse{bank}", fifo, self.o_reuse[bank])
        total = Signal(c.count_bits, name=f"reuses{bank}")
        count = total
        for lane, row in enumerate(self.i.rows):
            mine = row.valid & row.exact & (bank_of(c, row.index) == bank)
            m.d.comb += [
                fifo.push[lane].en.eq(mine),
                fifo.push[lane].data.tag.eq(tag),
                fifo.push[lane].data.prefix.eq(row.prefix),
                fifo.push[lane].data.row.eq(row.index),
                fifo.push[lane].data.after.eq(before[lane]),
            ]
            count = count + fifo.push[lane].en
        m.d.sync += total.eq(Mux(closes, 0, count))
        return fifo, count

    def _tiles(self, m: Module, tag: Value, closes: Value, computes: Value, reuses: list[Value]) -> None:
        """Build the queues that announce tiles and close them."""
        c = self.config
        m.submodules.begins = begins = SmallFifo(shape=streams.tile_begin(c), depth=BEGINS)
        m.submodules.ends = ends = SmallFifo(shape=streams.tile_end(c), depth=ENDS)
        connect(m, begins.o, flipped(self.o_begin))
        connect(m, ends.o, flipped(self.o_end))
        number = Signal(streams.TAG_BITS)  # number of the tile that begins next
        m.d.sync += number.eq(number + self.begin)
        room = [
            self._room(m, BEGINS, self.o_begin.valid & self.o_begin.ready),
            self._room(m, ENDS, self.o_end.valid & self.o_end.ready),
        ]
        m.d.comb += [
            self.tile_room.eq(Cat(room).all()),
            begins.i.valid.eq(self.begin),
            begins.i.payload.tag.eq(number),
            begins.i.payload.tile.eq(self.tile),
            ends.i.valid.eq(closes),
            ends.i.payload.tag.eq(tag),
            ends.i.payload.computes.eq(computes),
        ]
        m.d.comb += [ends.i.payload.reuses[bank].eq(count) for bank, count in enumerate(reuses)]

    def _room(self, m: Module, most: int, read: Value) -> Signal:
        """Return a register that says that fewer than ``most`` of the tiles that began are unread.

        Its value is worked out a cycle ahead, because the whole sorter moves or waits with it.
        """
        unread, room = Signal(range(most + 1), name=f"unread{most}"), Signal(init=1, name=f"room{most}")
        less, more = precompute(m, (unread - 1)[: len(unread)]), precompute(m, (unread + 1)[: len(unread)])
        last, full = precompute(m, more == most), precompute(m, unread == most)
        m.d.sync += room.eq(read | ~late_mux(self.begin, last, full))
        with m.If(self.begin != read):
            m.d.sync += unread.eq(Mux(read, less, more))
        return room
