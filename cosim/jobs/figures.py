"""Figures of a job by layer: cycles in RTL and in the models, densities, causes of waiting, bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...model.network.network import Network
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
    """Cycles and events of every layer in the RTL.

    A layer lasts from the end of the layer before (or from cycle ``start``) to the end of its last RUN, so loads that
    go ahead of their layer count where they happen.
    """
    runs = run_ends(compiled, marks)
    before_cycle, before = start, dict[str, int]()
    found = []
    for entry in compiled.layers:
        mine = [end for index, (_, end) in runs.items() if entry.first <= index < entry.last]
        last = max(mine, key=lambda mark: mark.cycle)
        found.append(_span(last.cycle - before_cycle, last.counts, before))
        before_cycle, before = last.cycle, last.counts
    return found


def _span(cycles: int, counts: dict[str, int], before: dict[str, int]) -> dict:
    """Figures of a stretch of ``cycles``, from the counts at its end and at its begin."""
    events = {name: count - before.get(name, 0) for name, count in counts.items()}
    return {"cycles": cycles, "events": events, "stalls": stalls(events), "causes": causes(events, cycles)}


def rtl_total(layers: list[dict], cycles: int, last: Mark) -> tuple[dict, dict]:
    """The whole job of ``cycles`` in the RTL, and what the layers leave of it: the end of the job.

    Everything adds up: a figure of the total is the sum of the layers' and of the rest's.
    """
    layered = {name: sum(one["events"].get(name, 0) for one in layers) for name in last.counts}
    rest = _span(cycles - sum(one["cycles"] for one in layers), last.counts, layered)
    parts = [*layers, rest]
    total = {key: _added(one[key] for one in parts) for key in ("events", "stalls", "causes")}
    return {"cycles": cycles, **total}, rest


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Sums by name."""
    whole: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            whole[name] = whole.get(name, 0) + count
    return whole


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
    network: Network,
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


def rest_figures(estimate: dict, rtl: dict | None) -> dict:
    """What the layers leave of the total, as the report has it."""
    cycles = {"rtl": rtl["cycles"] if rtl else None, "cycle_model": estimate["cycles"]}
    figures = {"cycles": cycles, **{key: estimate[key] for key in ("name", "bytes_read", "bytes_written")}}
    return figures | ({key: rtl[key] for key in ("stalls", "causes", "events")} if rtl else {})


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
        "bytes_read": estimate["bytes_read"],
        "bytes_written": estimate["bytes_written"],
        "bottlenecks": {key: estimate[key] for key in ("bound", "weights", "im2col", "neurons")},
    }
    if rtl:
        figures |= {key: rtl[key] for key in ("stalls", "causes", "events")}
        figures["model_error"] = ratio(cycles["cycle_model"] - cycles["rtl"], cycles["rtl"])
    return figures
