"""The command ``reprise cosim``: it runs a network or a capture stage by stage, and writes tables and report files."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ..estimate.helps import add_helps
from ..estimate.network import Part, SystemTiming
from ..estimate.report.speed import one_image_cycles, speed_of
from ..export.find import Batch, choose_images, find_network
from ..hw.arch.config import HardwareConfig
from ..model.files.network_file import NetworkFile
from ..model.network.network import Network
from ..support.progress import Stages
from .jobs.prepare import Preparation
from .jobs.run import Outcome, execute
from .options import Options
from .report.pictures import Inputs
from .report.report import batch_report, make_report, network_accuracy, write_json
from .report.tables import cycle_table, density_table, summary, verdict, what_ran

TRACE = "trace.json"
WRITTEN = ("report.json", "report.html", "mismatch.fst", TRACE)
"""What a co-simulation writes into its folder; that of the run before is removed when a run begins."""


def prepare_folder(out: Path) -> None:
    """Make the folder of the report, and remove the report of an earlier run, which is not that of this one.

    If the folder cannot be made, that should be known before minutes of work.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        (out / name).unlink(missing_ok=True)


def run_network(network: str, options: Options, console: Console) -> int:
    """Run a network, which is a file or a preset, on images, and report on it.

    Returns the exit code, which is 0 if everything equals the model, and else 1.
    """
    prepare_folder(options.out)
    with Stages(console) as stages:
        with stages.stage("network", f"network {Path(network).stem}") as stage:
            stage.advance(note="trained if it isn't cached")
            file, known = find_network(network, options.config, data=options.data)
            stage.remark("cached" if known else "trained")
            batch = choose_images(file, options.images, options.seed)
        outcome, report = simulate(file, batch, options, stages)
        inputs = Inputs(images=batch.images, levels=file.network.input_levels, signed=file.network.input_signed)
        write(report, [outcome], options, stages, inputs)
    return show(report, options, stages, [options.out / "run.fst"])


def make_bench(options: Options, size: int, stages: Stages) -> AbstractContextManager[Preparation | None]:
    """Begin to make the bench, which goes on while K tiles are chosen and the models run.

    ``size`` is what :func:`program_bytes` says. For the interpreter, which needs no bench, None is given.
    """
    if options.engine != "rtl":
        return nullcontext()
    return Preparation(options.config, size, stages, trace=options.waves)


def program_bytes(network: Network, config: HardwareConfig, images: int) -> int:
    """Return about how many bytes of memory a program needs, or raise CompileError, at once.

    The compiler chooses K tiles by the network's images, for which its first run waits for kernels. Without images it
    chooses none, and the program differs in its weights' rows alone.
    """
    from ..compiler import compile_network

    return compile_network(replace(network, calibration=None), config, images, keep_features=True).size


def simulate(file: NetworkFile, batch: Batch, options: Options, stages: Stages) -> tuple[Outcome, dict]:
    """Run a network on a batch, in RTL or in the interpreter; return what it gave, and the content of its report."""
    from ..compiler import compile_network

    count = len(batch.images)
    with make_bench(options, program_bytes(file.network, options.config, count), stages) as bench:
        with stages.stage("compiler", "memory image"):
            compiled = compile_network(file.network, options.config, count, keep_features=True, mode=options.mode)
        with stages.stage("model", "model"):
            part = Part.run(file.network, batch.images, record=("features", "potentials"))
        outcome = execute(
            compiled, [part], stages,
            bench=bench, traffic=options.traffic, waves=options.out / "run.fst" if options.waves else None,
            limits=options.limits, trace=options.trace,
        )  # fmt: skip
    settings = {"network": file.network.name, **options.settings()}
    settings |= {"network_sha256": file.sha256, "network_accuracy": network_accuracy(file.accuracy)}
    report = make_report(outcome, settings) | batch_report(outcome, batch)
    report["speed"] = _speed(file, batch, options, outcome)
    if options.helps:
        with stages.stage("helps", "changes that would help") as stage:
            add_helps(
                report, file.network, options.config, batch.images,
                timing=SystemTiming(latency=options.latency, gap=options.gap), keep_features=True,
                progress=lambda done, of, what: stage.advance(done, f"{what}: {done} of {of}", of),
            )  # fmt: skip
    return outcome, report


def _speed(file: NetworkFile, batch: Batch, options: Options, outcome: Outcome) -> dict:
    """Return how fast the batch was, and how fast its first image would be alone."""
    timing = SystemTiming(latency=options.latency, gap=options.gap)
    found = outcome.total["cycles"]
    cycles = found["rtl"] or found["cycle_model"]
    alone = found["cycle_model"]
    if len(batch.images) > 1:
        how: dict[str, Any] = {"keep_features": True, "mode": options.mode}
        alone = one_image_cycles(file.network, options.config, batch.images, timing, **how)
    return speed_of(options.config, len(batch.images), cycles, alone, options.clock_mhz)


def write(
    report: dict,
    outcomes: list[Outcome],
    options: Options,
    stages: Stages,
    inputs: Inputs | None = None,
) -> None:
    """Write both files of a report, and before that, after a mismatch, a waveform of its region.

    Parameters
    ----------
    report : which gets the stages' seconds and the waveform
    outcomes : what each job gave
    options : Options
    stages : Stages
    inputs : the images to show, if there are any
    """
    from .report.html import write_html

    with stages.stage("report", "report"):
        failed = next((outcome for outcome in outcomes if outcome.mismatches), None)
        if failed and options.engine == "rtl":
            from .jobs.failure import record

            waveform = record(failed, options, stages.console)
            report |= {"waveform": waveform} if waveform else {}
        report["stage_seconds"] = dict(stages.seconds)
        write_json(report, options.out / "report.json")
        timelines = [outcome.timeline for outcome in outcomes if outcome.timeline is not None]
        write_html(report, options.out / "report.html", inputs, timelines)
    if timelines:
        with stages.stage("trace", "trace"):
            from .trace.chrome import write_trace

            left_out = write_trace(timelines, options.out / TRACE, f"{what_ran(report)} on {options.config_name}")
        for line in left_out:
            stages.console.print(line, highlight=False)


def show(report: dict, options: Options, stages: Stages, waves: list[Path]) -> int:
    """Print the tables of a report and what became of the run; return the exit code.

    ``waves`` are the files of the waveforms, if some were asked for.
    """
    console, wrong = stages.console, report["mismatches"]
    console.print(cycle_table(report))
    console.print(density_table(report))
    for line in summary(report):
        console.print(line, highlight=False)
    if wrong:
        console.print(f"[red]first difference[/] {report['first_mismatch']}", highlight=False)
    if report.get("waveform"):
        console.print(f"waveform of that region: [bold]{report['waveform']['viewer_command']}[/]", highlight=False)
    elif options.waves:
        for path in waves:
            console.print(f"waveform: gtkwave {path}", highlight=False)
    console.print(f"{options.out / 'report.json'}, {options.out / 'report.html'}", highlight=False)
    if options.trace:
        console.print(f"trace: open {options.out / TRACE} in https://ui.perfetto.dev", highlight=False)
    console.print(stages.closing(), highlight=False)
    console.print(f"[{'red' if wrong else 'green'}]{verdict(report)}[/]", highlight=False)
    return 1 if wrong else 0
