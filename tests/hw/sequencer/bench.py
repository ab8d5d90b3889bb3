"""Commands with random legal fields and a simulation with a limit, for the tests of the sequencer."""

from __future__ import annotations

from amaranth.sim import Simulator

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import COMMANDS
from reprise.hw.arch.rules import aligned, ranges

TINY = HardwareConfig.load("tiny")


def random_fields(rng, config, opcode):
    """Field values that obey every rule."""
    limits = {name: (low, high) for name, low, high in ranges(config, opcode)}
    size = config.bus_bits // 8
    values = {}
    for f in COMMANDS[opcode]:
        low, high = limits.get(
            f.name, (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, 2**f.bits - 1)
        )
        if f.name in aligned(opcode):
            high = min(high, 2**40 - 1) if f.bits == 64 else high
            values[f.name] = max(size, rng.randint(low, high) // size * size)
        else:
            values[f.name] = rng.choice([low, high, rng.randint(low, high)])
    if opcode == "LOAD_SEGMENTS":
        values["count"] = rng.randint(1, config.segments - values["target"])
    if opcode == "RUN":
        values |= {"weights_keep": 0, "weights_ready": 0, "weights_hold": 0}
        values["levels"] = max(1, values["levels"])
        values["out_planes"] = max(1, values["out_planes"])
    return values


def simulate(dut, *benches, background=(), limit=50_000):
    async def limiter(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"not finished after {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)
    for bench in (*background, limiter):
        sim.add_testbench(bench, background=True)
    sim.run()
