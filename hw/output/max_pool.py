"""The max pool of spike levels."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import MAX_POOL, OVERLAPPING_POOL
from .layouts import level_group, overlap_config
from .line_pool import LinePool, WindowPhase
from .running_maximum import RunningMaximum


class MaxPool(wiring.Component):
    """Gives the largest level over the positions of a window, for every timestep and channel.

    The k * k positions of a window of kernel and stride k follow each other, each with all its timesteps and groups;
    their order inside the window does not matter. For every timestep and group, the largest levels so far are kept in a
    memory of ``max_timesteps * groups`` words. A window may begin in one m tile and end in another, because only
    positions are counted. With k = 1 everything goes through.

    Where windows can overlap, those of 3x3 with stride 2 and padding 1 are pooled along their columns here, and along
    their lines in a LinePool behind; then the positions come line by line.

    Latency: 2 cycles from the item of a window's last position, 4 of a window that overlaps others. Throughput: one
    item per cycle.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of level_group)
        The levels, in the order of position, timestep and group.
    i_pool : In(range(MAX_POOL + 1))
        k, from 1 to MAX_POOL, or OVERLAPPING_POOL, which is constant during a run.
    i_start : In(1)
        A run begins: the next item belongs to the first position of a window.
    i_config : In(overlap_config)
        Where windows can overlap: their geometry.
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
                **({"i_config": In(overlap_config(c))} if c.pool_words else {}),
                "o": Out(stream.Signature(level_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, item = self.config, self.i.payload
        depth = 1 << (len(item.group) + clog2(c.max_timesteps))
        m.submodules.kept = kept = RunningMaximum(c, depth)
        place = kept.i.payload
        accept = Signal()
        t, first, last = self._count(m, accept)
        m.d.comb += [
            accept.eq(self.i.ready & self.i.valid),
            kept.i.valid.eq(self.i.valid),
            self.i.ready.eq(kept.i.ready),
            place.item.eq(item),
            place.address.eq(Cat(item.group, t)),
        ]
        if not c.pool_words:
            m.d.comb += [place.first.eq(first), place.last.eq(last)]
            wiring.connect(m, kept.o, wiring.flipped(self.o))
            return m
        overlaps = Signal()
        m.d.comb += overlaps.eq(self.i_pool == OVERLAPPING_POOL)
        m.submodules.phase = phase = WindowPhase()
        m.submodules.lines = lines = LinePool(c)
        m.d.comb += [
            phase.i_start.eq(self.i_start),
            phase.i_step.eq(accept & item.last_group & item.last_t),
            phase.i_count.eq(self.i_config.out_width),
            phase.i_halo.eq(self.i_config.pool_halo_x),
            phase.i_odd.eq(self.i_config.pool_odd_x),
            place.first.eq(Mux(overlaps, phase.o_first, first)),
            place.last.eq(Mux(overlaps, phase.o_gives, last)),
            place.fresh.eq(overlaps & phase.o_fresh),
            lines.i_start.eq(self.i_start),
            lines.i_config.eq(self.i_config),
            lines.i.payload.eq(kept.o.payload),
            lines.i.valid.eq(kept.o.valid & overlaps),
            lines.o.ready.eq(self.o.ready),
            kept.o.ready.eq(Mux(overlaps, lines.i.ready, self.o.ready)),
            self.o.payload.eq(Mux(overlaps, lines.o.payload.as_value(), kept.o.payload.as_value())),
            self.o.valid.eq(Mux(overlaps, lines.o.valid, kept.o.valid)),
        ]
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
