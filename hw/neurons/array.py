"""The whole neuron array: multi-level integrate-and-fire neurons (arXiv 2510.24637) behind the partial sums."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import interleave, most_timesteps, recurrence
from ..interface.streams import addend_group, layer_config, neuron_out, neuron_params, psum_row
from ..lib.fanout import COPIES, fan_out, replicate
from ..lib.fifo import SmallFifo
from .fire import NeuronFire
from .integrate import NeuronIntegrate
from .layouts import fired_group
from .reorder import NeuronReorder
from .select import QUEUE, NeuronSelect


class NeuronArray(wiring.Component):
    """Computes IF, LIF and readout neurons, ``neuron_lanes`` channels per cycle.

    It gives exactly what ``reprise.model.inference.neurons`` specifies. At every timestep, each channel computes::

        U = (V * l >> 8) + sum over planes p of weight(p) * psum(p) + m + c
        z = clip(floor(U / D), 0, N)
        V = U - z * D                  soft reset
            0 where z > 0, else U      hard reset
            U                          no reset, and readout (which has z = 0)

    ``weight(p)`` is 2**p for bit-planes (that of the last plane is negative when the input is ``signed``) and 1 for
    thermometer planes. m is the addend, if the layer has one. D is the threshold, c the bias, l the leak and N the
    highest level. V starts from v0.

    Rows arrive block by block (:func:`reprise.hw.interface.row_order.block_positions`), inside a block timestep by
    timestep, inside a timestep position by position, and inside a position plane by plane, the lowest plane first. A
    block is a single position for readouts, for layers with an addend, for T = 1, and where ``planes * G`` cycles are
    enough to hide the recurrence of the potential. Each row has G = ``i_layer.groups`` groups of channels, of which one
    is worked off per cycle. The last block of an m tile may have fewer positions, so ``last_position`` says where a
    timestep ends.

    Latency: ``6 + level_bits`` cycles from the transfer of a row of the last plane to ``o.valid`` of its first group.
    Interleaved positions take two cycles more, and each item waits for those before it in the order of the output.

    Throughput: a row takes G cycles, so rows of a single group follow each other every cycle. For T > 1, a group
    needs its own potential of the timestep before. Where ``positions of the block * planes * G < 3 + level_bits``, the
    last plane of t > 0 therefore waits, and a timestep takes ``3 + level_bits`` cycles instead (3 cycles without a
    reset or for a readout).

    Backpressure: nothing in the pipeline waits for ``o.ready``. A group of a last plane enters only when the queue at
    the end (``QUEUE`` items) has room for it and for everything that is on its way there already. So ``o.ready``
    reaches no further than the queue's pointers, and what is on its way closes up while ``o`` is not ready.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_psum : In(stream of psum_row)
    i_params : In(stream of neuron_params)
        The parameters of one group per item. They are kept until they are overwritten, and are taken only between
        runs: the stream is not ready while ``o_busy`` is set.
    i_addend : In(stream of addend_group)
        Where addends are built: those of a layer that has one, by position, timestep and group. ``addend_groups`` of
        them wait inside.
    i_layer : In(layer_config)
        The layer's description, which must not change while ``o_busy`` is set.
    o : Out(stream of neuron_out)
        One item per position, timestep and group, in this order. ``potential`` is V after the timestep, except that
        for firing neurons with reset "none" it is U - z*D. Where positions are interleaved, ``potential`` is undefined
        and does not stay constant while the item waits.
    o_busy : Out(1)
        A row or a group is inside the array.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_psum": In(stream.Signature(psum_row(c))),
                "i_params": In(stream.Signature(neuron_params(c))),
                "i_layer": In(layer_config(c)),
                "o": Out(stream.Signature(neuron_out(c))),
                "o_busy": Out(1),
                **({"i_addend": In(stream.Signature(addend_group(c)))} if c.addend_groups else {}),
            }
        )

    @property
    def latency(self) -> int:
        """The number of cycles from the transfer of a row to ``o.valid`` of its first group."""
        return NeuronSelect.LATENCY + NeuronIntegrate.LATENCY + self.config.level_bits

    @property
    def recurrence(self) -> int:
        """The least number of cycles between the same group of two successive timesteps."""
        return recurrence(self.config)

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        m.submodules.select = select = NeuronSelect(c)
        m.submodules.integrate = integrate = NeuronIntegrate(c)
        m.submodules.fire = fire = NeuronFire(c)
        m.submodules.queue = queue = SmallFifo(shape=fired_group(c), depth=QUEUE, latency=0, cut=COPIES)
        wiring.connect(m, wiring.flipped(self.i_psum), select.i)
        wiring.connect(m, select.o, integrate.i)
        wiring.connect(m, integrate.o, fire.i)
        inside = Signal(range(QUEUE + 1))  # groups of last planes between the row buffer and ``o``
        given = queue.o.valid & queue.o.ready
        m.d.sync += inside.eq(inside + select.o_issue - given)
        # ``busy`` is found a cycle ahead and registered, because the parameters reach every bit of the state memories
        # and their way must pass no logic but this register.
        busy, next_busy = Signal(), Signal()
        m.d.comb += [
            next_busy.eq(select.o_next_busy | select.o.valid | (inside > 1) | ((inside == 1) & ~given)),
            self.o_busy.eq(busy),
        ]
        m.d.comb += [
            select.i_layer.eq(self.i_layer),
            select.i_inside.eq(inside),
            fire.i_layer.eq(self.i_layer),
            queue.i.valid.eq(fire.o.valid),
            *(queue.i.payload[name].eq(fire.o.payload[name]) for name in ("step", "level", "rest")),
            self.i_params.ready.eq(~self.o_busy),
            integrate.i_params.valid.eq(self.i_params.valid & self.i_params.ready),
            integrate.i_params.payload.eq(self.i_params.payload),
        ]
        if c.addend_groups:
            self._keep_addends(m, select, integrate)
        self._keep_potentials(m, select, integrate, fire)
        self._give_out(m, queue.o)
        reordering = self._reorder(m, queue.o) if most_timesteps(c) > 1 else 0
        m.d.sync += busy.eq(next_busy | reordering)
        return m

    def _keep_potentials(self, m: Module, select: NeuronSelect, integrate: NeuronIntegrate, fire: NeuronFire) -> None:
        """Write each potential back as soon as it is known, long before its levels leave the array."""
        # Without a reset, V is U: it is written at once and need not wait until the levels are known.
        whole, early = Signal(), Signal()
        m.d.comb += [
            whole.eq((self.i_layer.reset == 2) | self.i_layer.readout),
            select.i_early.eq(early),
            integrate.i_write.eq(Mux(early, integrate.o_next, fire.o_next)),
        ]
        m.d.sync += early.eq(whole)
        sums, rests = integrate.o.payload.sum, fire.o.payload.rest
        for lanes, own in fan_out(m, whole, self.config.neuron_lanes, name="early"):
            m.d.comb += [integrate.i_potential[n].eq(Mux(own, sums[n], rests[n])) for n in lanes]

    def _keep_addends(self, m: Module, select: NeuronSelect, integrate: NeuronIntegrate) -> None:
        """Keep addends until their groups have come, which may leave only then."""
        c = self.config
        m.submodules.addends = addends = SmallFifo(shape=addend_group(c), depth=c.addend_groups, cut=COPIES)
        wiring.connect(m, wiring.flipped(self.i_addend), addends.i)
        wiring.connect(m, addends.o, integrate.i_addend)
        m.d.comb += [select.i_addend.eq(addends.i.valid & addends.i.ready), integrate.i_layer.eq(self.i_layer)]

    def _give_out(self, m: Module, items: stream.Interface) -> None:
        """Connect the queue's items to the output in the order in which they come."""
        o, step = self.o.payload, items.payload.step
        m.d.comb += [
            self.o.valid.eq(items.valid),
            items.ready.eq(self.o.ready),
            o.level.eq(items.payload.level),
            o.potential.eq(items.payload.rest),
            o.group.eq(step.group),
            o.last_group.eq(step.last_group),
            o.last_t.eq(step.last_t),
            o.last.eq(step.last & step.last_group),
        ]

    def _reorder(self, m: Module, items: stream.Interface) -> Value:
        """Lead interleaved positions through the reorder buffer; return whether it will hold any in the next cycle."""
        m.submodules.reorder = reorder = NeuronReorder(self.config)
        m.d.comb += [
            reorder.i_layer.eq(self.i_layer),
            reorder.i.payload.step.eq(items.payload.step),
            reorder.i.payload.level.eq(items.payload.level),
        ]
        # Whether the positions of a block take turns. The streams' control signals have a copy of this register of
        # their own, apart from the copy that drives the wide payload.
        interleaved = interleave(m, self.config, self.i_layer) != 0
        control, payload = replicate(m, interleaved, 2, name="interleaved")
        with m.If(control):
            m.d.comb += [
                reorder.i.valid.eq(items.valid),
                items.ready.eq(reorder.i.ready),
                self.o.valid.eq(reorder.o.valid),
                reorder.o.ready.eq(self.o.ready),
            ]
        with m.If(payload):
            o = self.o.payload
            m.d.comb += [o[name].eq(reorder.o.payload[name]) for name in reorder.o.payload.shape().members]
        return reorder.o_next_busy
