"""The commands ``run`` and ``capture``: stages in order, tables, report files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ..export.find import choose_images, find_network
from ..hw.arch.config import HardwareConfig
from ..model.prosparsity.density import Density
from ..support.progress import Stages
from .bench.system import Traffic
from .jobs.run import Outcome, execute, open_bench
from .report.report import cycle_table, density_table, make_report, summary, write_json


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asked for; see ``reprise cosim --help``."""

    network: str
    config: str
    images: int
    seed: int
    waves: bool
    latency: int
    stall: float
    gap: int
    clock_mhz: float
    engine: str
    data: Path | None
    out: Path

    @property
    def traffic(self) -> Traffic:
        return Traffic(latency=self.latency, stall=self.stall, gap=self.gap, seed=self.seed + 1)

    def settings(self) -> dict:
        """Fields of the report that say what was run."""
        memory = {"latency": self.latency, "stall": self.stall, "gap": self.gap}
        return {"config": Path(self.config).stem, "engine": self.engine, "seed": self.seed, "memory": memory}


def run_network(options: Options, console: Console) -> int:
    """A network on images; the exit code: 0 if everything equals the model, else 1."""
    from ..compiler import compile_network
    from ..model.inference.runner import run

    config = HardwareConfig.load(options.config)
    options.out.mkdir(parents=True, exist_ok=True)  # better now than after the run
    with Stages(console) as stages:
        with stages.stage("network", f"network {Path(options.network).stem}") as stage:
            stage.advance(note="trained if it isn't cached")
            file, known = find_network(options.network, config, data=options.data)
            stage.remark("cached" if known else "trained")
            batch = choose_images(file, options.images, options.seed)
        with stages.stage("compiler", "memory image"):
            compiled = compile_network(file.network, config, options.images, keep_features=True)
        bench = None
        if options.engine == "rtl":
            bench = open_bench(config, compiled.size, stages, trace=options.waves)
        with stages.stage("model", "model"):
            expected = run(file.network, batch.images, record=("features", "potentials"))
        outcome = execute(
            compiled, file.network, batch.images, expected, stages,
            bench=bench, traffic=options.traffic, waves=options.out / "run.fst" if options.waves else None,
        )  # fmt: skip
        with stages.stage("report", "report"):
            settings = {"network": file.network.name, **options.settings()}
            settings |= {"network_sha256": file.sha256, "network_accuracy": file.accuracy}
            report = make_report(
                outcome, settings=settings, labels=batch.labels, numbers=batch.numbers, clock_mhz=options.clock_mhz
            )
            failure = _failure(outcome, batch.images, options, console) if outcome.mismatches else None
            report["waves"] = failure
            report["seconds"] = stages.seconds
            _write(report, options.out, batch.images, file.network.input_levels, file.network.input_signed)
    return _show(report, outcome, options, stages, console)


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
    if report.get("waves"):
        console.print(f"waveform of that region: [bold]{report['waves']['command']}[/]", highlight=False)
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
    """Waveform of the region of the first mismatch; None in the interpreter."""
    if options.engine != "rtl":
        return None
    from .jobs.failure import record

    return record(outcome, images, options, console)


def run_capture(options: Options, path: Path, console: Console) -> int:
    """Recorded spikes, layer by layer; the exit code as of :func:`run_network`."""
    from ..model.inference.runner import run
    from .jobs.replay import replays

    config = HardwareConfig.load(options.config)
    options.out.mkdir(parents=True, exist_ok=True)  # better now than after the run
    with Stages(console) as stages:
        with stages.stage("capture", f"capture {path.stem}"):
            jobs = list(replays(path, config, seed=options.seed + 1))
        bench = None
        if options.engine == "rtl":
            bench = open_bench(config, max(job.compiled.size for job in jobs), stages, trace=options.waves)
        outcomes = []
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
            report["seconds"] = stages.seconds
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
    """Reports of the layers, joined: every figure is a sum."""
    settings = {"network": path.stem, **options.settings()}
    settings["network_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    unknown = np.full(1, -1)
    parts = [
        make_report(o, settings=settings, labels=unknown, numbers=np.zeros(1), clock_mhz=options.clock_mhz)
        for o in outcomes
    ]
    joined = dict(parts[0])
    joined["layers"] = [layer for part in parts for layer in part["layers"]]
    for key in ("mismatches", "elements"):
        joined[key] = sum(part[key] for part in parts)
    joined["predictions"] = joined["model_predictions"] = None
    joined["first_mismatch"] = next((p["first_mismatch"] for p in parts if p["mismatches"]), None)
    joined["differences"] = [d for part in parts for d in part["differences"]]
    joined["cycles"] = _add(*(part["cycles"] for part in parts))
    joined["total"] = _add(*(part["total"] for part in parts))
    bits = {key: joined["total"]["counts"][key] for key in ("set_bits", "residual_bits")}
    joined["total"] |= Density(elements=joined["cycles"]["dense"], **bits).figures()
    cycles = joined["cycles"]
    if cycles["rtl"]:
        joined["total"]["model_error"] = (cycles["cycle_model"] - cycles["rtl"]) / cycles["rtl"]
    joined["frames_per_second"] = options.clock_mhz * 1e6 / (cycles["rtl"] or cycles["cycle_model"])
    return joined


def _add(*parts):
    """Sums of equal dictionaries, value by value; None stays None."""
    first = parts[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for part in parts for key in part)
        return {key: _add(*(part[key] for part in parts if key in part)) for key in keys}
    return None if first is None else sum(parts)
