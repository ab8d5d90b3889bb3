"""Sorter: counting sort of a tile's non-zero rows by popcount."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from . import frontend_layouts
from .config import HardwareConfig
from .frontend_scatter import Scatter
from .multiport import XorMemory


class SortedReader(wiring.Component):
    """Second half of the sorter: reads the ring in order, ``queries`` rows per cycle, without a gap between tiles.

    Latency: 3 cycles from a tile to its first group. Throughput: one group per cycle.

    Members
    -------
    i : stream of :func:`hw.frontend_layouts.sorted_tile`
    fetch, addr : read port of the ring, address in groups
    rows : what was read, one cycle later; holds until the next ``fetch``
    freed : a group of the ring has been read
    o : stream of :func:`hw.frontend_layouts.sorted_group`
    """

    def __init__(self, config: HardwareConfig, *, depth: int):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frontend_layouts.sorted_tile(config))),
                "fetch": Out(1),
                "addr": Out(range(depth // config.queries)),
                "rows": In(data.ArrayLayout(frontend_layouts.sorted_row(config), config.queries)),
                "freed": Out(1),
                "o": Out(stream.Signature(frontend_layouts.sorted_group(config))),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        tile = Signal(frontend_layouts.sorted_tile(c))  # rows left
        busy, first, last = Signal(), Signal(), Signal()
        waiting = Signal()  # a group stands at the ring's output ...
        header = Signal(frontend_layouts.sorted_group(c))  # ... with this beside it
        step, move = Signal(), Signal()
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            step.eq(busy & (~waiting | move)),
            self.i.ready.eq(~busy | (step & last)),
            self.fetch.eq(step),
            self.freed.eq(step & (tile.count != 0)),
        ]
        left = tile.count - c.queries
        with m.If(step):
            m.d.sync += [
                self.addr.eq(self.addr + self.freed),
                tile.count.eq(left),
                first.eq(0),
                last.eq(tile.count <= 2 * c.queries),
                header.first.eq(first),
                header.last.eq(last),
                header.tile.eq(tile.tile),
                header.valid.eq(Cat(tile.count > lane for lane in range(c.queries))),
            ]
        with m.If(self.i.ready):
            m.d.sync += [
                busy.eq(self.i.valid),
                tile.eq(self.i.payload),
                first.eq(1),
                last.eq(self.i.payload.count <= c.queries),
            ]
        m.d.sync += waiting.eq(step | (waiting & ~move))
        with m.If(move):
            m.d.sync += [self.o.valid.eq(waiting), self.o.payload.eq(header), self.o.payload.rows.eq(self.rows)]
        return m


class Sorter(wiring.Component):
    """Issue order: ascending popcount, rows of equal popcount by index.

    Row number j (from 0) of class p goes to turn ``upto[p-1] + j`` of its tile and to the TCAM entry
    ``upto[p] - 1 - j``: the highest entry that matches a later row is then the one with most bits and, among those,
    the lowest index. With two queries even and odd turns use separate TCAM banks, each ordered by itself.
    Each class counts its own rows; only the finished sums are multiplexed. The sorted rows stand in a ring
    of rows, so small tiles may run far ahead.
    (Prosperity, HPCA 2025, section V: dispatcher.)

    Latency: the first group of a tile is offered ``latency(config) + max(ceil(nonzero / queries), 1)`` cycles after
    its last beat, or 3 less after its histogram if that is later. Throughput: ``queries`` rows per cycle, an empty
    tile takes one cycle. With tile_m over 128 two full tiles fill the ring: then a full tile may cost 2 cycles more.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_words : stream of :func:`hw.frontend_layouts.loaded_word`
    i_tile : stream of :func:`hw.frontend_layouts.loaded_tile`; taken when the tile's last row is
    o : stream of :func:`hw.frontend_layouts.sorted_group`
    """

    def __init__(self, config: HardwareConfig):
        self.config = config
        self._group = frontend_layouts.sorted_group(config)
        # 512 words are one block RAM whatever is used of it.
        self._depth = 4 * config.tile_m if config.tile_m <= 128 else 2 * config.tile_m
        super().__init__(
            {
                "i_words": In(stream.Signature(frontend_layouts.loaded_word(config))),
                "i_tile": In(stream.Signature(frontend_layouts.loaded_tile(config))),
                "o": Out(stream.Signature(self._group)),
            }
        )

    @staticmethod
    def latency(config: HardwareConfig) -> int:
        """Cycles from the last beat of a lone tile to its first group, without those of its rows."""
        return 6 + config.queries

    def elaborate(self, platform):
        m = Module()
        m.submodules.scatter = scatter = Scatter(self.config, depth=self._depth)
        m.submodules.reader = reader = SortedReader(self.config, depth=self._depth)
        connect(m, flipped(self.i_words), scatter.i_words)
        connect(m, flipped(self.i_tile), scatter.i_tile)
        connect(m, scatter.o, reader.i)
        connect(m, reader.o, flipped(self.o))
        m.d.comb += scatter.freed.eq(reader.freed)
        self._memory(m, scatter, reader)
        return m

    def _memory(self, m, scatter, reader):
        shape = frontend_layouts.sorted_row(self.config)
        if self.config.queries == 1:
            m.submodules.memory = memory = Memory(shape=shape, depth=self._depth, init=[])
            writer, port = memory.write_port(), memory.read_port()
            m.d.comb += [
                writer.en.eq(scatter.write[0].en),
                writer.addr.eq(scatter.write[0].addr),
                writer.data.eq(scatter.write[0].data),
                port.en.eq(reader.fetch),
                port.addr.eq(reader.addr),
                reader.rows[0].eq(port.data),
            ]
            return
        m.submodules.memory = memory = XorMemory(width=shape.size, depth=self._depth, reads=2)
        for lane in range(2):
            m.d.comb += [
                memory.write[lane].eq(scatter.write[lane]),
                memory.read[lane].en.eq(reader.fetch),
                memory.read[lane].addr.eq(Cat(lane, reader.addr)),
                reader.rows[lane].eq(memory.word[lane]),
            ]
