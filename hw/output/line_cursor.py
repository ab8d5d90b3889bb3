"""The line cursor finds where the next chunk of a feature map goes: its line, bit and byte address."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..lib.logic import precompute
from .layouts import LINE_BITS, OFFSET_BITS, line_config, line_position, plane_chunk


class LineCursor(wiring.Component):
    """Counts image, y, x, timestep, group and plane along with the chunks.

    A position fills the same bits in the lines of all its planes and timesteps, so one bit index serves all of them. It
    moves on after the last plane of a group, and back to the position's first bit after the last group of a timestep.
    Images, y and x are counted down, so that no sum is compared.
    Line addresses are sums, so no multiplier is needed: each plane adds ``line_bytes``, and the last line of a row plus
    ``line_bytes`` is the first line of the next row.

    Members
    -------
    i : In(plane_chunk)
        The chunk whose place is wanted.
    i_step : In(1)
        The chunk is taken, so the cursor moves on to the next.
    i_config : In(line_config)
        The geometry of the lines, which is constant during a run.
    i_start : In(1)
        A run begins: the counters take their first values.
    o : Out(line_position)
        The place of the chunk at ``i``, combinational.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(plane_chunk(c)),
                "i_step": In(1),
                "i_config": In(line_config(c)),
                "i_start": In(1),
                "o": Out(line_position(c)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, chunk, config = self.config, self.i, self.i_config
        self._counters()
        bus = clog2(c.bus_bits)
        last_x, last_y, last_image = Signal(), Signal(), Signal()
        m.d.comb += [
            last_x.eq(self.x_left == 1),
            last_y.eq(self.y_left == 1),
            last_image.eq(self.images_left == 1),
            self.o.q.eq(self.q),
            self.o.fill.eq(self.bit[:bus]),
            self.o.address.eq(self.line + Cat(Const(0, bus - 3), self.bit[bus:])),
            self.o.fresh.eq(self.bit == 0),
            self.o.end.eq(last_x & chunk.last_group),
            self.o.last.eq(self.o.end & last_y & last_image & chunk.last_t & chunk.last_plane),
        ]
        self._step(m, self.i_step, last_x, last_y)
        with m.If(self.i_start):
            m.d.sync += [counter.eq(0) for counter in self.counters]
            m.d.sync += [self.x_left.eq(config.out_width), self.y_left.eq(config.out_lines)]
            m.d.sync += self.images_left.eq(config.images)
        return m

    def _counters(self) -> None:
        q_bits = len(self.o.q)
        # The positions of a line, the lines of an image and the images that are left, with those of the chunk at ``i``.
        self.x_left, self.y_left, self.images_left = Signal(16), Signal(16), Signal(16)
        self.bit, self.position_bit = Signal(LINE_BITS), Signal(LINE_BITS)
        self.q, self.t_q = Signal(q_bits), Signal(q_bits)  # the line, and the first line of its timestep
        # The addresses of the line, of its timestep's first line, of its row's first line and of its image.
        self.line, self.t_line = Signal(OFFSET_BITS), Signal(OFFSET_BITS)
        self.row_line, self.image_line = Signal(OFFSET_BITS), Signal(OFFSET_BITS)
        self.counters = [
            *(self.bit, self.position_bit, self.q, self.t_q),
            *(self.line, self.t_line, self.row_line, self.image_line),
        ]

    def _step(self, m: Module, step: Value, last_x: Value, last_y: Value) -> None:
        chunk, config = self.i, self.i_config
        next_q, next_line = self.q + 1, Signal(OFFSET_BITS)
        next_bit = Signal(LINE_BITS)
        first = Signal(OFFSET_BITS)  # the line with which the next image begins
        m.d.comb += [
            next_line.eq(self.line + config.line_bytes),
            next_bit.eq(self.bit + chunk.width),
            first.eq(self.image_line + config.image_stride),
        ]

        def move(q: ValueLike, line: ValueLike, bit: ValueLike) -> list:
            return [self.q.eq(q), self.line.eq(line), self.bit.eq(bit)]

        # What ends with the chunk is known before it is taken: only the enable of a register waits for that.
        next_group = precompute(m, chunk.last_plane & ~chunk.last_group)
        next_t = precompute(m, chunk.last_plane & chunk.last_group & ~chunk.last_t)
        next_x = precompute(m, chunk.last_plane & chunk.last_group & chunk.last_t)
        next_y = precompute(m, next_x & last_x)
        next_image = precompute(m, next_x & last_x & last_y)
        with m.If(step):
            m.d.sync += move(next_q, next_line, self.bit)
            with m.If(next_group):
                m.d.sync += move(self.t_q, self.t_line, next_bit)
            with m.If(next_t):
                m.d.sync += move(next_q, next_line, self.position_bit)
            with m.If(next_x):
                m.d.sync += move(0, self.row_line, next_bit)
            with m.If(next_y):
                m.d.sync += move(0, next_line, 0)
            with m.If(next_t):
                m.d.sync += [self.t_q.eq(next_q), self.t_line.eq(next_line)]
            with m.If(next_x):
                m.d.sync += [self.t_q.eq(0), self.t_line.eq(self.row_line)]
                m.d.sync += [self.x_left.eq(self.x_left - 1), self.position_bit.eq(next_bit)]
            with m.If(next_y):
                m.d.sync += [self.x_left.eq(config.out_width), self.y_left.eq(self.y_left - 1), self.position_bit.eq(0)]
                m.d.sync += [self.row_line.eq(next_line), self.t_line.eq(next_line)]
            with m.If(next_image):
                m.d.sync += [self.y_left.eq(config.out_lines), self.images_left.eq(self.images_left - 1)]
                m.d.sync += self.image_line.eq(first)
                m.d.sync += [line.eq(first) for line in (self.line, self.t_line, self.row_line)]
