"""Writes timelines as a file in Chrome's trace event format, which ui.perfetto.dev and chrome://tracing open.

A cycle is a microsecond there. Each job is a process, and each block a thread of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...support.terminal import counted
from .timeline import Timeline, Track

MOST = 500_000
"""Slices of the tracks of one job; viewers are slow with more."""

COLOURS = {
    "adding": "rail_load",
    "row": "thread_state_runnable",
    "lead": "thread_state_uninterruptible",
    "drain": "rail_idle",
    "weights": "rail_response",
    "hazard": "rail_animation",
    "reuse": "startup",
    "outside": "generic_work",
}
"""For every cause, the name of that colour of Chrome's viewer which is nearest to the report's."""

HIDDEN = ("tile", "weight_rows", "beats", "reuse0", "reuse1", "items", "drained")
"""Figures of tiles by which their slices are found, and which say nothing to a reader."""

SOURCES = {
    "rtl": "the events of the simulated RTL, cycle by cycle",
    "cycle model": "the exact cycle model, as no RTL was simulated; it equals the RTL in every cycle",
}


def cut(tracks: Sequence[Track]) -> int | None:
    """Return the cycle from which on slices must be left out, so that not too many remain, or None."""
    begins = np.sort(np.concatenate([one.begin for one in tracks]))
    return int(begins[MOST]) if len(begins) > MOST else None


def events(timeline: Timeline, process: int, offset: int, until: int | None) -> Iterator[dict[str, Any]]:
    """Return the events of a job, which begins at cycle ``offset`` of the trace; slices from ``until`` on are left out.

    The layers, commands and RUNs are always whole.
    """
    named = {"ph": "M", "pid": process, "tid": 0, "ts": 0}
    yield {**named, "name": "process_name", "args": {"name": timeline.name}}
    for thread, track in enumerate(timeline.tracks, start=1):
        yield {**named, "tid": thread, "name": "thread_name", "args": {"name": track.name}}
        yield {**named, "tid": thread, "name": "thread_sort_index", "args": {"sort_index": thread}}
        count = len(track.begin)
        if until is not None and not track.name.startswith(("layers", "sequencer")):
            count = int(np.searchsorted(track.begin, until))
        shown = {key: values for key, values in track.args.items() if key not in HIDDEN}
        for n in range(count):
            label, begin = track.label(n), int(track.begin[n])
            one: dict[str, Any] = {"ph": "X", "pid": process, "tid": thread, "name": label, "cat": track.kind}
            one |= {"ts": begin + offset, "dur": int(track.end[n]) - begin}
            if track.kind == "causes":
                one["cname"] = COLOURS[label]
            yield one | {"args": {key: _plain(values[n]) for key, values in shown.items()}}


def _plain(value: Any) -> Any:
    """Return a value of an array as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value


def about(timelines: Sequence[Timeline], until: Sequence[int | None], ran: str) -> dict[str, str]:
    """Return what the file says of itself."""
    found = {"what": ran, "unit": "1 us is 1 clock cycle, counted from the host's start command"}
    found["source"] = "; ".join(SOURCES[name] for name in dict.fromkeys(one.source for one in timelines))
    found |= {f"slices of {track.name}": track.about for track in timelines[0].tracks}
    missing = [f"{one.name} from cycle {at:,} on" for one, at in zip(timelines, until, strict=True) if at is not None]
    if missing:
        found["left out"] = f"more than {counted(MOST, 'slice')} of a job: {', '.join(missing)}"
    if len(timelines) > 1:
        found["jobs"] = "every layer of a capture is a job of its own; they are shown one after the other"
    return found


def write_trace(timelines: Sequence[Timeline], path: Path, ran: str) -> list[str]:
    """Write the trace of one or more jobs, slice by slice, and return what it says of itself that a user must know.

    Parameters
    ----------
    timelines : of the jobs, which are put one after the other
    path : of the file
    ran : what was run
    """
    until = [cut(one.tracks) for one in timelines]
    told, offset, first = about(timelines, until, ran), 0, True
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"displayTimeUnit":"ns","otherData":{json.dumps(told, indent=1)},\n"traceEvents":[\n')
        for process, (timeline, limit) in enumerate(zip(timelines, until, strict=True), start=1):
            for one in events(timeline, process, offset, limit):
                file.write(("" if first else ",\n") + json.dumps(one, separators=(",", ":")))
                first = False
            offset += timeline.end
        file.write("\n]}\n")
    return [f"the trace leaves out {told['left out']}"] if "left out" in told else []
