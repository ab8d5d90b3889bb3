"""Benchmarks of the simulator alone, without models and without the making of Verilog and simulator.

The seconds are those of the CPU in the simulator's process, with the start of Python in it. They depend little on
other work.
"""

import resource
from collections.abc import Callable

import numpy as np

from reprise.compiler import compile_network
from reprise.cosim.bench.system import SystemBench
from reprise.cosim.jobs.host import run_job
from reprise.export.find import choose_images, find_network
from reprise.hw.arch.config import HardwareConfig

IMAGES = 40


def _cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU's seconds of all processes that a call starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _job(name: str, images: int) -> dict[str, float | int]:
    config = HardwareConfig.load("paper")
    file, _ = find_network(name, config)
    batch = choose_images(file, images, 0)
    compiled = compile_network(file.network, config, images, keep_features=True)
    bench = SystemBench(config)
    cycles = run_job(bench, compiled, (batch.images,)).cycles
    start = min(_cpu_seconds(lambda: bench.run([], np.zeros(0, np.uint8))) for _ in range(3))
    seconds = min(_cpu_seconds(lambda: run_job(bench, compiled, (batch.images,))) for _ in range(5))
    return {
        "cpu_seconds": seconds,
        "of_these_to_start_seconds": start,
        "cycles": cycles,
        "cycles_per_cpu_second": round(cycles / seconds),
    }


def bench_lenet5() -> dict:
    """The simulator of `reprise cosim lenet5 --config paper --images 40`, the fastest of five runs."""
    return _job("lenet5", IMAGES)
