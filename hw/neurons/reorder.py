"""The reorder buffer puts the levels of interleaved positions back in order."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..interface.row_order import contexts, most_timesteps
from ..interface.streams import layer_config
from .layouts import ordered_levels, reorder_levels


class NeuronReorder(wiring.Component):
    """Takes the items of a block by (timestep, position, group) and gives them out by (position, timestep, group).

    A memory holds two buffers, of which one is written while the other is read. A context is a position of the block
    together with a group. A word's address consists of the buffer, the timestep and the context, so either order is a
    matter of counting. A timestep can be read as soon as all its positions are there, so a block of one position passes
    without waiting for its other timesteps.

    Latency: 2 cycles from the arrival of the last item of a timestep to its first item at ``o``, if the items before
    that one in the order of the output have left. Throughput: one item per cycle, also from one block to the next if
    both have the same size.

    Members
    -------
    i_layer : In(layer_config)
        The layer's numbers of groups and timesteps.
    i : In(stream of reorder_levels)
        The levels of a group, with their context.
    o : Out(stream of ordered_levels)
        The levels of a group, in the order of the output.
    o_next_busy : Out(1)
        In the next cycle a block, or a part of one, will be inside.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_layer": In(layer_config(c)),
                "i": In(stream.Signature(reorder_levels(c))),
                "o": Out(stream.Signature(ordered_levels(c))),
                "o_next_busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        self.t_bits = clog2(most_timesteps(c))
        depth = 2 * contexts(c) << self.t_bits
        levels = data.ArrayLayout(c.level_bits, c.neuron_lanes)
        m.submodules.memory = store = memory.Memory(shape=levels, depth=depth, init=[], attrs={"ram_style": "block"})
        full = Signal(2)  # for each buffer: the block in it is complete
        # The buffer that is being written, and how many timesteps in it are complete.
        buffer, t = Signal(), Signal(self.t_bits)
        # For each buffer: the last context of the block in it, and whether the block ends its m tile.
        end = Signal(
            data.ArrayLayout(data.StructLayout({"context": range(contexts(c)), "last": 1}), 2), reset_less=True
        )
        self._write(m, store.write_port(), buffer, t, full, end)
        self._read(m, store.read_port(), buffer, t, full, end)
        return m

    def _write(
        self, m: Module, port: memory.WritePort, buffer: Signal, t: Signal, full: Signal, end: data.View
    ) -> None:
        step = self.i.payload.step
        some, accept, timestep_done = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(buffer, 1)),
            accept.eq(self.i.valid & self.i.ready),
            timestep_done.eq(accept & step.last_position & step.last_group),
            port.en.eq(accept),
            port.addr.eq(Cat(step.context, t, buffer)),
            port.data.eq(self.i.payload.level),
            # A buffer becomes free when its last item moves into ``o``, so an item that waits there counts as well.
            self.o_next_busy.eq(some | full.any() | accept | (self.o.valid & ~self.o.ready)),
        ]
        with m.If(accept):
            m.d.sync += some.eq(1)
        with m.If(timestep_done):
            m.d.sync += [t.eq(t + 1), end[buffer].context.eq(step.context), end[buffer].last.eq(step.last)]
        with m.If(timestep_done & step.last_t):
            m.d.sync += [t.eq(0), some.eq(0), buffer.eq(~buffer), full.bit_select(buffer, 1).eq(1)]

    def _read(
        self, m: Module, port: memory.ReadPort, writing: Signal, written: Signal, full: Signal, end: data.View
    ) -> None:
        c, layer, o = self.config, self.i_layer, self.o.payload
        buffer, t = Signal(), Signal(self.t_bits)
        group, base, context = Signal(range(c.groups)), Signal(range(contexts(c))), Signal(range(contexts(c)))
        last_group, last_t, last_context, move, there = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            there.eq(full.bit_select(buffer, 1) | ((writing == buffer) & (t < written))),
            move.eq(~self.o.valid | self.o.ready),
            context.eq(base + group),
            last_group.eq(group + 1 == layer.groups),
            last_t.eq(t + 1 == layer.timesteps),
            last_context.eq(context == end[buffer].context),
            port.addr.eq(Cat(context, t, buffer)),
            port.en.eq(move & there),
            o.level.eq(port.data),
        ]
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(there),
                o.group.eq(group),
                o.last_group.eq(last_group),
                o.last_t.eq(last_t),
                o.last.eq(last_t & last_context & end[buffer].last),
            ]
        with m.If(move & there):
            m.d.sync += group.eq(Mux(last_group, 0, group + 1))
            with m.If(last_group):
                m.d.sync += t.eq(Mux(last_t, 0, t + 1))
                with m.If(last_t):
                    m.d.sync += base.eq(Mux(last_context, 0, context + 1))
                    with m.If(last_context):
                        m.d.sync += [full.bit_select(buffer, 1).eq(0), buffer.eq(~buffer)]
