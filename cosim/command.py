"""The command ``reprise cosim``: it runs a network or a capture stage by stage, and writes tables and report files."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ..estimate.network import SystemTiming
from ..estimate.report.speed import area_of, one_image_cycles, speed_of
from ..export.find import Batch, choose_images, find_network
from ..hw.arch.config import HardwareConfig
from ..model.files.network_file import NetworkFile
from ..model.prosparsity.density import Density
from ..support.checks import require, require_int
from ..support.progress import Stages
from .bench.system import Traffic
from .jobs.prepare import Preparation
from .jobs.run import Outcome, execute
from .report.report import batch_report, make_report, network_accuracy, write_json
from .report.tables import cycle_table, density_table, summary


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asked for, as ``reprise cosim --help`` describes it.

    Parameters
    ----------
    config, config_name : HardwareConfig, and how the report names it
    images : how many images the batch has
    seed : chooses the images (with 0 the first ones), the random stalls and random weights
    waves : record waveforms of the whole run
    latency, gap : of the memory, in cycles
    stall : probability of a stalled cycle
    clock_mhz : clock frequency at which times are stated, or None for that of a routed record, or else an assumed one
    engine : "rtl", or "interpreter" for the golden interpreter of programs
    data : folder of the data set's files, for a network that must be trained
    out : folder of the report
    """

    config: HardwareConfig
    config_name: str
    images: int = 8
    seed: int = 0
    waves: bool = False
    latency: int = 20
    stall: float = 0.0
    gap: int = 0
    clock_mhz: float | None = None
    engine: str = "rtl"
    data: Path | None = None
    out: Path = Path("build/cosim")

    def __post_init__(self) -> None:
        require_int("images", self.images, 1)
        require_int("seed", self.seed, 0)
        require(self.clock_mhz is None or self.clock_mhz > 0, "clock_mhz", "above 0", self.clock_mhz)
        require(self.engine in ("rtl", "interpreter"), "engine", "rtl or interpreter", self.engine)
        _ = self.traffic  # its rules are checked now, before minutes of work

    @property
    def traffic(self) -> Traffic:
        """How the simulated memory behaves."""
        return Traffic(latency=self.latency, stall=self.stall, gap=self.gap, seed=self.seed + 1)

    def settings(self) -> dict:
        """Return the fields of the report that say what was run."""
        memory = {"latency_cycles": self.latency, "gap_cycles": self.gap, "stall_probability": self.stall}
        named = {"configuration_name": self.config_name, "area": area_of(self.config)}
        return named | {"engine": self.engine, "seed": self.seed, "memory": memory}


def run_network(network: str, options: Options, console: Console) -> int:
    """Run a network, which is a file or a preset, on images, and report on it.

    Returns the exit code, which is 0 if everything equals the model, and else 1.
    """
    options.out.mkdir(parents=True, exist_ok=True)  # if this fails, it should not fail after minutes of work
    with Stages(console) as stages:
        with stages.stage("network", f"network {Path(network).stem}") as stage:
            stage.advance(note="trained if it isn't cached")
            file, known = find_network(network, options.config, data=options.data)
            stage.remark("cached" if known else "trained")
            batch = choose_images(file, options.images, options.seed)
        outcome, report = simulate(file, batch, options, stages)
        with stages.stage("report", "report"):
            failure = _failure(outcome, batch.images, options, console) if outcome.mismatches else None
            report |= {"stage_seconds": stages.seconds, **({"waveform": failure} if failure else {})}
            _write(report, options.out, batch.images, file.network.input_levels, file.network.input_signed)
    return _show(report, outcome, options, stages, console)


def _bench(options: Options, size: int, stages: Stages) -> AbstractContextManager[Preparation | None]:
    """Begin to make the bench, which goes on while the models run; for the interpreter, which needs none, give None."""
    if options.engine != "rtl":
        return nullcontext()
    return Preparation(options.config, size, stages, trace=options.waves)


def simulate(file: NetworkFile, batch: Batch, options: Options, stages: Stages) -> tuple[Outcome, dict]:
    """Run a network on a batch, in RTL or in the interpreter; return what it gave, and the content of its report."""
    from ..compiler import compile_network
    from ..model.inference.runner import run

    count = len(batch.images)
    with stages.stage("compiler", "memory image"):
        compiled = compile_network(file.network, options.config, count, keep_features=True)
    with _bench(options, compiled.size, stages) as bench:
        with stages.stage("model", "model"):
            expected = run(file.network, batch.images, record=("features", "potentials"))
        outcome = execute(
            compiled, file.network, batch.images, expected, stages,
            bench=bench, traffic=options.traffic, waves=options.out / "run.fst" if options.waves else None,
        )  # fmt: skip
    settings = {"network": file.network.name, **options.settings()}
    settings |= {"network_sha256": file.sha256, "network_accuracy": network_accuracy(file.accuracy)}
    report = make_report(outcome, settings) | batch_report(outcome, batch)
    report["speed"] = _speed(file, batch, options, outcome)
    return outcome, report


