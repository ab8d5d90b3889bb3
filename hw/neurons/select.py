"""The first part of the neuron array takes a row of partial sums apart into groups of channels."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import EARLY, contexts, recurrence
from ..interface.streams import layer_config, psum_row
from ..lib.fanout import fan_out, replicate
from ..lib.logic import popcount
from .layouts import neuron_psums

QUEUE = 16
"""The most groups that may have left the row buffer without having been given out.

It is more than are on their way when one group leaves in each cycle (6 + level_bits), so that then none has to wait.
"""


class NeuronSelect(wiring.Component):
    """Buffers one row, gives out its groups one by one, and counts positions of the block and timesteps.

    A row is taken when the buffer is empty or gives out its last group, so rows of G groups follow each other
    every G cycles. A group of the last plane leaves the buffer only under two conditions. The first is that there is
    room for its levels in the queue at the end of the neuron array. The second is that the membrane potential of the
    timestep before is there in time; it takes :func:`reprise.hw.interface.row_order.recurrence` cycles to come round.
    Groups never overtake each other, so the same group of the timestep before left n groups of last planes ago, where
    n is the number of groups in a block. That is long enough if fewer than n such groups left in the last
    ``recurrence - 1`` cycles. Nothing waits behind the buffer. Whether a group may leave and a row may come is found a
    cycle ahead, so ``i.ready`` is a register.

    Latency: ``LATENCY`` cycles, one into the row buffer and one into the register of the selected group. Throughput:
    one group per cycle.

    Members
    -------
    i : In(stream of psum_row)
        A row of partial sums of all lanes.
    i_layer : In(layer_config)
        The layer's numbers of groups and timesteps, and how its planes weigh.
    i_early : In(1)
        The layer's potentials come round in :data:`reprise.hw.interface.row_order.EARLY` cycles.
    i_inside : In(range(QUEUE + 1))
        The number of groups of last planes that have left the buffer and have not been given out.
    i_addend : In(1)
        Where addends are built: the addend of one more group waits. In a layer with an addend, a group of a last plane
        leaves the buffer only if its own does.
    o : Out(stream of neuron_psums, always ready)
        The partial sums of one group in one plane.
    o_issue : Out(1)
        A group of a last plane leaves the buffer in this cycle.
    o_next_busy : Out(1)
        In the next cycle the buffer will hold a row, or ``o`` a group.
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(psum_row(c))),
                "i_layer": In(layer_config(c)),
                "i_early": In(1),
                "i_inside": In(range(QUEUE + 1)),
                "o": Out(stream.Signature(neuron_psums(c), always_ready=True)),
                "o_issue": Out(1),
                "o_next_busy": Out(1),
                **({"i_addend": In(1)} if c.addend_groups else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        row = Signal(psum_row(c), reset_less=True)
        left = Signal(neuron_psums(c), reset_less=True)  # the group that has left
        group = Signal(range(c.groups))
        # The group as a one-hot code, with which selecting needs no decoder. It is zero for a clean row, whose partial
        # sums count as zero.
        select, selected = Signal(c.groups), Signal(c.groups)
        # The head may leave; a row may be taken. ``ready`` is 0 after reset, while the copies of ``free`` still differ.
        may, ready = Signal(), Signal()
        head = self._head(m, row, group, selected)
        step = head.step
        held, issue, row_done = Signal(), Signal(), Signal()
        m.d.comb += [
            issue.eq(held & may),
            row_done.eq(issue & step.last_group),
            self.o_issue.eq(issue & step.last_plane),
            self.i.ready.eq(ready),
        ]
        full = Signal()  # in the next cycle
        m.d.comb += full.eq((self.i.valid & ready) | (held & ~row_done))
        m.d.sync += [held.eq(full), self.o.valid.eq(issue), left.eq(head)]
        m.d.comb += [self.o.payload.eq(left), self.o_next_busy.eq(full | issue)]
        weights = replicate(m, self.weight, len(left.weight), name="weight")
        m.d.comb += [self.o.payload.weight[k].eq(weight) for k, weight in enumerate(weights)]
        with m.If(issue):
            m.d.sync += group.eq(Mux(step.last_group, 0, group + 1))
        dirty = self.i.payload.dirty  # a row of the upper half of the lanes begins with the first group there
        begins = Mux(self.i.payload.upper, dirty << c.narrow_groups, dirty) if c.narrow_buffers else dirty
        m.d.comb += selected.eq(Mux(ready & self.i.valid, begins, Mux(issue, select << 1, select)))
        m.d.sync += select.eq(selected)
        last_group, may_leave = self._ahead(m, group, step, issue, row_done)
        free = Signal()
        m.d.comb += free.eq(~full | (may_leave & last_group))
        m.d.sync += [may.eq(may_leave), ready.eq(free)]
        self._take_row(m, row, ready, free)
        return m

    def _take_row(self, m: Module, row: data.View, ready: Value, free: Value) -> None:
        """Store whatever stands at ``i`` while it is ready, whether it is valid or not.

        The enable has thousands of loads, so it comes straight from a register.
        """
        item = self.i.payload
        names = ("last", "last_position", "first", "last_plane")
        with m.If(ready):
            m.d.sync += [row[name].eq(item[name]) for name in names]
            weight = Mux(self.i_layer.weigh, 1 << item.plane, 1)
            m.d.sync += self.weight.eq(weight << self.i_layer.shift if self.config.addend_groups else weight)
        m.d.comb += self.coming.plane.eq(Mux(ready, item.last_plane, row.last_plane))
        c = self.config
        # There are four copies at most, because synthesis would merge the eighth with ``ready`` (hw/lib/fanout.py),
        # which is on the path of the handshake.
        for lanes, taken in fan_out(m, free, c.neuron_lanes, name="taken", most=4):
            with m.If(taken):
                for lane in lanes:
                    m.d.sync += [row.psum[n].eq(item.psum[n]) for n in range(lane, c.lanes, c.neuron_lanes)]

    def _head(self, m: Module, row: data.View, group: Signal, selected: Value) -> data.View:
        """Return the group that leaves the buffer next; in the next cycle it is the ``selected`` one."""
        c, layer = self.config, self.i_layer
        self.t = Signal(range(c.max_timesteps))
        self.base = Signal(range(contexts(c)))  # the context of the position's first group
        self.weight = Signal(c.max_planes, init=1)
        # Whether each counter is at its last value. The flags are found a cycle ahead and registered.
        self.ends = Signal(data.StructLayout({"group": 1, "plane": 1, "t": 1}))
        self.coming = Signal.like(self.ends)
        self.begins = Signal(init=1)  # the first timestep
        head = Signal(neuron_psums(c))
        m.d.comb += [
            head.step.context.eq(self.base + group),
            head.step.group.eq(group),
            head.step.last_group.eq(self.ends.group),
            head.step.first_plane.eq(row.first),
            head.step.last_plane.eq(self.ends.plane),
            head.step.first_t.eq(self.begins),
            head.step.last_t.eq(self.ends.t),
            head.step.last_position.eq(row.last_position),
            head.step.last.eq(row.last),
            head.negative.eq(layer.signed & head.step.last_plane),
            # Shifting an inverted number brings in zeros from below where the inverse of the shifted number has ones.
            # These are the missing ones: a 1 in every bit below that of the weight, which is one-hot.
            head.fill.eq(Cat(head.negative & self.weight[p + 1 :].any() for p in range(c.max_planes - 1))),
        ]
        negative = Signal()  # of the next cycle's group
        m.d.comb += negative.eq(layer.signed & self.coming.plane)
        selects = fan_out(m, Cat(negative, selected), c.neuron_lanes, name="select")
        for n, select in ((n, select) for lanes, select in selects for n in lanes):
            # An AND-OR tree fits two groups into one LUT4; a multiplexer tree would take half as many LUTs again.
            lane = (row.psum[g * c.neuron_lanes + n] & select[1 + g].replicate(c.psum_bits) for g in range(c.groups))
            m.d.comb += head.psum[n].eq(reduce(or_, lane) ^ select[0].replicate(c.psum_bits))
        return head

    def _ahead(self, m: Module, group: Signal, step: data.View, issue: Value, row_done: Value) -> tuple[Value, Value]:
        """Count positions and timesteps.

        Return whether the group of the next cycle is the last of its row, and whether it may leave then.
        """
        layer, t = self.i_layer, self.t
        # The positions of the block, and (if positions do) the timesteps begin again.
        position_done, wrap, restart = Signal(), Signal(), Signal()
        coming, begins = self.coming, Signal()
        m.d.comb += [
            position_done.eq(row_done & (step.last_plane | step.last)),
            wrap.eq(position_done & (step.last_position | step.last)),
            restart.eq(step.last_t | step.last),
            # All outcomes are compared with the layer's numbers before it is known which of them happens.
            coming.group.eq(
                Mux(row_done, layer.groups == 1, Mux(issue, group + 2 == layer.groups, group + 1 == layer.groups))
            ),
            coming.t.eq(
                Mux(wrap, Mux(restart, layer.timesteps == 1, t + 2 == layer.timesteps), t + 1 == layer.timesteps)
            ),
            begins.eq(Mux(wrap, restart, self.begins)),
        ]
        m.d.sync += [self.ends.eq(coming), self.begins.eq(begins)]
        with m.If(position_done):
            m.d.sync += self.base.eq(step.context + 1)
        with m.If(wrap):
            m.d.sync += [self.base.eq(0), t.eq(Mux(restart, 0, t + 1))]
        room = Mux(self.o_issue, self.i_inside < QUEUE - 1, self.i_inside < QUEUE)
        if self.config.addend_groups:
            room = room & self._addend(m)
        may_leave = Signal()
        m.d.comb += may_leave.eq(~coming.plane | (room & (begins | self._apart(m, step, wrap))))
        return coming.group, may_leave

    def _addend(self, m: Module) -> Value:
        """Count the addends that wait for a group to leave, and return whether the next group has one or needs none."""
        waiting, none = Signal(range(self.config.addend_groups + 1)), Signal()
        m.d.comb += none.eq(self.i_layer.addend_bytes == 0)
        m.d.sync += waiting.eq(waiting + self.i_addend - (self.o_issue & ~none))
        return none | Mux(self.o_issue, waiting > 1, waiting != 0)

    def _apart(self, m: Module, step: data.View, wrap: Value) -> Signal:
        """Return whether the next group is far enough from the same group of the timestep before.

        That is so if fewer groups than a block has will have left so recently that their potentials come too late.
        """
        most = recurrence(self.config)
        left = Signal(most - 2)  # bit n: a group of a last plane left n + 1 cycles ago
        matter = Cat(C(1).replicate(EARLY - 2), (~self.i_early).replicate(most - EARLY))
        # The number of groups of a block, limited to ``most``. It is found where the block's first timestep ends, and
        # is not used before.
        size, block = Signal(range(most + 1), reset_less=True), Signal(range(most + 1))
        near, apart = Signal(range(most)), Signal()
        some = Signal(most - 2)
        m.d.comb += [
            some.eq(left & matter),
            near.eq(popcount(some)),
            block.eq(Mux(wrap, Mux(step.context + 1 < most, step.context + 1, most), size)),
            apart.eq(Mux(self.o_issue, near + 1 < block, near < block)),
        ]
        m.d.sync += [left.eq(Cat(self.o_issue, left)), size.eq(block)]
        return apart
