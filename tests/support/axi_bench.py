"""A simulation with a memory and a limit, and traffic to run it under, for the tests of the AXI masters."""

from __future__ import annotations

from amaranth.sim import Simulator

from reprise.hw.arch.config import HardwareConfig

CONFIG = HardwareConfig.load("tiny")
TRAFFIC = [dict(stall=s, latency=n) for s, n in ((0.0, 0), (0.0, 40), (0.5, 3), (0.9, 0))]


def simulate(dut, memory, *benches, limit=20_000):
    """Run until every bench has ended; more than ``limit`` cycles are a failure."""

    async def limiter(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"not finished after {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(memory.run, background=True)
    sim.add_testbench(limiter, background=True)
    for bench in benches:
        sim.add_testbench(bench)
    sim.run()
