"""The integer packer writes potentials or levels as integers of 1, 2 or 4 bytes."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import INT_BYTES
from ..lib.fifo import SmallFifo
from .integer_cursor import IntegerCursor
from .layouts import fitted_group, integer_config, integer_group, last_width, write_command

QUEUE = 2
"""The groups that wait in front of the packer."""


def fits(value: Value, size: int) -> ValueLike:
    """Return whether a signed value is an integer of ``size`` bits in two's complement."""
    above = value[size - 1 :]
    return above.all() | ~above.any() if len(value) > size else 1


def clipped(value: Value, size: int, fit: Value) -> ValueLike:
    """Return a signed value as an integer of ``size`` bits in two's complement, clipped unless it ``fit`` s them."""
    if len(value) <= size:
        return value if len(value) == size else Cat(value, value[-1].replicate(size - len(value)))
    limit = Cat((~value[-1]).replicate(size - 1), value[-1])
    return Mux(fit, value[:size], limit)


class IntegerPacker(wiring.Component):
    """Clips the values of a group, puts groups together to bus words, and gives these out with their addresses.

    The groups of a position and timestep are cut into sub-blocks of ``int_groups`` groups. The integers of a sub-block
    follow each other, the lowest channel first, and zeros fill them up to a whole bus word. Lanes beyond the last
    channel give zeros. Words are always whole, so every strobe bit is set.

    Groups come through a queue, so that memory does not hold pool and neurons back within the cycle. In a stage of
    their own it is found which values must be clipped. The size of the integers, and whether a piece is the last of its
    group or of its word, stand in registers, for which alone the wide registers wait.

    Latency: 4 cycles from the group that completes a word to that word. Throughput: a group per cycle, or a bus word
    per cycle where the integers of a group are more than one.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of integer_group)
        The values of one group of channels, by position, timestep and group.
    i_config : In(integer_config)
        The geometry of the map and the size of its integers, which are constant during a run.
    i_channels : In(16)
        The number of channels Cb of the layer's block.
    i_start : In(1)
        A run begins; nothing of an earlier one may be inside.
    o : Out(stream of write_command)
        The bus words and their addresses.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(integer_group(c))),
                "i_config": In(integer_config(c)),
                "i_channels": In(16),
                "i_start": In(1),
                "o": Out(stream.Signature(write_command(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.queue = queue = SmallFifo(shape=integer_group(c), depth=QUEUE)
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        item, there = Signal(fitted_group(c), reset_less=True), Signal()
        loads, goes = Signal(), Signal()  # no piece is left; the group leaves the first stage, if there is one
        held = Signal(c.neuron_lanes * 8 * INT_BYTES[-1], reset_less=True)
        valid, ends, last_group, last_t = Signal(), Signal(), Signal(), Signal()
        group = Signal(range(c.groups))
        left = Signal(range(max(1, len(held) // c.bus_bits)))  # pieces of the group that follow this one
        last_piece = Signal(init=1)  # there are none
        self.size = Signal(len(INT_BYTES))  # one-hot
        m.d.sync += self.size.eq(Cat(self.i_config.int_bytes == size for size in INT_BYTES))
        leave, end = Signal(), Signal()
        integers, pieces = self._integers(m, item)
        self._fit(m, queue.o, there, item)
        m.d.comb += [
            queue.o.ready.eq(~there | goes),
            loads.eq(~valid | last_piece),
            goes.eq(loads & (~valid | leave)),
            end.eq(item.last_group | (group + 1 == self.i_config.int_groups)),
        ]
        with m.If(~valid | leave):
            m.d.sync += [held.eq(Mux(loads, integers, held >> c.bus_bits)), left.eq(Mux(loads, pieces, left - 1))]
            m.d.sync += last_piece.eq(Mux(loads, pieces == 0, left == 1))
        with m.If(goes):
            m.d.sync += valid.eq(there)
            with m.If(there):
                m.d.sync += [
                    ends.eq(end),
                    last_group.eq(item.last_group),
                    last_t.eq(item.last_t),
                    group.eq(Mux(end, 0, group + 1)),
                ]
        self._give(m, held, valid, last_piece, ends, last_group, last_t, leave)
        with m.If(self.i_start):
            m.d.sync += group.eq(0)
        return m

    def _width(self, last_group: Value) -> ValueLike:
        return Mux(last_group, last_width(self.config, self.i_channels), self.config.neuron_lanes)

    def _fit(self, m: Module, group: stream.Interface, there: Signal, item: data.View) -> None:
        """Take the group that the queue offers into the first stage.

        It is found which values fit integers of each size. Only the lanes up to the last channel count, and the others
        are zero.
        """
        width = Signal(range(self.config.neuron_lanes + 1))
        m.d.comb += width.eq(self._width(group.payload.last_group))
        with m.If(group.ready):
            m.d.sync += [
                there.eq(group.valid),
                *(item[name].eq(group.payload[name]) for name in ("last_group", "last_t")),
            ]
            for n, value in enumerate(group.payload.value):
                m.d.sync += item.value[n].eq(Mux(n < width, value, 0))
                m.d.sync += item.fits[n].eq(Cat((n >= width) | fits(value, 8 * size) for size in INT_BYTES))

    def _integers(self, m: Module, item: data.View) -> tuple[Signal, Signal]:
        """Return the integers of a group, clipped, and how many bus words beyond the first they need."""
        c, width = self.config, Signal(range(self.config.neuron_lanes + 1), name="width_out")
        m.d.comb += width.eq(self._width(item.last_group))
        found = Signal(c.neuron_lanes * 8 * INT_BYTES[-1])
        more = Signal(range(max(1, len(found) // c.bus_bits)))
        with m.Switch(self.size):
            for k, size in enumerate(INT_BYTES):
                with m.Case(1 << k):
                    per_word = c.bus_bits // (8 * size)
                    lanes = zip(item.value, item.fits, strict=True)
                    m.d.comb += found.eq(Cat(clipped(value, 8 * size, fit[k]) for value, fit in lanes))
                    m.d.comb += more.eq((width - 1) >> (per_word.bit_length() - 1))
        return found, more

    def _give(
        self,
        m: Module,
        held: Signal,
        valid: Value,
        last_piece: Value,
        ends: Value,
        last_group: Value,
        last_t: Value,
        leave: Signal,
    ) -> None:
        """Put the pieces of groups, of which none is larger than a bus word, into words, and give full ones out."""
        c, o = self.config, self.o.payload
        m.submodules.cursor = cursor = IntegerCursor(c)
        group_bits = {size: 8 * size * c.neuron_lanes for size in INT_BYTES}
        slot = Signal(range(max(1, c.bus_bits // group_bits[1])))
        begun = Signal(c.bus_bits, reset_less=True)  # the slots of the word that are filled
        word, fresh, last_slot = Signal(c.bus_bits), Signal(init=1), Signal()
        placed = Signal(c.bus_bits)
        free, give, end = Signal(), Signal(), Signal()
        here, following = Signal(), Signal()  # the slot is the last of its word; so is the one behind it
        with m.Switch(self.size):
            for k, bits in enumerate(group_bits.values()):
                with m.Case(1 << k):
                    slots = max(1, c.bus_bits // bits)
                    part = held[: c.bus_bits // slots]
                    m.d.comb += [
                        placed.eq(Cat(part & (slot == n).replicate(len(part)) for n in range(slots))),
                        here.eq(slot == slots - 1),
                        following.eq(Mux(give, slots == 1, slot + 2 == slots)),
                    ]
        m.d.sync += last_slot.eq(Mux(leave, following, here))
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            end.eq(last_piece & ends),
            give.eq(last_slot | end),
            leave.eq(valid & (~give | free)),
            word.eq(placed | Mux(fresh, 0, begun)),
            *(cursor.i_config[name].eq(self.i_config[name]) for name in integer_config(c).members),
            cursor.i_start.eq(self.i_start),
            cursor.i_step.eq(leave & give),
            cursor.i_end.eq(end),
            cursor.i_last_group.eq(last_group),
            cursor.i_last_t.eq(last_t),
        ]
        with m.If(leave):
            m.d.sync += [
                slot.eq(Mux(give, 0, slot + 1)),
                fresh.eq(give),
                begun.eq(word),
            ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(valid & give)
            with m.If(valid):
                m.d.sync += [
                    o.address.eq(cursor.o_address),
                    o.data.eq(word),
                    o.strobe.eq(-1),
                    o.last.eq(end & last_group & last_t & cursor.o_last),
                ]
        with m.If(self.i_start):
            m.d.sync += [slot.eq(0), fresh.eq(1)]
