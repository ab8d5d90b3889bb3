"""Draws the waveform of docs/one-layer.md: what passed between the boxes of the RTL, cycle by cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from reprise.model.prosparsity.tiles import Tile

from .walk import ADDED, K_TILE, OPERAND, Walk, additions, computes, exacts, nonzero

FOLLOWED, REUSED, MINE, OTHER = "#e07a1f", "#2a9d6f", "#b9cde6", "#eeeeee"
"""The colours of the row that is followed, of the exact match, of other items of the tile or position, and of the items
of other tiles."""

MARGIN = 3
"""Cycles that are shown before the first and after the last item of a panel."""

CROWDED = 45
"""A panel of more cycles has no room for long labels, which are then turned."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A line of the picture, with the label and the colour of its items by their cycle."""

    name: str
    items: dict[int, tuple[str, str]]


def _lane(walk: Walk, name: str, strobe: str, label: Callable[[int], object], colour: Callable[[int], str]) -> Lane:
    """Make a line of every item of a strobe; ``label`` and ``colour`` are functions of its cycle."""
    items = {int(t): (str(label(t)), colour(t)) for t in walk.cycles(strobe)}
    return Lane(name=name, items=items)


def _rows(walk: Walk, name: str, strobe: str, field: str, count: Callable[[Tile], int]) -> Lane:
    """Make a line of items that are rows of tiles, coloured by the tile."""
    mine = set(walk.of_tile(strobe, count).tolist())

    def colour(t: int) -> str:
        if t not in mine:
            return OTHER
        return {walk.row: FOLLOWED, walk.exact: REUSED}.get(int(walk.events[field][t]), MINE)

    return _lane(walk, name, strobe, lambda t: walk.events[field][t], colour)


def search_lanes(walk: Walk) -> list[Lane]:
    """Make the lines from the sorter to the partial sums."""
    mine = set(walk.of_tile("bit", additions).tolist())
    added = {}
    for t in walk.cycles("bit").tolist():
        colour = FOLLOWED if t in walk.bits else MINE if t in mine else OTHER
        added[t + ADDED] = (str(walk.events["bit_row"][t]), colour)
    updates = {int(t): (str(walk.events["update_row"][t]), OTHER) for t in walk.cycles("update")}
    value, c = walk.events[f"operand{walk.channel}"], walk.channel
    last = max(walk.update, walk.reuse) + 2 * MARGIN
    for row, at in _updates(walk).items():
        updates[at] = (str(row), {walk.row: FOLLOWED, walk.exact: REUSED}.get(row, MINE))
    operands = {t + OPERAND: (str(value[t + OPERAND]), colour) for t, (_, colour) in updates.items() if t <= last}
    return [
        _rows(walk, "sorter to detector: row", "sorted", "sorted_row", nonzero),
        _rows(walk, "pruner to dispatcher: row", "pruned", "pruned_row", nonzero),
        _rows(walk, "compute queue to processor: row", "compute", "compute_row", computes),
        _rows(walk, "reuse queue to processor: row", "reuse", "reuse_row", exacts),
        Lane(name="PE array adds weight row", items=added),
        Lane(name="bank updates row", items=updates),
        Lane(name=f"its operand, channel {c}", items=operands),
    ]


def _updates(walk: Walk) -> dict[int, int]:
    """Return, for each row of the tile, the cycle of its update, which is the first one after it has left its queue."""
    found, cycles = {}, walk.cycles("update")
    for strobe, count in (("compute", computes), ("reuse", exacts)):
        for taken in walk.of_tile(strobe, count):
            row = int(walk.events[f"{strobe}_row"][taken])
            found[row] = int(next(t for t in cycles if t > taken and walk.events["update_row"][t] == row))
    return found


