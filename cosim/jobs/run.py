"""Runs one job, a program of one or several networks, in RTL or in the interpreter, and compares it with the model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...compiler.joined import parts_of
from ...hw.arch.memory_image import MemoryImage
from ...support.progress import Stages
from ..bench.system import Traffic
from .compare import FeatureCheck, compare, predictions
from .figures import model_layers, reported, rtl_layers, rtl_total
from .prepare import Preparation

if TYPE_CHECKING:
    from ...estimate.network import Part
    from ..trace.log import Log
    from ..trace.timeline import Timeline

FILL = 0xA5  # what memory holds that nobody has written, so that a line that is left out is a mismatch


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job gave.

    Members
    -------
    compiled : the memory image
    parts : its networks, of which most programs have one, and the model's run of each
    memory : uint8[size], the memory afterwards
    layers : the figures of every layer (see :mod:`reprise.cosim.jobs.figures`), in the order of the program
    rest : the figures of the end of the job, which belongs to no layer
    total : the figures of the whole job
    checks : the comparison of every feature map with the model
    predictions : int64[images], by the last map in memory, or None if it cannot be read
    cycles : RTL cycles from the start command to the interrupt, or None in the interpreter
    seconds : of simulation alone
    runs : the marks of a RUN's start and end, by the index of its command
    timeline : what happened in every cycle, if it was asked for
    """

    compiled: MemoryImage
    parts: tuple[Part, ...]
    memory: np.ndarray
    layers: list[dict]
    rest: dict
    total: dict
    checks: list[FeatureCheck]
    predictions: np.ndarray | None
    cycles: int | None
    seconds: float
    runs: dict = field(default_factory=dict)
    timeline: Timeline | None = None

    @property
    def mismatches(self) -> int:
        """How many elements of all feature maps differ from the model."""
        return sum(check.mismatches for check in self.checks)


def execute(
    compiled: MemoryImage,
    parts: Sequence[Part],
    stages: Stages,
    *,
    bench: Preparation | None,
    traffic: Traffic,
    waves: Path | None = None,
    limits: bool = True,
    trace: bool = False,
    timeout: int = 50_000_000,
) -> Outcome:
    """Run a program and compare every feature map with the model.

    Parameters
    ----------
    compiled : MemoryImage, compiled with ``keep_features``
    parts : its networks, with the model's runs, in which features and potentials are recorded
    stages : show the progress
    bench : runs the job in RTL; without one, it is run in the interpreter
    traffic : how the memory behaves
    waves : FST file to write
    limits : find out what limits each layer, which takes the cycle model some thirty times as long
    trace : keep what happens in every cycle
    timeout : cycles within which the job must end

    Raises
    ------
    SimulationError
        The job failed, never ended, or moved other bytes than its commands say.
    """
    from ...estimate.network import Recording

    recording = Recording() if trace else None
    with stages.stage("cycle_model", "cycle model", total=2 * len(compiled.layers)) as stage:
        seen: list[str] = []

        def progress(layer: str) -> None:
            if layer not in seen:
                seen.append(layer)
            stage.advance(len(seen) - 1, layer)

        estimate, golden = model_layers(
            compiled, parts, latency=traffic.latency, gap=traffic.gap, fill=FILL, progress=progress, limits=limits,
            recording=recording,
        )  # fmt: skip
        stage.advance(note="")
    rtl, rtl_rest, rtl_whole, cycles, seconds, runs = None, None, None, None, 0.0, {}
    rtl_log: Log | None = None
    if bench is None:
        memory = golden
    else:
        from ..trace.log import read_log
        from .host import check_traffic, run_job

        built = bench.bench(compiled.size)
        with stages.stage("simulation", "RTL simulation", total=None) as stage:
            start = time.perf_counter()
            images = tuple(part.images for part in parts)
            with tempfile.TemporaryDirectory(prefix="events-") as folder:
                events = Path(folder) / "events" if trace else None
                ran = run_job(
                    built, compiled, images, traffic=traffic, fill=FILL, waves=waves, events=events, timeout=timeout,
                    stage=stage,
                )  # fmt: skip
                rtl_log = read_log(events, built.event_bits, ran.start) if events else None
            seconds = time.perf_counter() - start
            stage.advance(note=f"{ran.cycles:,} cycles, {ran.end / max(ran.seconds, 1e-9) / 1e3:.0f} kHz")
        memory, cycles, runs = ran.memory, ran.cycles, ran.runs
        spans = {n: (first.cycle - ran.start, last.cycle - ran.start) for n, (first, last) in runs.items()}
        rtl = rtl_layers(compiled, ran.marks, ran.start)
        rtl_whole, rtl_rest = rtl_total(rtl, ran.cycles, ran.last)
        check_traffic(estimate["total"], ran.last, compiled.config.bus_bits // 8)
    with stages.stage("comparison", "comparison", total=1):
        each = zip(parts_of(compiled), parts, strict=True)
        checks = [check for image, part in each for check in compare(image, memory, part.expected)]
        if bench is not None:
            _constants_untouched(compiled, memory)
    total, rest = reported(estimate["total"], rtl_whole), reported(estimate["rest"], rtl_rest)
    layers = []
    for number, (check, one) in enumerate(zip(checks, estimate["layers"], strict=True)):
        compared = {"elements": check.elements, "mismatches": check.mismatches}
        layers.append(reported(one, rtl[number] if rtl else None) | compared)
    timeline = None
    if recording is not None:
        from ..trace.timeline import timeline_of

        name = parts[0].network.name if len(parts) == 1 else "all layers"
        timeline = timeline_of(compiled, name, [*layers, rest], recording, rtl_log and (rtl_log, spans))
    return Outcome(
        compiled=compiled,
        parts=tuple(parts),
        memory=memory,
        layers=layers,
        rest=rest,
        total=total,
        checks=checks,
        predictions=predictions(compiled, memory),
        cycles=cycles,
        seconds=seconds,
        runs=runs,
        timeline=timeline,
    )


def _constants_untouched(compiled: MemoryImage, memory: np.ndarray) -> None:
    """Raise AssertionError if weights, parameters, segments or the program are not what they were."""
    data = np.frombuffer(compiled.data, np.uint8)
    wrong = np.flatnonzero(memory[: len(data)] != data)
    if len(wrong):
        raise AssertionError(f"the accelerator wrote into its constants, first at byte {compiled.base + int(wrong[0])}")
