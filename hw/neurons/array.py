"""Multi-level integrate-and-fire neurons behind the partial sums (levels: arXiv 2510.24637)."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import interleave, most_timesteps, recurrence
from ..interface.streams import layer_config, neuron_out, neuron_params, psum_row
from ..lib.fanout import COPIES, fan_out, replicate
from ..lib.fifo import SmallFifo
from .fire import NeuronFire
from .integrate import NeuronIntegrate
from .layouts import fired_group
from .reorder import NeuronReorder
from .select import QUEUE, NeuronSelect


class NeuronArray(wiring.Component):
    """IF, LIF and readout neurons, ``neuron_lanes`` channels per cycle; twin of ``reprise.model.inference.neurons``.

    At every timestep, per channel::

        U = (V * l >> 8) + sum over planes p of weight(p) * psum(p) + c
        z = clip(floor(U / D), 0, N)
        V = U - z * D                  soft reset
            0 where z > 0, else U      hard reset
            U                          no reset; readout (which has z = 0)

    ``weight(p)`` is 2**p (bit-planes; the last is negative when ``signed``) or 1 (thermometer planes). V starts
    from v0.

    Rows arrive block by block (:func:`reprise.hw.interface.row_order.block_positions`; one position where ``planes *
    G`` hides the
    recurrence, for readouts and for T = 1), inside a block timestep by timestep, inside a timestep position by
    position, inside a position plane by plane, the lowest first. Each row has G = ``i_layer.groups`` groups of
    channels, worked off one per cycle. The last block of an m tile may have fewer positions: ``last_position`` says
    where a timestep ends.

    Latency: ``6 + level_bits`` cycles from the transfer of a row of the last plane to ``o.valid`` of its first group;
    of interleaved positions two more, and an item waits for those before it in the order of the output.

    Throughput: a row takes G cycles, rows of a single group follow each other every cycle. For T > 1, a group
    needs its own potential of the timestep before: where ``positions of the block * planes * G < 3 + level_bits``, the
    last plane of t > 0 waits, and timesteps take ``3 + level_bits`` cycles (3 without reset or for a readout) instead.

    Backpressure: nothing in the pipeline waits for ``o.ready``. A group of a last plane enters only when the queue at
    the end (``QUEUE`` items) has room for it, also with everything on its way there. So ``o.ready`` reaches no more
    than the queue's pointers, and what is on its way closes up while ``o`` isn't ready.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_psum : In(stream of psum_row)
    i_params : In(stream of neuron_params)
        Parameters by group, kept until overwritten; taken only between runs (not ready while ``o_busy``).
    i_layer : In(layer_config)
        Must not change while ``o_busy``.
    o : Out(stream of neuron_out)
        One item per position, timestep and group, in this order. ``potential`` is V after the timestep (with reset
        "none" of neurons that fire: U - z*D). Where positions are interleaved it is undefined, and not held.
    o_busy : Out(1)
        A row or group is inside.
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
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a row to ``o.valid`` of its first group."""
        return NeuronSelect.LATENCY + NeuronIntegrate.LATENCY + self.config.level_bits

    @property
    def recurrence(self) -> int:
        """Least cycles between the same group of two timesteps."""
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
        # Found a cycle ahead: parameters reach every bit of the state memories, behind nothing but ``busy``.
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
        self._keep_potentials(m, select, integrate, fire)
        self._give_out(m, queue.o)
        reordering = self._reorder(m, queue.o) if most_timesteps(c) > 1 else 0
        m.d.sync += busy.eq(next_busy | reordering)
        return m

    def _keep_potentials(self, m: Module, select: NeuronSelect, integrate: NeuronIntegrate, fire: NeuronFire) -> None:
        """A potential is written when it is known, long before its levels leave."""
        whole, early = Signal(), Signal()  # without reset V is U, which nothing keeps until the levels are known
        m.d.comb += [
            whole.eq((self.i_layer.reset == 2) | self.i_layer.readout),
            select.i_early.eq(early),
            integrate.i_write.eq(Mux(early, integrate.o_next, fire.o_next)),
        ]
        m.d.sync += early.eq(whole)
        sums, rests = integrate.o.payload.sum, fire.o.payload.rest
        for lanes, own in fan_out(m, whole, self.config.neuron_lanes, name="early"):
            m.d.comb += [integrate.i_potential[n].eq(Mux(own, sums[n], rests[n])) for n in lanes]

    def _give_out(self, m: Module, items: stream.Interface) -> None:
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
        """Interleaved positions take the way through the reorder buffer; whether it will hold any."""
        m.submodules.reorder = reorder = NeuronReorder(self.config)
        m.d.comb += [
            reorder.i_layer.eq(self.i_layer),
            reorder.i.payload.step.eq(items.payload.step),
            reorder.i.payload.level.eq(items.payload.level),
        ]
        # Positions take turns: the streams' control hangs on a register of its own.
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
