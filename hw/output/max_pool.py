"""The max pool of spike levels."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import MAX_POOL
from .layouts import level_group, pooled_item


class MaxPool(wiring.Component):
    """Gives the largest level over the k * k positions of a window, for every timestep and channel.

    The positions of a window follow each other, each with all its timesteps and groups; their order inside the window
    does not matter. For every timestep and group, the largest levels so far are kept in a memory of
    ``max_timesteps * groups`` words. A window may begin in one m tile and end in another, because only positions are
    counted. The stride is k, and k = 1 lets everything through.

    Latency: 2 cycles from the item of a window's last position; block RAM is slow, so the word that was read is
    registered before it is compared. Throughput: one item per cycle, also for a single timestep and group, because
    words that were just written are forwarded.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of level_group)
        The levels, in the order of position, timestep and group.
    i_pool : In(range(MAX_POOL + 1))
        k, from 1 to MAX_POOL, which is constant during a run.
    i_start : In(1)
        A run begins: the next item belongs to the first position of a window.
    o : Out(stream of level_group)
        The largest levels, in the order of window, timestep and group.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(level_group(c))),
                "i_pool": In(range(MAX_POOL + 1)),
                "i_start": In(1),
                "o": Out(stream.Signature(level_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, item = self.config, self.i.payload
        levels = data.ArrayLayout(c.level_bits, c.neuron_lanes)
        depth = 1 << (len(item.group) + clog2(c.max_timesteps))
        m.submodules.state = state = memory.Memory(shape=levels, depth=depth, init=[])
        read, write = state.read_port(), state.write_port()

        # Stage 1 reads the word; stage 2 compares it and writes it back. ``recent`` is the last word that was written.
        valid = [Signal(name=f"valid{n}") for n in (1, 2)]
        held = [Signal(pooled_item(c, depth), name=f"held{n}", reset_less=True) for n in (1, 2)]
        collides = Signal(reset_less=True)  # the word read in stage 1 was being written
        forward = Signal(reset_less=True)  # stage 2 had the same word as stage 1
        old, recent = Signal(levels, reset_less=True), Signal(levels, reset_less=True)
        accept, step, leave = Signal(), Signal(), Signal()
        largest = Signal(levels)
        t, is_first, is_last = self._count(m, accept)
        m.d.comb += [
            leave.eq(valid[1] & (~held[1].last | self.o.ready)),
            step.eq(valid[0] & (~valid[1] | leave)),
            self.i.ready.eq(~valid[0] | step),
            accept.eq(self.i.ready & self.i.valid),
            read.en.eq(accept),
            read.addr.eq(Cat(item.group, t)),
            write.en.eq(leave),
            write.addr.eq(held[1].address),
            write.data.eq(largest),
            self.o.valid.eq(valid[1] & held[1].last),
            self.o.payload.eq(held[1].item),
            self.o.payload.level.eq(largest),
        ]
        for n in range(c.neuron_lanes):
            known = Signal(c.level_bits, name=f"known{n}")
            m.d.comb += known.eq(Mux(forward, recent[n], old[n]))
            level = held[1].item.level[n]
            m.d.comb += largest[n].eq(Mux(held[1].first | (level > known), level, known))
        with m.If(accept):
            m.d.sync += [
                held[0].item.eq(item),
                held[0].address.eq(read.addr),
                held[0].first.eq(is_first),
                held[0].last.eq(is_last),
                collides.eq(leave & (held[1].address == read.addr)),
            ]
        with m.If(step):
            m.d.sync += [
                held[1].eq(held[0]),
                old.eq(Mux(collides, recent, read.data)),
                forward.eq(valid[1] & (held[1].address == held[0].address)),
            ]
        with m.If(leave):
            m.d.sync += recent.eq(largest)
        m.d.sync += [valid[0].eq(accept | (valid[0] & ~step)), valid[1].eq(step | (valid[1] & ~leave))]
        return m

    def _count(self, m: Module, accept: Value) -> tuple[Signal, Signal, Signal]:
        """Return the timestep of the item at ``i``, and whether its position is the first or the last of its window."""
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
