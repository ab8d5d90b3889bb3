"""Figures of a job by layer: cycles in RTL and in the models, densities, stalls, bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ..bench.system import Mark

COUNTED = ("stall_", "wait_")


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def run_ends(compiled: MemoryImage, marks: list[Mark]) -> dict[int, tuple[Mark, Mark]]:
    """Command index of every RUN -> the marks of its start and its end.

    Raises
    ------
    ValueError
        When the log doesn't hold as many runs as the program.
    """
    commands = [index for index, (opcode, _) in enumerate(compiled.commands()) if opcode == "RUN"]
    starts = [mark for mark in marks if mark.start]
    ends = [mark for mark in marks if mark.end]
    if not len(commands) == len(starts) == len(ends):
        raise ValueError(f"{len(commands)} runs in the program, but {len(starts)} started and {len(ends)} ended")
    return dict(zip(commands, zip(starts, ends, strict=True), strict=True))


def rtl_layers(compiled: MemoryImage, marks: list[Mark], start: int) -> list[dict]:
    """RTL figures of every layer. A layer lasts from the end of the layer before (or ``start``) to its last RUN's end:
    loads that go ahead of their layer count where they happen."""
    runs = run_ends(compiled, marks)
    bus = compiled.config.bus_bits // 8
    before_cycle, before_read, before_written, before = start, 0, 0, {}
    found = []
    for entry in compiled.layers:
        mine = [end for index, (_, end) in runs.items() if entry.first <= index < entry.last]
        last = max(mine, key=lambda mark: mark.cycle)
        counts = {name: count - before.get(name, 0) for name, count in last.counts.items()}
        found.append(
            {
                "cycles": last.cycle - before_cycle,
                "bytes_read": (last.beats_read - before_read) * bus,
                "bytes_written": (last.beats_written - before_written) * bus,
                "events": counts,
                "stalls": stalls(counts),
                "causes": causes(counts, last.cycle - before_cycle),
            }
        )
        before_cycle, before_read, before_written = last.cycle, last.beats_read, last.beats_written
        before = last.counts
    return found


def stalls(counts: dict[str, int]) -> dict[str, int]:
    """Counts of events that name a cause of waiting, largest first; without the part before the last dot."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        short = name.rsplit(".", 1)[-1]
        if short.startswith(COUNTED):
            found[short] = found.get(short, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def causes(counts: dict[str, int], cycles: int) -> dict[str, int]:
    """``cycles`` by what the accumulators did in each: added, or why not. Each cycle counts once."""
    short = {name.rsplit(".", 1)[-1]: count for name, count in counts.items()}
    found = {"adding": short.get("residual_bit", 0)}
    waits = {name.removeprefix("stall_"): count for name, count in short.items() if name.startswith("stall_")}
    found |= {name: n for name, n in sorted(waits.items(), key=lambda item: -item[1]) if n}
    found["outside"] = cycles - sum(found.values())
    return found


def model_layers(
    compiled: MemoryImage,
    network,
    images: np.ndarray,
    *,
    latency: int,
    gap: int,
    fill: int = 0,
    progress: Callable[[str], None] | None = None,
) -> tuple[dict, np.ndarray]:
    """The cycle model's figures (reprise.estimate.network), and the memory that the golden interpreter leaves."""
    from ...estimate.network import SystemTiming, estimate_image

    timing = SystemTiming(latency=latency, gap=gap)
    return estimate_image(compiled, network, images, timing=timing, fill=fill, progress=progress)


def layer_figures(estimate: dict, rtl: dict | None) -> dict:
    """One layer (or the total) as the report has it."""
    cycles = {
        "rtl": rtl["cycles"] if rtl else None,
        "cycle_model": estimate["cycles"],
        "published_model": estimate["published"],
        "bound": estimate["bound"],
        "dense": estimate["dense"],
        "bit_sparse": estimate["bit_sparse"],
    }
    figures = {
        "cycles": cycles,
        "bit_density": estimate["bit_density"],
        "product_density": estimate["product_density"],
        "tiles": estimate["tiles"],
        "counts": estimate["counts"],
        "bottlenecks": {key: estimate[key] for key in ("bound", "weights", "im2col", "neurons")},
    }
    if rtl:
        figures |= {key: rtl[key] for key in ("bytes_read", "bytes_written", "stalls", "causes", "events")}
        figures["model_error"] = ratio(cycles["cycle_model"] - cycles["rtl"], cycles["rtl"])
    return figures
