"""Tables of what limits the layers of a network, for the terminal and for the report's page."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.table import Table

from ..support.terminal import Figures, prose
from .comparison import facts
from .limits import NAMES, named


class Lines(NamedTuple):
    """A table before it is drawn.

    Members
    -------
    head : of the columns; the first is a name, the others are figures
    rows : cells as text, one for each column
    wide : columns of prose, which are aligned on the left and may be folded
    """

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    wide: tuple[str, ...] = ()


def text(lines: Lines, title: str | None = None) -> Table:
    """Return the table for the terminal; its last row stands below a line if it is the total."""
    table = Figures(*(prose(name) if name in lines.wide else name for name in lines.head), title=title)
    for row in lines.rows:
        if row[0] == "total":
            table.add_section()
        table.add_row(*row)
    return table


def percent(part: float, whole: float) -> str:
    """Return a share as whole percents; a share that is not nothing is never shown as 0."""
    share = 100 * part / whole if whole else 0.0
    return "<1%" if 0 < share < 0.5 else f"{share:.0f}%"


def _share(used: dict[str, float]) -> str:
    return f"{used['mean']:.0f}/{used['size']}"


def limits_lines(layers: list[dict[str, Any]], total: dict[str, Any]) -> Lines:
    """Return a row for every layer: what limits it, how much of it is start and end, and how much of a tile it uses.

    Parameters
    ----------
    layers, total : as :func:`reprise.estimate.network.estimate` returns them, with ``limits``
    """
    head = ("layer", "cycles", "limited by (cycles saved)", "start, end", "lanes", "rows", "bits")
    rows = []
    for one in [*layers, {"name": "total", **total}]:
        limits, cycles = one["limits"], one["cycles"]["cycle_model"]
        steps = [f"{named(step['blocks'])} {percent(step['saved_cycles'], cycles)}" for step in limits["steps"]]
        ramp = percent(sum(limits["start_and_end_cycles"].values()), cycles)
        used = [_share(one["tile_use"][key]) if "tile_use" in one else "" for key in ("lanes", "rows", "bits")]
        rows.append((one["name"], f"{cycles:,}", ", ".join(steps[:3]) or "nothing alone", ramp, *used))
    return Lines(head, rows, wide=head[2:3])


LIMITS_NOTE = (
    "A block limits a layer by the cycles that the layer would save if this block took no time and all else were as it "
    "is; each further block is idealized beside those before it. Blocks with a + between them work at the same pace, "
    "so that they save much only together. Start and end: cycles in which a RUN's processor has not begun yet or has "
    "finished already. Lanes, rows and bits: how much of a tile the layer fills, on average."
)


def saved_lines(layers: list[dict[str, Any]], total: dict[str, Any]) -> Lines:
    """Return a row for every layer with the cycles that each block alone would save."""
    head = ("layer", "cycles", *NAMES.values())
    rows = [
        (
            one["name"],
            f"{one['cycles']['cycle_model']:,}",
            *(f"{one['limits']['saved_cycles'][key]:,}" for key in NAMES),
        )
        for one in [*layers, {"name": "total", **total}]
    ]
    return Lines(head, rows)


def change_text(change: dict[str, int]) -> str:
    """Return how a table calls a change of the configuration."""
    return ", ".join(f"{name} {value}" for name, value in change.items())


def _signed(value: float | None) -> str:
    """Return a change in percent."""
    if value is None:
        return ""
    if abs(value) < 0.05:
        return "0%"
    return f"{value:+.1f}%" if abs(value) < 9.95 else f"{value:+.0f}%"


def _worth(one: dict[str, Any]) -> bool:
    """Return whether a change does anything good: it saves cycles, or resources without costing cycles."""
    cycles, less = one["cycles_percent"], [one.get(key, 0) for key in ("luts_percent", "block_rams_percent")]
    return cycles <= -0.05 or (cycles < 0.05 and min(less) <= -0.05 and max(less) < 0.05)


def helps_lines(total: dict[str, Any]) -> Lines:
    """Return a row for every change that saves cycles, or resources at no cost; the best first."""
    head = ("change", "cycles", "by", "LUTs", "flip-flops", "block RAMs")
    keys = ("cycles_percent", "luts_percent", "flip_flops_percent", "block_rams_percent")
    rows = [
        (change_text(one["change"]), f"{one['cycles']:,}", *(_signed(one.get(key)) for key in keys))
        for one in total["helps"]
        if "refused" not in one and _worth(one)
    ]
    return Lines(head, rows)


def helps_notes(total: dict[str, Any]) -> list[str]:
    """Return what is to be said of the other changes: they do nothing, cost cycles, or are not possible."""
    done = [one for one in total["helps"] if "refused" not in one and not _worth(one)]
    same = ", ".join(change_text(one["change"]) for one in done if one["cycles_percent"] < 0.05)
    worse = ", ".join(
        f"{change_text(one['change'])} ({_signed(one['cycles_percent'])})"
        for one in done
        if one["cycles_percent"] >= 0.05
    )
    refused = [f"{change_text(one['change'])}: {one['refused']}" for one in total["helps"] if "refused" in one]
    notes = [f"No effect on cycles: {same}."] if same else []
    notes += [f"More cycles: {worse}."] if worse else []
    return notes + ["Not possible:", *refused] if refused else notes


def layer_helps_lines(layers: list[dict[str, Any]], most: int = 3) -> Lines:
    """Return a row for every layer with the changes that save most of its cycles."""
    head = ("layer", "cycles", "saves most of its cycles")
    rows: list[tuple[str, ...]] = []
    for one in layers:
        good = [
            f"{change_text(each['change'])} {_signed(each['cycles_percent'])}"
            for each in one["helps"]
            if each["cycles_percent"] <= -0.5
        ]
        rows.append((one["name"], f"{one['cycles']['cycle_model']:,}", "; ".join(good[:most]) or "none of the changes"))
    return Lines(head, rows, wide=head[2:])


HELPS_NOTE = (
    "Each size of the configuration is doubled and halved in turn. Cycles are those of the exact cycle model; the "
    "other columns say by how much the estimated area changes."
)


def comparison_lines(found: dict[str, Any]) -> Lines:
    """Return a row for every layer: its cycles in each column, by how much they differ, and which is the fastest."""
    names = [column["name"] for column in found["columns"]]
    head = ("layer", names[0], *(cell for name in names[1:] for cell in (name, "by")), "fastest")
    rows = []
    for one in found["rows"]:
        cells = ["-" if one["cycles"][0] is None else f"{one['cycles'][0]:,}"]
        for cycles, by in zip(one["cycles"][1:], one["cycles_percent"][1:], strict=True):
            cells += ["-" if cycles is None else f"{cycles:,}", _signed(by)]
        known = [(cycles, name) for cycles, name in zip(one["cycles"], names, strict=True) if cycles is not None]
        least = min(known)[0]
        fastest = [name for cycles, name in known if cycles == least]
        rows.append((one["name"], *cells, "all equal" if len(fastest) == len(known) else ", ".join(fastest)))
    return Lines(head, rows)


def fact_lines(found: dict[str, Any]) -> Lines:
    """Return the rows that describe the columns of a comparison: what differs, resources, clocks, times."""
    return Lines(
        ("", *(column["name"] for column in found["columns"])), [(name, *cells) for name, cells in facts(found)]
    )
