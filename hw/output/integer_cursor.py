"""The integer cursor finds where the next word of an integer map goes."""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..lib.logic import precompute
from .layouts import OFFSET_BITS, integer_config


class IntegerCursor(wiring.Component):
    """Counts image, y, x and timestep, the sub-blocks of a timestep and the words of a sub-block along with the words.

    Addresses are sums, so no multiplier is needed. Each level keeps the address where it began, and a step of a level
    begins all levels inside it there: words are innermost, followed by sub-blocks, timesteps, positions, lines and
    images. Positions, lines and images are counted down, so that no sum is compared.

    Members
    -------
    i_step : In(1)
        The cursor moves on, in the way that ``i_end`` and the next two members say.
    i_end, i_last_group, i_last_t : In(1)
        The word is the last of its sub-block, of its timestep, and of its position; each holds only with those before.
    i_config : In(integer_config)
        The geometry of the map, which is constant during a run.
    i_start : In(1)
        A run begins: all counters return to 0.
    o_address : Out(OFFSET_BITS)
        The byte offset of the word from the run's output address.
    o_last : Out(1)
        The position is the last of the run.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_step": In(1),
                "i_end": In(1),
                "i_last_group": In(1),
                "i_last_t": In(1),
                "i_config": In(integer_config(c)),
                "i_start": In(1),
                "o_address": Out(OFFSET_BITS),
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.i_config
        x_left, y_left, images_left = Signal(16), Signal(16), Signal(16)  # with those of the word
        last_x, last_y, last_image = Signal(), Signal(), Signal()
        levels = ("block", "t", "position", "line", "image")
        steps = (config.int_block, config.int_t, config.line_bytes, config.int_y, config.image_stride)
        began = {name: Signal(OFFSET_BITS, name=f"{name}_began") for name in levels}
        after = {name: Signal(OFFSET_BITS, name=f"after_{name}") for name in levels}
        m.d.comb += [
            last_x.eq(x_left == 1),
            last_y.eq(y_left == 1),
            last_image.eq(images_left == 1),
            self.o_last.eq(last_x & last_y & last_image),
            *(after[name].eq(began[name] + step) for name, step in zip(levels, steps, strict=True)),
        ]
        ends = (self.i_end, self.i_last_group, self.i_last_t, last_x, last_y)
        # What ends with the word is known before the step: only the enable of a register waits for that.
        goes_on, ended = [], Value.cast(self.i_end)
        for end in ends[1:]:
            goes_on.append(precompute(m, ended & ~end))
            ended = ended & end
        goes_on.append(precompute(m, ended))
        next_x = precompute(m, self.i_end & self.i_last_group & self.i_last_t)
        next_y, next_image = precompute(m, next_x & last_x), precompute(m, next_x & last_x & last_y)
        with m.If(self.i_step):
            with m.If(~self.i_end):
                m.d.sync += self.o_address.eq(self.o_address + self.config.bus_bits // 8)
            for n, (name, on) in enumerate(zip(levels, goes_on, strict=True)):
                with m.If(on):
                    m.d.sync += self.o_address.eq(after[name])
                    m.d.sync += [began[inner].eq(after[name]) for inner in levels[: n + 1]]
            with m.If(next_x):
                m.d.sync += x_left.eq(x_left - 1)
            with m.If(next_y):
                m.d.sync += [x_left.eq(config.out_width), y_left.eq(y_left - 1)]
            with m.If(next_image):
                m.d.sync += [y_left.eq(config.out_lines), images_left.eq(images_left - 1)]
        with m.If(self.i_start):
            m.d.sync += [one.eq(0) for one in (self.o_address, *began.values())]
            m.d.sync += [x_left.eq(config.out_width), y_left.eq(config.out_lines), images_left.eq(config.images)]
        return m