def _speed(file: NetworkFile, batch: Batch, options: Options, outcome: Outcome) -> dict:
    """Return how fast the batch was, and how fast its first image would be alone."""
    timing = SystemTiming(latency=options.latency, gap=options.gap)
    found = outcome.total["cycles"]
    cycles = found["rtl"] or found["cycle_model"]
    alone = found["cycle_model"]
    if len(batch.images) > 1:
        alone = one_image_cycles(file.network, options.config, batch.images, timing, keep_features=True)
    return speed_of(options.config, len(batch.images), cycles, alone, options.clock_mhz)


def _write(report: dict, out: Path, images: np.ndarray, levels: int, signed: bool) -> None:
    from .report.html import write_html

    write_json(report, out / "report.json")
    write_html(report, out / "report.html", images=images, levels=levels, signed=signed, notes=summary(report))


def _show(report: dict, outcome: Outcome, options: Options, stages: Stages, console: Console) -> int:
    console.print(cycle_table(report))
    console.print(density_table(report))
    for line in summary(report):
        console.print(line, highlight=False)
    for check in outcome.checks:
        if check.mismatches:
            console.print(f"[red]first difference[/] {check.first or check.error}", highlight=False)
            break
    if report.get("waveform"):
        console.print(f"waveform of that region: [bold]{report['waveform']['viewer_command']}[/]", highlight=False)
    if options.waves and not outcome.mismatches:
        console.print(f"waveform: gtkwave {options.out / 'run.fst'}", highlight=False)
    console.print(f"{options.out / 'report.json'}, {options.out / 'report.html'}", highlight=False)
    console.print(stages.closing(), highlight=False)
    if outcome.mismatches:
        console.print(f"[red]{outcome.mismatches:,} mismatches[/]")
        return 1
    console.print(f"[green]all {report['elements']:,} elements equal the model[/]", highlight=False)
    return 0


def _failure(outcome: Outcome, images: np.ndarray, options: Options, console: Console) -> dict | None:
    """Record a waveform of the region of the first mismatch; the interpreter has none, and the result is None."""
    if options.engine != "rtl":
        return None
    from .jobs.failure import record

    return record(outcome, images, options, console)


def run_capture(path: Path, options: Options, console: Console) -> int:
    """Run the layers of a capture one by one, with random weights; the exit code is that of :func:`run_network`."""
    from ..model.inference.runner import run
    from .jobs.replay import replays

    options.out.mkdir(parents=True, exist_ok=True)  # if this fails, it should not fail after minutes of work
    with Stages(console) as stages:
        with stages.stage("capture", f"capture {path.stem}"):
            jobs = list(replays(path, options.config, seed=options.seed + 1))
        outcomes = []
        with _bench(options, max(job.compiled.size for job in jobs), stages) as bench:
            for job in jobs:
                with stages.stage("model", f"model, {job.name}"):
                    expected = run(job.network, job.images, record=("features", "potentials"))
                waves = options.out / f"{job.name}.fst" if options.waves else None
                outcomes.append(
                    execute(
                        job.compiled, job.network, job.images, expected, stages,
                        bench=bench, traffic=options.traffic, waves=waves,
                    )
                )  # fmt: skip
        with stages.stage("report", "report"):
            report = _capture_report(outcomes, options, path)
            report["stage_seconds"] = stages.seconds
            write_json(report, options.out / "report.json")
    console.print(cycle_table(report))
    console.print(density_table(report))
    failed = next((o for o in outcomes if o.mismatches), None)
    for line in summary(report):
        console.print(line, highlight=False)
    if failed:
        check = next(c for c in failed.checks if c.mismatches)
        console.print(f"[red]first difference[/] {check.first or check.error}", highlight=False)
    console.print(stages.closing(), highlight=False)
    return 1 if failed else 0


def _capture_report(outcomes: list[Outcome], options: Options, path: Path) -> dict:
    """Join the reports of the layers into one, in which every figure is a sum."""
    settings = {"capture": path.stem, "capture_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    parts = [make_report(outcome, settings | options.settings()) for outcome in outcomes]
    joined = dict(parts[0])
    joined["layers"] = [layer for part in parts for layer in part["layers"]]
    for key in ("mismatches", "elements"):
        joined[key] = sum(part[key] for part in parts)
    joined["first_mismatch"] = next((p["first_mismatch"] for p in parts if p["mismatches"]), None)
    joined["differences"] = [d for part in parts for d in part["differences"]]
    for key in ("rest", "total"):
        joined[key] = _add(*(part[key] for part in parts))
    cycles, counts = joined["total"]["cycles"], joined["total"]["counts"]
    bits = {key: counts[key] for key in ("set_bits", "residual_bits")}
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
