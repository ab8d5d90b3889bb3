"""The memory with two write ports, against a dictionary."""

import random

import pytest
from amaranth.sim import Simulator

from hw.multiport import XorMemory


@pytest.mark.parametrize("seed", [1, 2])
def test_two_writes_and_reads_every_cycle(seed):
    """Random addresses, both writers, all readers; an address rests for two cycles after a write."""
    dut, rng = XorMemory(width=6, depth=16, reads=2), random.Random(seed)

    async def bench(ctx):
        words = [0] * 16
        pending = []  # (cycle of visibility, addr, data)
        asked = [None, None]
        for cycle in range(400):
            for _, addr, value in [p for p in pending if p[0] == cycle]:
                words[addr] = value
            pending = [p for p in pending if p[0] > cycle]
            free = [addr for addr in range(16) if all(addr != p[1] for p in pending)]
            for k, addr in enumerate(rng.sample(free, 2)):
                en, value = rng.random() < 0.7, rng.randrange(64)
                ctx.set(dut.write[k].en, en)
                ctx.set(dut.write[k].addr, addr)
                ctx.set(dut.write[k].data, value)
                if en:
                    pending.append((cycle + 2, addr, value))
            for n in range(2):
                if rng.random() < 0.8:
                    addr = rng.choice([a for a in range(16) if all(a != p[1] for p in pending)])
                    ctx.set(dut.read[n].en, 1)
                    ctx.set(dut.read[n].addr, addr)
                    asked[n] = words[addr]
                else:
                    ctx.set(dut.read[n].en, 0)
            await ctx.tick()
            for n in range(2):
                if asked[n] is not None:
                    assert ctx.get(dut.word[n]) == asked[n], f"cycle {cycle}, reader {n}"

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


def test_a_write_is_seen_after_two_cycles():
    dut = XorMemory(width=8, depth=4, reads=1)

    async def bench(ctx):
        for k, value in ((0, 0x5A), (1, 0xC3)):  # the second writer replaces what the first wrote
            ctx.set(dut.write[k], {"en": 1, "addr": 2, "data": value})
            await ctx.tick()
            ctx.set(dut.write[k].en, 0)
            await ctx.tick()
            ctx.set(dut.read[0], {"en": 1, "addr": 2})
            await ctx.tick()
            assert ctx.get(dut.word[0]) == value

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
