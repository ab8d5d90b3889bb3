"""The pool of windows that overlap, along one axis: where they begin and end, and the maximum over lines."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from .layouts import level_group, overlap_config
from .running_maximum import RunningMaximum


class WindowPhase(wiring.Component):
    """Says of each position along an axis what it is to the windows of three with stride 2 and padding 1.

    Windows begin one position before every even one. So an odd position ends a window and begins the next, which the
    even one behind it is in the middle of. The first position may be an odd one, which only begins a window (a halo),
    and the last one an even one, behind which the padding ends the window.

    Members
    -------
    i_start : In(1)
        The next position is the first of the first axis; afterwards each axis follows the one before it.
    i_step : In(1)
        The position is done, and the next one follows.
    i_count : In(16)
        The number of windows along the axis, at least 1. It is constant, as ``i_halo`` and ``i_odd`` are.
    i_halo : In(1)
        The first position is the one before the first window's middle.
    i_ready : In(1)
        At ``i_start``: the positions are those behind what came before, of which the last one began a window.
    i_odd : In(1)
        The last window ends with its middle.
    o_first : Out(1)
        No position came before this one.
    o_fresh : Out(1)
        A window begins with this position.
    o_gives : Out(1)
        A window ends with it.
    o_end : Out(1)
        The last window ends with it, and so does the axis.
    """

    def __init__(self) -> None:
        said = ("o_first", "o_fresh", "o_gives", "o_end")
        told = {"i_start": In(1), "i_step": In(1), "i_count": In(16), "i_halo": In(1), "i_odd": In(1), "i_ready": In(1)}
        super().__init__(told | dict.fromkeys(said, Out(1)))
        self.ends, self.left = Signal(), Signal(16)  # the position is an odd one; windows that end here or later

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, last, ends, left = Signal(), Signal(), self.ends, self.left
        m.d.comb += [
            last.eq(left == 1),
            self.o_first.eq(first),
            self.o_fresh.eq(first | ends),
            self.o_gives.eq(Mux(ends, ~first, self.i_odd & last)),
            self.o_end.eq(self.o_gives & last),
        ]
        with m.If(self.i_step):
            m.d.sync += [first.eq(0), ends.eq(~ends), left.eq(left - self.o_gives)]
        with m.If(self.i_start | (self.i_step & self.o_end)):
            m.d.sync += [first.eq(~(self.i_start & self.i_ready)), ends.eq(self.i_halo), left.eq(self.i_count)]
        return m


class LinePool(wiring.Component):
    """Gives the largest level over the three lines of a window, for every column, timestep and channel.

    The last line of a run stays in its memory. A run that computes the lines below goes on from there.

    Latency: 2 cycles from an item of a window's last line. Throughput: one item per cycle.

    Parameters
    ----------
    config : HardwareConfig
        Its ``pool_words`` are the columns, timesteps and groups of a line that can be kept.

    Members
    -------
    i : In(stream of level_group)
        The levels, in the order of line, column, timestep and group; columns are pooled already.
    i_config : In(overlap_config)
        The geometry of the windows, which is constant during a run.
    i_start : In(1)
        A run begins: the next item belongs to its first line.
    o : Out(stream of level_group)
        The largest levels, in the same order.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(level_group(c))),
                "i_config": In(overlap_config(c)),
                "i_start": In(1),
                "o": Out(stream.Signature(level_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, item, config = self.config, self.i.payload, self.i_config
        m.submodules.kept = kept = RunningMaximum(c, c.pool_words)
        m.submodules.phase = phase = WindowPhase()
        accept, line_ends = Signal(), Signal()
        place, columns = Signal(range(c.pool_words)), Signal(16)  # of the item in its line; that are left in the line
        wiring.connect(m, kept.o, wiring.flipped(self.o))
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            line_ends.eq(item.last_group & item.last_t & (columns == 1)),
            phase.i_start.eq(self.i_start),
            phase.i_step.eq(accept & line_ends),
            phase.i_count.eq(config.out_lines),
            phase.i_ready.eq(config.pool_ready),
            phase.i_odd.eq(config.pool_odd_y),
            kept.i.valid.eq(self.i.valid),
            self.i.ready.eq(kept.i.ready),
            kept.i.payload.item.eq(item),
            kept.i.payload.address.eq(place),
            kept.i.payload.first.eq(phase.o_first),
            kept.i.payload.fresh.eq(phase.o_fresh),
            kept.i.payload.last.eq(phase.o_gives),
        ]
        with m.If(accept):
            m.d.sync += place.eq(place + 1)
            with m.If(item.last_group & item.last_t):
                m.d.sync += columns.eq(columns - 1)
        with m.If(self.i_start | (accept & line_ends)):
            m.d.sync += [place.eq(0), columns.eq(config.out_width)]
        return m
