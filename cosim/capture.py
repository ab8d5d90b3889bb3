"""Runs the layers of a capture, with random weights, and makes one report of them.

Each layer is a job of its own, or all are one program. A program shows what a network pays between its layers; the
layers still read what was recorded, and not what the layer before them wrote with random weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..compiler import compile_network, compile_networks
from ..estimate.limits import of_network
from ..estimate.network import Part
from ..hw.arch.memory_image import MemoryImage
from ..model.prosparsity.density import Density
from ..support.progress import Stages
from .command import make_bench, prepare_folder, program_bytes, show, write
from .jobs.replay import Replay, replays
from .jobs.run import Outcome, execute
from .options import Options
from .report.report import make_report

ONE_PROGRAM, OWN_JOBS = "one program", "a job for each layer"
"""What a report says of how the layers were run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """A program and the layers that it runs."""

    name: str
    compiled: MemoryImage
    layers: list[Replay]


def _jobs(found: list[Replay], options: Options) -> Iterator[_Job]:
    """Compile the layers of a capture, each as a job of its own or all as one."""
    if options.one_program:
        joined = compile_networks([one.network for one in found], options.config, keep_features=True)
        yield _Job(name="run", compiled=joined, layers=found)
        return
    for one in found:
        compiled = compile_network(one.network, options.config, keep_features=True)
        yield _Job(name=one.name, compiled=compiled, layers=[one])


def run_capture(path: Path, options: Options, console: Console) -> int:
    """Run the layers of a capture and report on them.

    A capture holds some layers of a network on one sample, so its report has no latency and no frames per second.

    Returns the exit code, which is 0 if everything equals the model, and else 1.
    """
    prepare_folder(options.out)
    with Stages(console) as stages:
        with stages.stage("capture", f"capture {path.stem}"):
            found = list(replays(path, options.config, seed=options.seed + 1))
            sizes = [program_bytes(one.network, options.config, 1) for one in found]
        size = sum(sizes) if options.one_program else max(sizes)
        with make_bench(options, size, stages) as bench:
            with stages.stage("compiler", "memory images"):
                jobs = list(_jobs(found, options))
            outcomes, waves = [], [options.out / f"{job.name}.fst" for job in jobs]
            for job, wave in zip(jobs, waves, strict=True):
                parts = []
                for one in job.layers:
                    with stages.stage("model", f"model, {one.name}"):
                        parts.append(Part.run(one.network, one.images, record=("features", "potentials")))
                outcome = execute(
                    job.compiled, parts, stages,
                    bench=bench, traffic=options.traffic, waves=wave if options.waves else None,
                    limits=options.limits, trace=options.trace,
                )  # fmt: skip
                outcomes.append(outcome)
        report = capture_report(outcomes, options, path)
        write(report, outcomes, options, stages)
    return show(report, options, stages, waves)


def capture_report(outcomes: list[Outcome], options: Options, path: Path) -> dict:
    """Join the reports of the jobs into one, in which every figure is a sum."""
    settings = {"capture": path.stem, "capture_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    settings |= {"capture_program": ONE_PROGRAM if options.one_program else OWN_JOBS}
    parts = [make_report(outcome, settings | options.settings()) for outcome in outcomes]
    joined = dict(parts[0])
    joined["layers"] = [layer for part in parts for layer in part["layers"]]
    for key in ("mismatches", "elements"):
        joined[key] = sum(part[key] for part in parts)
    joined["first_mismatch"] = next((p["first_mismatch"] for p in parts if p["mismatches"]), None)
    joined["differences"] = [d for part in parts for d in part["differences"]]
    for key in ("rest", "total"):
        joined[key] = _add(*({k: v for k, v in part[key].items() if k != "limits"} for part in parts))
    cycles, counts = joined["total"]["cycles"], joined["total"]["counts"]
    bits = {key: counts[key] for key in ("set_bits", "residual_bits")}
    if options.limits:
        joined["total"]["limits"] = of_network([layer["limits"] for layer in joined["layers"]], cycles["cycle_model"])
    joined["total"] |= Density(elements=cycles["dense"], **bits).figures()
    for one in (joined["rest"], joined["total"]):
        if one["cycles"]["rtl"]:
            error = one["cycles"]["cycle_model"] - one["cycles"]["rtl"]
            one["model_error_fraction"] = error / one["cycles"]["rtl"]
    joined["memory_image_bytes"] = max(part["memory_image_bytes"] for part in parts)
    return joined


def _add(*parts: Any) -> Any:
    """Add dictionaries of the same form value by value; None and names stay what they are."""
    first = parts[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for part in parts for key in part)
        return {key: _add(*(part[key] for part in parts if key in part)) for key in keys}
    return first if first is None or isinstance(first, str) else sum(parts)