def fire_lanes(walk: Walk) -> list[Lane]:
    """Make the lines from the partial sums to the written line."""
    groups, group = walk.fields["groups"], walk.channel // walk.config.neuron_lanes
    lane, per_window = walk.channel % walk.config.neuron_lanes, walk.fields["pool"] ** 2
    window = walk.position // per_window
    drained, neurons, pooled, planes = (walk.cycles(n).tolist() for n in ("psum", "neurons", "pooled", "planes"))

    def item(cycles: list[int], size: int, wanted: int) -> Callable[[int], str]:
        """Colour items of which ``size`` belong together, to show those with the number ``wanted``."""
        return lambda t: FOLLOWED if cycles.index(t) // size == wanted else MINE

    def of_group(cycles: list[int], text: Callable[[int], object], size: int = 1) -> Callable[[int], object]:
        return lambda t: text(t) if cycles.index(t) // size % groups == group else "."

    e, c, n = walk.events, walk.channel, walk.output.planes
    return [
        _lane(walk, f"drain to neurons: sum of channel {c}", "psum", lambda t: e[f"psum{c}"][t],
              item(drained, walk.planes, walk.position)),
        _lane(walk, f"neurons to max pool: level of {c}", "neurons", of_group(neurons, lambda t: e[f"level{lane}"][t]),
              item(neurons, 1, walk.position * groups + group)),
        _lane(walk, f"max pool to encoder: level of {c}", "pooled", of_group(pooled, lambda t: e[f"pooled{lane}"][t]),
              item(pooled, 1, window * groups + group)),
        _lane(walk, f"encoder to packer: bit of {c}", "planes",
              of_group(planes, lambda t: e["planes_bits"][t] >> lane & 1, n), item(planes, n, window * groups + group)),
        _lane(walk, "packer: byte address", "words", lambda t: e["words_address"][t] + walk.fields["output"],
              lambda t: FOLLOWED if e["words_address"][t] < n * walk.output.line_bytes else MINE),
        _lane(walk, "bus: data, hexadecimal", "w", lambda t: f"{e['w_data'][t]:x}",
              item(walk.cycles("w").tolist(), n, 0)),
    ]  # fmt: skip


def _draw(axes: Axes, lanes: list[Lane], first: int, last: int) -> None:
    axes.set_xlim(first, last + 1)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_yticks(range(len(lanes)), [lane.name for lane in lanes])
    axes.set_xticks(range(-(-first // 10) * 10, last + 1, 10))
    axes.set_xticks(range(first, last + 1), minor=True)
    axes.grid(axis="x", which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")
    for spine in axes.spines.values():
        spine.set_visible(False)
    for y, lane in enumerate(lanes):
        axes.plot([first, last + 1], [y + 0.32] * 2, color="#cccccc", linewidth=0.6, zorder=1)
        shown = {t: item for t, item in lane.items.items() if first <= t <= last}
        colours = [colour for _, colour in shown.values()]
        axes.broken_barh([(t, 1) for t in shown], (y - 0.32, 0.64), facecolors=colours, edgecolors="white")
        for t, (label, _) in shown.items():
            size, turn = (7, 0) if len(label) < 4 else (5.5, 90) if last - first > CROWDED else (5, 0)
            axes.text(t + 0.5, y, label, ha="center", va="center", fontsize=size, rotation=turn)


def draw(walk: Walk, path: Path) -> None:
    """Write the picture as SVG; the same walk gives the same bytes."""
    matplotlib.use("Agg")
    search, fire = search_lanes(walk), fire_lanes(walk)
    begin, end = min(walk.of_tile("sorted", nonzero)), walk.update + OPERAND
    psums, planes, data = walk.cycles("psum"), walk.cycles("planes"), walk.cycles("w")
    chunks = walk.fields["groups"] * walk.output.planes  # of a pooled position
    fires = psums[walk.position * walk.planes], planes[chunks - 1]
    writes = planes[chunks * (walk.fields["out_width"] - 1)], data[walk.output.planes - 1]
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reprise", "font.size": 8}):
        figure, panels = plt.subplots(3, 1, figsize=(12, 9), gridspec_kw={"height_ratios": [7, 6, 6]})
        titles = (
            f"K tile {K_TILE}: prefixes and residuals, additions, partial sums",
            "the m tile is complete: partial sums leave, neurons fire, the window is pooled",
            "the line is complete: words leave for memory",
        )
        spans = ((begin, end), fires, writes)
        for axes, lanes, (low, high), title in zip(panels, (search, fire, fire), spans, titles, strict=True):
            _draw(axes, lanes, int(low) - MARGIN, int(high) + MARGIN)
            axes.set_title(title, loc="left", fontsize=9)
        panels[-1].set_xlabel("cycle of the job")
        names = ("the row, position or line that the page follows", "the exact match", "the same tile", "other tiles")
        colours = (FOLLOWED, REUSED, MINE, OTHER)
        patches = [Patch(color=colour, label=name) for colour, name in zip(colours, names, strict=True)]
        figure.legend(handles=patches, loc="lower center", ncols=4, frameon=False)
        figure.subplots_adjust(left=0.2, right=0.99, top=0.96, bottom=0.09, hspace=0.35)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)
