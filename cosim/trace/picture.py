"""Draws when each block worked in a layer, for the report's page: SVG paths in a row for each block, time to the right.

A layer may have thousands of tiles, so that time is divided into a fixed number of steps, and a row shows in how many
of a step's cycles its block moved something. Tiles are drawn behind that as boxes, if they are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...support.terminal import counted
from ..report.charts import BLOCKS
from ..report.charts import CAUSES as COLOURS
from .timeline import Layer, Timeline, Track

STEPS = 120
"""How many steps a layer's cycles are divided into, at most."""

BOXES = 48
"""How many boxes a row has at most. If there are more K tiles, those of an m tile are one box; if there are more m
tiles, there are no boxes."""

HEIGHT = 20
"""Units of a row's height; its width has a unit for each step."""

ROWS = (
    ("loads", "load_busy", "loads", ""),
    ("weights", "weights_row", "weights", "weights loader"),
    ("im2col", "rows_word", "im2col", "im2col"),
    ("detector", "detector_group", "detector", "detector and dispatcher"),
    ("PE array", "residual_bit", "PE array", "PE array: tiles"),
    ("drain", "psum_row", "partial sums", "drain"),
    ("neurons", "neurons_item", "neurons", "neurons"),
    ("output", "output_word", "neurons", ""),
    ("reads", "read_beat", "memory", ""),
    ("writes", "write_beat", "memory", ""),
)
"""Every row: its name, the event that shows that the block moves something, whose colour it has, and its track."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the picture: paths with their fills and opacities, and what it says to people who do not see it."""

    name: str
    text: str
    paths: list[tuple[str, str, float]]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The picture of a layer: its rows, the marks below them as (text, percent of the width), and what is drawn."""

    name: str
    steps: int
    causes: Row
    rows: list[Row]
    ticks: list[tuple[str, float]]
    note: str


def pictures(timelines: Sequence[Timeline]) -> list[Picture]:
    """Return the pictures of all layers; the end of a job, which is no layer, has none."""
    return [_picture(one, layer) for one in timelines for layer in one.layers[:-1] if layer.end > layer.begin]


def _picture(timeline: Timeline, layer: Layer) -> Picture:
    cycles = layer.end - layer.begin
    steps = min(STEPS, cycles)
    edges = layer.begin + np.arange(steps + 1) * cycles // steps
    by_name = {track.name: track for track in timeline.tracks}
    boxes, of_what = _boxes([by_name[track] for *_, track in ROWS if track in by_name], layer)
    rows = []
    for name, event, block, track in ROWS:
        found = timeline.times(event)
        busy = np.diff(np.searchsorted(found, edges))
        inside = int(busy.sum())
        paths = []
        if track in boxes:
            halves = [_rectangles(boxes[track][n::2], layer, steps) for n in range(2)]
            paths = [(half, BLOCKS[block], 0.22 + 0.2 * n) for n, half in enumerate(halves)]
        paths.append((_levels(busy / np.diff(edges)), BLOCKS[block], 1))
        text = f"{name}: moves something in {inside:,} of {cycles:,} cycles"
        rows.append(Row(name=name, text=text, paths=[one for one in paths if one[0]]))
    note = f"{cycles:,} cycles in {counted(steps, 'step')} of {_about(cycles, steps)}; {of_what}"
    return Picture(
        name=layer.name, steps=steps, causes=_causes(by_name["PE array: causes"], layer, edges), rows=rows,
        ticks=_ticks(layer), note=note,
    )  # fmt: skip


def _about(cycles: int, steps: int) -> str:
    return counted(cycles // steps, "cycle") if cycles % steps == 0 else f"about {cycles / steps:,.0f} cycles"


def _boxes(tracks: Sequence[Track], layer: Layer) -> tuple[dict[str, np.ndarray], str]:
    """Return the boxes of some tracks, int64[n, 2] with the first cycle and that after the last one, and what they are.

    They are K tiles if none of the tracks has too many, or else m tiles if these are few enough.
    """
    found, joint = {}, {}
    for track in tracks:
        at = np.flatnonzero((track.end > layer.begin) & (track.begin < layer.end))
        begin, end = np.maximum(track.begin[at], layer.begin), np.minimum(track.end[at], layer.end)
        found[track.name] = np.stack([begin, end], axis=1)
        m, command = track.args["m"][at], track.args["command"][at].astype(np.int64)
        first = np.flatnonzero((np.diff(m, prepend=-1) != 0) | (np.diff(command, prepend=-1) != 0))
        last = np.append(first[1:], len(at))[: len(first)] - 1
        joint[track.name] = np.stack([begin[first], end[last]], axis=1)
    if all(len(one) <= BOXES for one in found.values()):
        return found, "the boxes behind are K tiles, and those of drain and neurons m tiles"
    if all(len(one) <= BOXES for one in joint.values()):
        return joint, "the boxes behind are m tiles"
    return {}, f"there are more than {BOXES} m tiles, so they have no boxes"


def _rectangles(boxes: np.ndarray, layer: Layer, steps: int) -> str:
    """Return the path of boxes over the whole height of a row."""
    scale = steps / (layer.end - layer.begin)
    places = ((boxes - layer.begin) * scale).round(2)
    return "".join(f"M{_n(a)} 0H{_n(b)}V{HEIGHT}H{_n(a)}z" for a, b in places)


def _levels(shares: Iterable[float]) -> str:
    """Return the path of a stepped area, which is as high in each step as its share of the row's height."""
    found, before = list[str](), 0.0
    for step, share in enumerate(shares):
        level = round(HEIGHT * float(share), 1)
        if level != before:
            found.append((f"H{step}" if found else f"M{step} {HEIGHT}") + f"V{_n(HEIGHT - level)}")
            before = level
    return "".join(found) + (f"H{step + 1}V{HEIGHT}z" if found else "")


