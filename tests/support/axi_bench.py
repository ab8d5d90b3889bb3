"""A simulation with a memory and a limit, and traffic to run it under, for the tests of the AXI masters."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from tests.support import simulation

CONFIG = HardwareConfig.load("tiny")
TRAFFIC = [dict(stall=s, latency=n) for s, n in ((0.0, 0), (0.0, 40), (0.5, 3), (0.9, 0))]


def simulate(dut, memory, *benches, limit=20_000):
    """Run until every bench has ended; more than ``limit`` cycles are a failure."""
    simulation.simulate(dut, *benches, background=[memory.run], limit=limit)
