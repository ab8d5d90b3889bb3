"""Max pooling on spike levels."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import HardwareConfig, clog2

MAX_POOL = 4
"""Largest kernel of a max pool."""


def level_group(c: HardwareConfig) -> data.StructLayout:
    """Levels of one group of channels at one position and timestep."""
    return data.StructLayout(
        {
            "level": data.ArrayLayout(c.level_bits, c.neuron_lanes),
            "group": range(c.groups),
            "last_group": 1,
            "last_t": 1,
        }
    )


class MaxPool(wiring.Component):
    """``o = max of i over the k * k positions of a window``, for every timestep and channel.

    The positions of a window follow each other (their order inside it doesn't matter), each with all its timesteps
    and groups. The largest level so far is kept for every timestep and group in a memory of ``max_timesteps * groups``
    words. Windows may straddle m tiles: only positions are counted. The stride is k; k = 1 lets everything through.

    Latency: 1 cycle from the item of a window's last position. Throughput: one item per cycle, also for a
    single timestep and group (the word just written is forwarded).

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of level_group)
        Order: position, timestep, group.
    i_pool : In(range(MAX_POOL + 1))
        k, 1..4; constant during a run.
    i_start : In(1)
        A run begins: the next item is of the first position of a window.
    o : Out(stream of level_group)
        Order: window, timestep, group.
    """

    def __init__(self, config: HardwareConfig):
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(level_group(c))),
                "i_pool": In(range(MAX_POOL + 1)),
                "i_start": In(1),
                "o": Out(stream.Signature(level_group(c))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        c, item = self.config, self.i.payload
        levels = data.ArrayLayout(c.level_bits, c.neuron_lanes)
        depth = 1 << (len(item.group) + clog2(c.max_timesteps))
        m.submodules.state = state = memory.Memory(shape=levels, depth=depth, init=[])
        read, write = state.read_port(), state.write_port()

        valid = Signal()
        held = Signal(level_group(c), reset_less=True)
        first, last = Signal(reset_less=True), Signal(reset_less=True)
        recent, forward = Signal(levels, reset_less=True), Signal(reset_less=True)
        accept, leave = Signal(), Signal()
        largest = Signal(levels)
        t, is_first, is_last = self._count(m, accept)
        m.d.comb += [
            leave.eq(valid & (~last | self.o.ready)),
            self.i.ready.eq(~valid | leave),
            accept.eq(self.i.ready & self.i.valid),
            read.en.eq(accept),
            read.addr.eq(Cat(item.group, t)),
            write.en.eq(leave),
            write.data.eq(largest),
            self.o.valid.eq(valid & last),
            self.o.payload.eq(held),
            self.o.payload.level.eq(largest),
        ]
        for n in range(c.neuron_lanes):
            old = Mux(forward, recent[n], read.data[n])
            m.d.comb += largest[n].eq(Mux(first | (held.level[n] > old), held.level[n], old))
        with m.If(self.i.ready):
            m.d.sync += valid.eq(self.i.valid)
        with m.If(accept):
            m.d.sync += [
                held.eq(item),
                first.eq(is_first),
                last.eq(is_last),
                write.addr.eq(read.addr),
                recent.eq(largest),
                forward.eq(valid & (write.addr == read.addr)),
            ]
        return m

    def _count(self, m: Module, accept):
        """Timestep of the item at ``i``, and whether its position is the first and the last of its window."""
        item = self.i.payload
        t = Signal(range(self.config.max_timesteps))
        position = Signal(range(MAX_POOL**2))
        first, last = Signal(), Signal()
        m.d.comb += first.eq(position == 0)
        with m.Switch(self.i_pool):
            for k in range(2, MAX_POOL + 1):
                with m.Case(k):
                    m.d.comb += last.eq(position == k * k - 1)
            with m.Default():
                m.d.comb += last.eq(1)
        with m.If(accept & item.last_group):
            m.d.sync += t.eq(t + 1)
            with m.If(item.last_t):
                m.d.sync += [t.eq(0), position.eq(Mux(last, 0, position + 1))]
        with m.If(self.i_start):
            m.d.sync += [t.eq(0), position.eq(0)]
        return t, first, last
