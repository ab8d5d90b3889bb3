"""Benchmarks of the cycle model, when all kernels are compiled."""

import time
from pathlib import Path

from reprise.compiler import compile_network
from reprise.cosim.jobs.replay import replays
from reprise.estimate.network import Part, estimate_image
from reprise.hw.arch.config import HardwareConfig
from tools.bench import ROOT, Skip

CAPTURES = ROOT.parent / "shared" / "data" / "captures"


def _cpu_seconds(name: str) -> dict[str, float | int]:
    """Return the CPU's seconds, of all cores, for all layers of a capture, and their cycles."""
    path = CAPTURES / f"{name}.npz"
    if not path.exists():
        raise Skip(f"{path.name} is not in {Path(*path.parts[-4:-1])}")
    config = HardwareConfig.load("paper")
    layers = [
        (
            compile_network(one.network, config, len(one.images), keep_features=True),
            [Part.run(one.network, one.images)],
        )
        for one in replays(path, config)
    ]

    def measured(limits: bool) -> tuple[float, int]:
        begin = time.process_time()
        totals = [estimate_image(compiled, parts, limits=limits)[0]["total"] for compiled, parts in layers]
        return time.process_time() - begin, sum(total["cycles"]["cycle_model"] for total in totals)

    measured(False)
    seconds, cycles = min(measured(False) for _ in range(3))
    return {"cpu_seconds": seconds, "with_limits_cpu_seconds": measured(True)[0], "cycles": cycles}


def bench_vgg9() -> dict:
    """The cycles of the published VGG-9 capture on `paper`, and (with limits) what limits each layer."""
    return _cpu_seconds("vgg9_cifar10")
