"""Multi-level integrate-and-fire neurons behind the partial sums (levels: arXiv 2510.24637)."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import HardwareConfig
from .interleave import interleave, most_timesteps, recurrence
from .layouts import layer_config, neuron_out, neuron_params, psum_row
from .neuron_fire import NeuronFire
from .neuron_integrate import NeuronIntegrate
from .neuron_reorder import NeuronReorder
from .neuron_select import NeuronSelect


class NeuronArray(wiring.Component):
    """IF, LIF and readout neurons, ``neuron_lanes`` channels per cycle; twin of ``model.neurons``.

    At every timestep, per channel::

        U = (V * l >> 8) + sum over planes p of weight(p) * psum(p) + c
        z = clip(floor(U / D), 0, N)
        V = U - z * D                  soft reset
            0 where z > 0, else U      hard reset
            U                          no reset; readout (which has z = 0)

    ``weight(p)`` is 2**p (bit-planes; the last is negative when ``signed``) or 1 (thermometer planes). V starts
    from v0.

    Rows arrive block by block (:func:`hw.interleave.block_positions`; one position where ``planes * G`` hides the
    recurrence, for readouts and for T = 1), inside a block timestep by timestep, inside a timestep position by
    position, inside a position plane by plane, the lowest first. Each row has G = ``i_layer.groups`` groups of
    channels, worked off one per cycle. The last block of an m tile may have fewer positions: ``last_position`` says
    where a timestep ends.

    Latency: ``6 + level_bits`` cycles from the transfer of a row of the last plane to ``o.valid`` of its first group;
    of interleaved positions two more, and an item waits for those before it in the order of the output.

    Throughput: a row takes G cycles, rows of a single group follow each other every cycle. For T > 1, a group
    needs its own potential of the timestep before: where ``positions of the block * planes * G < 3 + level_bits``, the
    last plane of t > 0 waits, and timesteps take ``3 + level_bits`` cycles (3 without reset or for a readout) instead.
    Every stage has a valid bit of its own, so that gaps close while ``o`` isn't ready.

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

    def __init__(self, config: HardwareConfig):
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
        return 2 + NeuronIntegrate.LATENCY + self.config.level_bits

    @property
    def recurrence(self) -> int:
        """Least cycles between the same group of two timesteps."""
        return recurrence(self.config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.select = select = NeuronSelect(self.config)
        m.submodules.integrate = integrate = NeuronIntegrate(self.config)
        m.submodules.fire = fire = NeuronFire(self.config)
        wiring.connect(m, wiring.flipped(self.i_psum), select.i)
        wiring.connect(m, select.o, integrate.i)
        wiring.connect(m, integrate.o, fire.i)
        m.d.comb += [
            select.i_layer.eq(self.i_layer),
            fire.i_layer.eq(self.i_layer),
            self.o_busy.eq(select.o_full | select.o.valid | integrate.o_busy | fire.o_busy),
            self.i_params.ready.eq(~self.o_busy),
            integrate.i_params.valid.eq(self.i_params.valid & self.i_params.ready),
            integrate.i_params.payload.eq(self.i_params.payload),
        ]
        self._keep_potentials(m, select, integrate, fire)
        self._give_out(m, fire)
        if most_timesteps(self.config) > 1:
            self._reorder(m, fire)
        return m

    def _keep_potentials(self, m: Module, select, integrate, fire):
        """A potential is written when it is there, not when it leaves: no logic between ``o.ready`` and the groups."""
        write = Signal()
        slot = Signal.like(integrate.i_slot)
        with m.If((self.i_layer.reset == 2) | self.i_layer.readout):
            # Without reset V is U, which nothing keeps until the levels are known: it is written before them.
            u = integrate.o
            m.d.comb += [
                write.eq(integrate.o_new & ~u.payload.step.last_t),
                slot.eq(u.payload.step.slot),
                integrate.i_potential.eq(u.payload.sum),
            ]
        with m.Else():
            o = fire.o
            m.d.comb += [write.eq(fire.o_new & ~o.payload.step.last_t), slot.eq(o.payload.step.slot)]
            m.d.comb += integrate.i_potential.eq(o.payload.rest)
        m.d.comb += [
            integrate.i_write.eq(write),
            integrate.i_slot.eq(slot),
        ]

    def _give_out(self, m: Module, fire):
        o, step = self.o.payload, fire.o.payload.step
        m.d.comb += [
            self.o.valid.eq(fire.o.valid),
            fire.o.ready.eq(self.o.ready),
            o.level.eq(fire.o.payload.level),
            o.potential.eq(fire.o.payload.rest),
            o.group.eq(step.group),
            o.last_group.eq(step.last_group),
            o.last_t.eq(step.last_t),
            o.last.eq(step.last & step.last_group),
        ]

    def _reorder(self, m: Module, fire):
        """Interleaved positions take the way through the reorder buffer."""
        m.submodules.reorder = reorder = NeuronReorder(self.config)
        step = fire.o.payload.step
        m.d.comb += [
            reorder.i_layer.eq(self.i_layer),
            reorder.i.payload.step.eq(step),
            reorder.i.payload.level.eq(fire.o.payload.level),
        ]
        turns = Signal()  # positions take turns
        m.d.sync += turns.eq(interleave(m, self.config, self.i_layer) != 0)
        with m.If(turns):
            o = self.o.payload
            m.d.comb += [
                reorder.i.valid.eq(fire.o.valid),
                fire.o.ready.eq(reorder.i.ready),
                self.o.valid.eq(reorder.o.valid),
                reorder.o.ready.eq(self.o.ready),
                *(o[name].eq(reorder.o.payload[name]) for name in reorder.o.payload.shape().members),
            ]
        with m.If(reorder.o_busy):
            m.d.comb += self.o_busy.eq(1)