def _causes(track: Track, layer: Layer, edges: np.ndarray) -> Row:
    """Return the row of causes, whose areas lie on each other and fill each step."""
    at = range(int(np.searchsorted(track.begin, layer.begin)), int(np.searchsorted(track.begin, layer.end)))
    names = np.array([track.label(n) for n in at], object)
    begin, end = track.begin[at.start : at.stop], track.end[at.start : at.stop]
    lower = np.zeros(len(edges) - 1)
    paths, told = list[tuple[str, str, float]](), list[str]()
    for cause, colour in COLOURS.items():
        mine = names == cause
        if not mine.any():
            continue
        upto = np.concatenate([[0], np.cumsum(end[mine] - begin[mine])])
        place = np.searchsorted(begin[mine], edges, "right")  # how many cycles of the cause lie before each edge
        before = upto[place] - np.where(place > 0, np.maximum(end[mine][np.maximum(place - 1, 0)] - edges, 0), 0)
        share = np.diff(before) / np.diff(edges)
        paths.append((_stack(lower, lower + share), colour, 1))
        lower = lower + share
        told.append(f"{cause} {int(upto[-1]):,}")
    return Row(name="causes", text=f"cycles by cause: {', '.join(told)}", paths=paths)


def _stack(lower: np.ndarray, upper: np.ndarray) -> str:
    """Return the path of an area between two stepped lines; steps of the same levels are one rectangle."""
    levels = [(round(HEIGHT * (1 - a), 1), round(HEIGHT * (1 - b), 1)) for a, b in zip(lower, upper, strict=True)]
    found, step = [], 0
    while step < len(levels):
        last = step
        while last + 1 < len(levels) and levels[last + 1] == levels[step]:
            last += 1
        bottom, top = levels[step]
        if bottom > top:
            found.append(f"M{step} {_n(bottom)}V{_n(top)}H{last + 1}V{_n(bottom)}z")
        step = last + 1
    return "".join(found)


def _ticks(layer: Layer) -> list[tuple[str, float]]:
    """Return the cycles at the beginning, the middle and the end, counted from the host's start."""
    return [(f"{layer.begin + (layer.end - layer.begin) * n // 2:,}", 50.0 * n) for n in range(3)]


def _n(value: float) -> str:
    """Return a number as short as SVG allows."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
