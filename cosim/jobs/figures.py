"""The figures of a job, layer by layer: cycles in RTL and in the models, densities, causes of waiting, and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...hw.arch.memory_image import MemoryImage
from ...hw.csr.register_map import COUNTERS
from ..bench.system import Mark

if TYPE_CHECKING:
    from ...estimate.network import Part, Recording

COUNTED_BY_RTL = ("cause_cycles", "stall_cycles", "events")
"""What the RTL counts for every layer."""
REGISTERS = {event: register.lower() for register, event in COUNTERS.items()}
"""How reports call an event that a performance counter counts: by the name of its register."""
COUNTED = ("stall_", "wait_")
"""How the names of events begin that are causes of waiting."""


def ratio(part: float, whole: float) -> float:
    """Divide, with 0 for a part of nothing."""
    return part / whole if whole else 0.0


def run_ends(compiled: MemoryImage, marks: list[Mark]) -> dict[int, tuple[Mark, Mark]]:
    """Return the marks of the start and of the end of every RUN, by the index of its command.

    Raises
    ------
    ValueError
        The log does not hold as many runs as the program.
    """
    commands = [index for index, (opcode, _) in enumerate(compiled.commands()) if opcode == "RUN"]
    starts = [mark for mark in marks if mark.start]
    ends = [mark for mark in marks if mark.end]
    if not len(commands) == len(starts) == len(ends):
        raise ValueError(f"{len(commands)} runs in the program, but {len(starts)} started and {len(ends)} ended")
    return dict(zip(commands, zip(starts, ends, strict=True), strict=True))


def rtl_layers(compiled: MemoryImage, marks: list[Mark], start: int) -> list[dict]:
    """Return the cycles and events of every layer in the RTL.

    A layer lasts from the end of the layer before it, or from cycle ``start``, to the end of its last RUN. So loads
    that go ahead of their layer count where they happen.
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
    """Return the figures of a stretch of ``cycles``, from the counts at its end and at its beginning."""
    events = {name: count - before.get(name, 0) for name, count in counts.items()}
    waits, divided = stalls(events), causes(events, cycles)
    return {"cycles": cycles, "events": events, "stall_cycles": waits, "cause_cycles": divided}


def rtl_total(layers: list[dict], cycles: int, last: Mark) -> tuple[dict, dict]:
    """Return the figures of the whole job of ``cycles`` in the RTL, and of its end, which belongs to no layer.

    Every figure of the whole is the sum of those of all layers and of the end.
    """
    layered = {name: sum(one["events"].get(name, 0) for one in layers) for name in last.counts}
    rest = _span(cycles - sum(one["cycles"] for one in layers), last.counts, layered)
    parts = [*layers, rest]
    total = {key: _added(one[key] for one in parts) for key in COUNTED_BY_RTL}
    return {"cycles": cycles, **total}, rest


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Add up counts by their names."""
    whole: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            whole[name] = whole.get(name, 0) + count
    return whole


def stalls(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts of the events that are causes of waiting, the largest first.

    The part of an event's name before the last dot is left out.
    """
    found: dict[str, int] = {}
    for name, count in counts.items():
        short = name.rsplit(".", 1)[-1]
        if short.startswith(COUNTED):
            found[short] = found.get(short, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def causes(counts: dict[str, int], cycles: int) -> dict[str, int]:
    """Divide ``cycles`` by what the adders did in each of them: they added, or else the reason why they did not.

    Each cycle counts once.
    """
    short = {name.rsplit(".", 1)[-1]: count for name, count in counts.items()}
    found = {"adding": short.get("residual_bit", 0)}
    waits = {name.removeprefix("stall_"): count for name, count in short.items() if name.startswith("stall_")}
    found |= {name: n for name, n in sorted(waits.items(), key=lambda item: -item[1]) if n}
    found["outside"] = cycles - sum(found.values())
    return found


def model_layers(
    compiled: MemoryImage,
    parts: Sequence[Part],
    *,
    latency: int,
    gap: int,
    fill: int = 0,
    progress: Callable[[str], None] | None = None,
    limits: bool = True,
    recording: Recording | None = None,
) -> tuple[dict, np.ndarray]:
    """Return the figures of the cycle model, as :func:`reprise.estimate.network.estimate` has them, and the memory.

    The memory is what the golden interpreter leaves behind.
    """
    from ...estimate.network import SystemTiming, estimate_image

    timing = SystemTiming(latency=latency, gap=gap)
    return estimate_image(
        compiled, parts, timing=timing, fill=fill, progress=progress, limits=limits, recording=recording
    )


def reported(estimate: dict, rtl: dict | None) -> dict:
    """Return the figures of a layer, of the rest or of the total as they stand in the report.

    Parameters
    ----------
    estimate : the same of the cycle model
    rtl : what the RTL counted, or None in the interpreter
    """
    cycles = {"rtl": rtl["cycles"] if rtl else None, **estimate["cycles"]}
    figures = estimate | {"cycles": cycles}
    if rtl:
        figures |= {key: rtl[key] for key in ("cause_cycles", "stall_cycles")}
        figures["counters"] = {REGISTERS.get(name, name): count for name, count in rtl["events"].items()}
        figures["model_error_fraction"] = ratio(cycles["cycle_model"] - cycles["rtl"], cycles["rtl"])
    return figures
