"""Benchmarks of queues: what half and twice the depth of each would cost or save, by the exact cycle model.

The jobs are the shipped networks and the layers of a capture, on the configuration with the most at work in a cycle,
with a memory that answers after 20 and after 100 cycles. The capture is in ``../shared/data/captures``; without it the
other jobs are there.
"""

from pathlib import Path

from reprise.compiler import compile_network
from reprise.cosim.jobs.replay import replays
from reprise.estimate.cycles.parameters import QUEUES
from reprise.estimate.network import Part, SystemTiming, estimate_image
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from tools.bench import ROOT

CAPTURE = ROOT.parent / "shared" / "data" / "captures" / "lenet5_mnist.npz"
FIELDS = {"load_rows": 4, "feature_words": 4096, "tile_k": 32, "weight_banks": 4, "one_bit_matches": 1}
IMAGES = 8
LATENCIES = 20, 100
DEPTHS = {"half": "/ 2", "twice": "x 2"}

UNUSED = ("addend_words", "join_words")
"""Queues that the configuration does not build."""

LEAST = ("fetch_words",)
"""Queues that hold just what is needed at once, so that the hardware would stand still with half of it."""


def _jobs(config: HardwareConfig) -> list[tuple[MemoryImage, list[Part]]]:
    jobs = []
    for name in ("digits", "lenet5"):
        path = shipped(name)
        assert isinstance(path, Path)
        one = load(path)
        images = one.images[:IMAGES]
        jobs.append((compile_network(one.network, config, len(images)), [Part.run(one.network, images)]))
    for replay in replays(CAPTURE, config) if CAPTURE.exists() else ():
        compiled = compile_network(replay.network, config, len(replay.images))
        jobs.append((compiled, [Part.run(replay.network, replay.images)]))
    return jobs


def _cycles(jobs: list[tuple[MemoryImage, list[Part]]], latency: int, older: tuple[str, ...]) -> list[int]:
    timing = SystemTiming(latency=latency)
    return [
        estimate_image(compiled, parts, timing=timing, older=older)[0]["total"]["cycles"]["cycle_model"]
        for compiled, parts in jobs
    ]


def bench_depths() -> dict:
    """The worst of all jobs with half, and the best with twice the depth, as ratios to the cycles as built."""
    config = HardwareConfig.load("paper").replace(**FIELDS)
    jobs = _jobs(config)
    built = {latency: _cycles(jobs, latency, ()) for latency in LATENCIES}
    found: dict[str, float] = {"jobs": len(jobs)}
    for name, size in QUEUES.items():
        if name in UNUSED:
            continue
        found[f"{name}_entries"] = size(config)
        for depth, text in DEPTHS.items():
            for latency in LATENCIES:
                if depth == "half" and name in LEAST:
                    continue
                cycles = _cycles(jobs, latency, (f"{name} {text}",))
                ratios = [own / other for own, other in zip(cycles, built[latency], strict=True)]
                found[f"{name}_{depth}_{latency}_ratio"] = max(ratios) if depth == "half" else min(ratios)
    return found
