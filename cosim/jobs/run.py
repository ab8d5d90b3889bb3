"""One job of ``make cosim``: a network on images, in RTL or in the interpreter, compared with the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...model.inference.runner import Result
from ...model.network.network import Network
from ...support.progress import Stages
from ..bench.system import Traffic
from .compare import FeatureCheck, compare, predictions
from .figures import layer_figures, model_layers, rest_figures, rtl_layers, rtl_total
from .prepare import Preparation

FILL = 0xA5  # what memory holds that nobody has written: a line left out is then a mismatch


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job gave; ``rtl`` is None in the interpreter.

    Members
    -------
    layers : figures by layer (see :mod:`reprise.cosim.jobs.figures`), in the program's order.
    rest, total : what the layers leave of the total (the end of the job), and the total.
    checks : comparisons with the model, one per feature map.
    predictions : int64[images] by the maps in memory; None if unreadable.
    cycles : RTL cycles from the start command to the interrupt, None in the interpreter.
    seconds : of simulation alone.
    """

    compiled: MemoryImage
    expected: Result
    memory: np.ndarray
    layers: list[dict]
    rest: dict
    total: dict
    checks: list[FeatureCheck]
    predictions: np.ndarray | None
    cycles: int | None
    seconds: float
    runs: dict = field(default_factory=dict)

    @property
    def mismatches(self) -> int:
        return sum(check.mismatches for check in self.checks)


def execute(
    compiled: MemoryImage,
    network: Network,
    images: np.ndarray,
    expected: Result,
    stages: Stages,
    *,
    bench: Preparation | None,
    traffic: Traffic,
    waves: Path | None = None,
    timeout: int = 50_000_000,
) -> Outcome:
    """Run a compiled network and compare every feature map; without a ``bench`` in the interpreter."""
    with stages.stage("cycle model", "cycle model", total=len(compiled.layers)) as stage:
        seen: list[str] = []

        def progress(layer: str) -> None:
            if layer not in seen:
                seen.append(layer)
            stage.advance(len(seen) - 1, layer)

        estimate, golden = model_layers(
            compiled, network, images, latency=traffic.latency, gap=traffic.gap, fill=FILL, progress=progress
        )
        stage.advance(note="")
    rtl, rtl_rest, rtl_whole, cycles, seconds, runs = None, None, None, None, 0.0, {}
    if bench is None:
        memory = golden
    else:
        from .host import check_traffic, run_job

        built = bench.bench()
        with stages.stage("simulation", "RTL simulation", total=None) as stage:
            start = time.perf_counter()
            ran = run_job(
                built, compiled, images, traffic=traffic, fill=FILL, waves=waves, timeout=timeout, stage=stage
            )
            seconds = time.perf_counter() - start
            stage.advance(note=f"{ran.cycles:,} cycles, {ran.end / max(ran.seconds, 1e-9) / 1e3:.0f} kHz")
        memory, cycles, runs = ran.memory, ran.cycles, ran.runs
        rtl = rtl_layers(compiled, ran.marks, ran.start)
        rtl_whole, rtl_rest = rtl_total(rtl, ran.cycles, ran.last)
        check_traffic(estimate["total"], ran.last, compiled.config.bus_bits // 8)
    with stages.stage("comparison", "comparison", total=1):
        checks = compare(compiled, memory, expected)
        if bench is not None:
            _constants_untouched(compiled, memory)
    layers = []
    for number, (entry, one) in enumerate(zip(compiled.layers, estimate["layers"], strict=True)):
        figures = {"name": entry.name, "feature": entry.feature, "jobs": entry.jobs, "k_tiles": entry.k_tiles}
        check = checks[number]
        figures |= {"elements": check.elements, "mismatches": check.mismatches}
        layers.append(figures | layer_figures(one, rtl[number] if rtl else None))
    return Outcome(
        compiled=compiled,
        expected=expected,
        memory=memory,
        layers=layers,
        rest=rest_figures(estimate["rest"], rtl_rest),
        total=layer_figures(estimate["total"], rtl_whole),
        checks=checks,
        predictions=predictions(compiled, memory),
        cycles=cycles,
        seconds=seconds,
        runs=runs,
    )


def _constants_untouched(compiled: MemoryImage, memory: np.ndarray) -> None:
    data = np.frombuffer(compiled.data, np.uint8)
    wrong = np.flatnonzero(memory[: len(data)] != data)
    if len(wrong):
        raise AssertionError(f"the accelerator wrote into its constants, first at byte {compiled.base + int(wrong[0])}")
