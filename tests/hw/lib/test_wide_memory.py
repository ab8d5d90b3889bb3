"""A wide memory against NumPy: groups of channels that are not asked for are neither read nor written."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.lib.wide_memory import lane_parts, wide_memory
from tests.support.simulation import simulate

DEPTH, BITS = 8, 11
CONFIGS = {
    "two groups": HardwareConfig.load("tiny"),
    "three groups": HardwareConfig.load("tiny").replace(lanes=24, neuron_lanes=8),
    "one group": HardwareConfig.load("tiny").replace(neuron_lanes=8),
}


class Wide(wiring.Component):
    def __init__(self, config):
        self.config, self.width = config, config.lanes * BITS
        port = {"groups": In(config.groups), "address": In(range(DEPTH))}
        super().__init__(
            {
                **{f"{side}_{name}": shape for side in ("read", "put") for name, shape in port.items()},
                "value": In(self.width),
                "o": Out(self.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        value = Signal(self.width)
        m.d.sync += value.eq(self.value)
        ports = [(self[f"{side}_groups"], self[f"{side}_address"]) for side in ("read", "put")]
        cut = lane_parts(self.config.neuron_lanes, self.config.groups, BITS)
        m.d.comb += self.o.eq(wide_memory(m, "memory", cut=cut, depth=DEPTH, read=ports[0], put=ports[1], value=value))
        return m

    def __getitem__(self, name):
        return getattr(self, name)


@pytest.mark.parametrize("name", CONFIGS)
def test_groups_are_read_and_written_alone(name):
    c = CONFIGS[name]
    dut, rng = Wide(c), np.random.default_rng(4)
    print("seed 4")
    part_of = {bit: part.group for part in lane_parts(c.neuron_lanes, c.groups, BITS) for bit in part.bits}
    lowest = np.array([part_of[bit] for bit in range(dut.width)])  # the group whose enables a bit follows
    content, word = np.zeros((DEPTH, dut.width), bool), np.zeros(dut.width, bool)
    under_way = []

    async def bench(ctx):
        nonlocal word
        for cycle in range(300):
            counts = [int(rng.integers(0, c.groups + 1)) for _ in range(2)]
            places = [int(place) for place in rng.choice(DEPTH, 2, replace=False)]
            value = rng.integers(0, 2, dut.width).astype(bool)
            for side, count, place in zip(("read", "put"), counts, places, strict=True):
                ctx.set(dut[f"{side}_groups"], (1 << count) - 1)
                ctx.set(dut[f"{side}_address"], place)
            ctx.set(dut.value, sum(int(bit) << n for n, bit in enumerate(value)))
            await ctx.tick()
            under_way.append((*counts, *places, value))
            if cycle < 2:  # after reset some parts write once
                continue
            read, put, source, target, value = under_way[-2]
            word = np.where(lowest < read, content[source], word)
            content[target] = np.where(lowest < put, value, content[target])
            if cycle > 60:
                got = ctx.get(dut.o)
                assert [got >> n & 1 for n in range(dut.width)] == word.astype(int).tolist(), f"cycle {cycle}"

    simulate(dut, bench)
