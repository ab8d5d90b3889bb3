"""The last part of the neuron array finds the levels by a greedy binary search, and the potential that remains."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import layer_config
from ..lib.fanout import fan_out
from .layouts import neuron_level, neuron_sum, potential_write


class NeuronFire(wiring.Component):
    """Computes ``z = clip(floor(U / D), 0, N)`` and V after a soft or hard reset, without a divider.

    There is one pipeline stage per bit k of a level, from the highest bit down. Where ``z + 2**k <= N`` and
    ``rest >= D << k``, the stage does ``z += 2**k`` and ``rest -= D << k``; at first z is 0 and the rest is U. A
    negative U passes no comparison, so its level is 0. N need not be 2**n - 1: while z agrees with the upper bits of N
    (``tight``), a bit of z may be set only where N has a 1. For a readout N counts as 0, which leaves U as it is. With
    a hard reset, the last stage clears the rest of every channel whose level is not zero.

    Latency: ``level_bits`` cycles. Throughput: one group per cycle. Nothing in here waits, so whoever reads ``o`` must
    take every item as it comes.

    Members
    -------
    i_layer : In(layer_config)
        The layer's highest level N, its reset, and whether it is a readout.
    i : In(stream of neuron_sum, always ready)
        U and the threshold D of every channel of a group.
    o : Out(stream of neuron_level, always ready)
        The levels z of the group and the potentials that remain.
    o_next : Out(potential_write)
        Says that in the next cycle the rest at ``o`` is a potential that a later timestep needs, and its context.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_layer": In(layer_config(c)),
                "i": In(stream.Signature(neuron_sum(c), always_ready=True)),
                "o": Out(stream.Signature(neuron_level(c), always_ready=True)),
                "o_next": Out(potential_write(c)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        levels = Mux(self.i_layer.readout, 0, self.i_layer.levels)
        valid, now = self.i.valid, Signal(neuron_level(c))
        sums = self.i.payload
        m.d.comb += [
            now.step.eq(sums.step),
            now.rest.eq(sums.sum),
            now.threshold.eq(sums.threshold),
            now.tight.eq(-1),
        ]
        comes: list[Value] = [valid] * c.neuron_lanes
        for k in reversed(range(c.level_bits)):
            if k == 0:
                m.d.comb += [self.o_next.valid.eq(valid & ~now.step.last_t), self.o_next.context.eq(now.step.context)]
            then, arrived = Signal(neuron_level(c), name=f"bit{k}", reset_less=True), Signal(name=f"valid{k}")
            m.d.sync += arrived.eq(valid)
            with m.If(comes[0]):
                m.d.sync += then.step.eq(now.step)
            for n in range(c.neuron_lanes):
                with m.If(comes[n]):
                    self._decide(m, now, then, n, k, levels[k])
            # What a stage holds of a lane changes only where a group comes.
            comes = [own for part, own in fan_out(m, valid, c.neuron_lanes, name=f"comes{k}_") for _ in part]
            valid, now = arrived, then
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(now)]
        return m

    def _decide(self, m: Module, now: data.View, then: data.View, n: int, k: int, top: Value) -> None:
        """Decide bit ``k`` of the level in lane ``n``; ``top`` is the same bit of N."""
        c = self.config
        difference = Signal(signed(c.membrane_bits + k + 1), name=f"difference{k}_{n}")
        fits = Signal(name=f"fits{k}_{n}")
        m.d.comb += [
            difference.eq(now.rest[n] - (now.threshold[n] << k)),
            fits.eq(~difference[-1] & (top | ~now.tight[n])),
        ]
        m.d.sync += [
            then.level[n].eq(now.level[n]),
            then.threshold[n].eq(now.threshold[n]),
            then.level[n][k].eq(fits),
            then.rest[n].eq(Mux(fits, difference, now.rest[n])),
            then.tight[n].eq(now.tight[n] & (fits | ~top)),
        ]
        if k == 0:
            # Here a hard reset is one more input of the same LUT; behind the last stage it would be a LUT of its own.
            with m.If((self.i_layer.reset == 1) & (fits | now.level[n].any())):
                m.d.sync += then.rest[n].eq(0)
