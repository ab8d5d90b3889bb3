"""First stage of the neuron array: one row of partial sums, taken apart into groups of channels."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import HardwareConfig
from .interleave import slots
from .layouts import layer_config, psum_row


def neuron_step(c: HardwareConfig) -> data.StructLayout:
    """Where in the layer a group of partial sums stands."""
    return data.StructLayout(
        {
            "slot": range(slots(c)),  # of the potential: position of the block, group
            "group": range(c.groups),
            "last_group": 1,
            "first_plane": 1,
            "last_plane": 1,
            "first_t": 1,
            "last_t": 1,
            "last_position": 1,  # of its block
            "last": 1,  # last row of its m tile
        }
    )


def neuron_psums(c: HardwareConfig) -> data.StructLayout:
    """The partial sums of one group of channels in one plane, and what the plane weighs."""
    return data.StructLayout(
        {
            "step": neuron_step(c),
            "weight": c.max_planes,  # 2**p or 1
            "negative": 1,  # the sign plane
            "psum": data.ArrayLayout(signed(c.psum_bits), c.neuron_lanes),
        }
    )


class NeuronSelect(wiring.Component):
    """Buffers one row, gives out its groups one by one, counts planes, positions of the block and timesteps.

    A row is taken when the buffer is empty or gives out its last group, so rows of G groups follow each other
    every G cycles. A group of the last plane leaves the buffer only when there is room for its levels.

    Latency: 2 cycles (buffer, selected group).

    Members
    -------
    i : In(stream of psum_row)
    i_layer : In(layer_config)
    o : Out(stream of neuron_psums)
    i_room : In(1)
        There is room for what comes of one more group of a last plane.
    o_issue : Out(1)
        A group of a last plane leaves the buffer.
    o_full : Out(1)
        The buffer holds a row.
    """

    def __init__(self, config: HardwareConfig):
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(psum_row(c))),
                "i_layer": In(layer_config(c)),
                "o": Out(stream.Signature(neuron_psums(c))),
                "i_room": In(1),
                "o_issue": Out(1),
                "o_full": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        c = self.config
        row = Signal(psum_row(c), reset_less=True)
        group = Signal(range(c.groups))
        select = Signal(c.groups)  # the group, one-hot: selecting with it costs no decoder; none of an untouched row
        head = self._head(m, row, group, select)
        selected = Signal(neuron_psums(c), reset_less=True)
        move = Signal()
        m.d.comb += [self.o.payload.eq(selected), move.eq(~self.o.valid | self.o.ready)]

        issue = Signal()
        m.d.comb += [
            issue.eq(self.o_full & move & (self.i_room | ~head.step.last_plane)),
            self.o_issue.eq(issue & head.step.last_plane),
            self.i.ready.eq(~self.o_full | (issue & head.step.last_group)),
        ]

        with m.If(issue):
            m.d.sync += [group.eq(group + 1), select.eq(select << 1)]
            with m.If(head.step.last_group):
                m.d.sync += [group.eq(0), self.o_full.eq(0)]
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += [row.eq(self.i.payload), select.eq(self.i.payload.touched), self.o_full.eq(1)]

        with m.If(move):
            m.d.sync += [self.o.valid.eq(issue), selected.eq(head)]
        self._count_rows(m, issue & head.step.last_group, head.step)
        return m

    def _head(self, m: Module, row, group, select):
        """The group that leaves the buffer next."""
        c, layer = self.config, self.i_layer
        self.plane = Signal(range(c.max_planes))
        self.t = Signal(range(c.max_timesteps))
        self.base = Signal(range(slots(c)))  # slot of the position's first group
        self.weight = Signal(c.max_planes, init=1)
        head = Signal(neuron_psums(c))
        m.d.comb += [
            head.step.slot.eq(self.base + group),
            head.step.group.eq(group),
            head.step.last_group.eq(group + 1 == layer.groups),
            head.step.first_plane.eq(self.plane == 0),
            head.step.last_plane.eq(self.plane + 1 == layer.planes),
            head.step.first_t.eq(self.t == 0),
            head.step.last_t.eq(self.t + 1 == layer.timesteps),
            head.step.last_position.eq(row.last_position),
            head.step.last.eq(row.last),
            head.weight.eq(self.weight),
            head.negative.eq(layer.signed & head.step.last_plane),
        ]
        for n in range(c.neuron_lanes):
            # AND-OR: two groups fit one LUT4; a multiplexer tree would take half as much again.
            lane = (row.psum[g * c.neuron_lanes + n] & select[g].replicate(c.psum_bits) for g in range(c.groups))
            m.d.comb += head.psum[n].eq(reduce(or_, lane))
        return head

    def _count_rows(self, m: Module, row_done, step):
        with m.If(row_done):
            m.d.sync += self.plane.eq(self.plane + 1)
            with m.If(self.i_layer.weigh):
                m.d.sync += self.weight.eq(self.weight << 1)
            with m.If(step.last_plane | step.last):
                m.d.sync += [self.plane.eq(0), self.weight.eq(1), self.base.eq(step.slot + 1)]
                with m.If(step.last_position | step.last):
                    m.d.sync += [self.base.eq(0), self.t.eq(Mux(step.last_t | step.last, 0, self.t + 1))]
