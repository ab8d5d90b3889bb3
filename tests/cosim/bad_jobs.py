"""Jobs that must fail, each followed by a good one, in one simulation of the accelerator in RTL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reprise.cosim.bench.system import SystemBench, SystemResult, Traffic
from reprise.cosim.jobs.host import Status, end_steps, start_steps
from reprise.hw.arch.memory_image import Windows
from reprise.hw.csr.start import OPEN
from tests.support.cosim_jobs import TIMEOUT, Job


@dataclass(frozen=True, kw_only=True)
class Bad:
    """What must fail: steps to take before the start, program address, error code and command of STATUS."""

    error: int
    program: int
    command: int | None = None
    before: tuple = ()
    during: tuple = ()
    watchdog: int = 50_000
    windows: Windows = OPEN


def play(bench: SystemBench, job: Job, bads: list[Bad], memory: np.ndarray, traffic: Traffic | None = None):
    """Every bad job, each followed by the right one on restored memory, in one simulation; checks all of it."""
    steps: list[list] = []
    places = []
    calm = [["set", name, value] for name, value in (traffic or Traffic()).signals().items() if name != "seed"]
    size = job.compiled.size
    for n, bad in enumerate(bads):
        steps += [
            *map(list, bad.before),
            *start_steps(bad.program, bad.windows, watchdog=bad.watchdog),
            *map(list, bad.during),
        ]
        ended = len(steps) + 1
        steps += [*end_steps(TIMEOUT), *calm, ["load"]]
        steps += start_steps(job.compiled.program, job.compiled.windows, watchdog=50_000)
        good = len(steps) + 1
        steps += [*end_steps(TIMEOUT), ["dump", f"memory{n}", 0, size]]
        places.append((ended, good))
    result: SystemResult = bench.run(steps, memory, traffic=traffic)
    for n, (bad, (ended, good)) in enumerate(zip(bads, places, strict=True)):
        status = Status.of(result.results[ended])
        assert status.error == bad.error and not status.busy and status.done, f"case {n}: {status}"
        if bad.command is not None:
            assert status.command == bad.command, f"case {n}: {status}"
        status = Status.of(result.results[good])
        assert not status.error and not status.busy and status.done, f"after case {n}: {status}"
        job.check(result.dumps[f"memory{n}"])
    return result
