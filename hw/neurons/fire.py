"""Last part of the neuron array: levels by greedy binary search, and the membrane potential after them."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import layer_config
from .layouts import neuron_level, neuron_sum, potential_write


class NeuronFire(wiring.Component):
    """``z = clip(floor(U / D), 0, N)`` and V after a soft or hard reset, without a divider.

    One stage per bit k of a level, from the highest: where ``z + 2**k <= N`` and ``rest >= D << k``,
    ``z += 2**k`` and ``rest -= D << k``. A negative U passes no comparison. N need not be 2**n - 1: while z agrees
    with the upper bits of N (``tight``), a bit may only be set where N has one. N = 0 (readout) leaves U alone. A hard
    reset clears the rest of a level that isn't zero in the last stage.

    Latency: ``level_bits`` cycles. Throughput: one group per cycle. Nothing waits: what comes out must be taken.

    Members
    -------
    i_layer : In(layer_config)
    i : In(stream of neuron_sum, always ready)
    o : Out(stream of neuron_level, always ready)
    o_next : Out(potential_write)
        In the next cycle the rest at ``o`` is a potential that another timestep needs.
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
        for k in reversed(range(c.level_bits)):
            if k == 0:
                m.d.comb += [self.o_next.valid.eq(valid & ~now.step.last_t), self.o_next.context.eq(now.step.context)]
            then, arrived = Signal(neuron_level(c), name=f"bit{k}", reset_less=True), Signal(name=f"valid{k}")
            m.d.sync += [arrived.eq(valid), then.eq(now)]
            for n in range(c.neuron_lanes):
                self._decide(m, now, then, n, k, levels[k])
            valid, now = arrived, then
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(now)]
        return m

    def _decide(self, m: Module, now: data.View, then: data.View, n: int, k: int, top: Value) -> None:
        """Bit ``k`` of lane ``n``; ``top`` is the same bit of N."""
        c = self.config
        difference = Signal(signed(c.membrane_bits + k + 1), name=f"difference{k}_{n}")
        fits = Signal(name=f"fits{k}_{n}")
        m.d.comb += [
            difference.eq(now.rest[n] - (now.threshold[n] << k)),
            fits.eq(~difference[-1] & (top | ~now.tight[n])),
        ]
        m.d.sync += [
            then.level[n][k].eq(fits),
            then.rest[n].eq(Mux(fits, difference, now.rest[n])),
            then.tight[n].eq(now.tight[n] & (fits | ~top)),
        ]
        if k == 0:
            # Here a hard reset is one more input of the same LUT; behind the last stage it would be a LUT of its own.
            with m.If((self.i_layer.reset == 1) & (fits | now.level[n].any())):
                m.d.sync += then.rest[n].eq(0)
