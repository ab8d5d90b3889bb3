"""A simulation with a memory and a limit, and traffic to run it under, for the tests of the AXI masters."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from tests.support import simulation

CONFIG = HardwareConfig.load("tiny")
TRAFFIC = [dict(stall=s, latency=n) for s, n in ((0.0, 0), (0.0, 40), (0.5, 3), (0.9, 0))]


EVERYTHING = (0, 1 << 40)


def simulate(dut, memory, *benches, limit=20_000, window=EVERYTHING, background=()):
    """Run until every bench has ended; more than ``limit`` cycles are a failure.

    ``window`` holds the first byte of the master's window and that behind its last. What is in the ``background`` need
    not end.
    """
    size = memory.bytes

    async def allow(ctx):
        last = ((window[1] - 1) // size) & ((1 << len(dut.window.last)) - 1)  # as hardware counts, also below 0
        ctx.set(dut.window, {"first": window[0] // size, "last": last, "open": window[0] < window[1]})

    simulation.simulate(dut, *benches, background=[memory.run, allow, *background], limit=limit)
