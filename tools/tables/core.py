"""Tables of the core's cycles for recorded spikes, by cause, from ``docs/measured/core.json``.

``make replay CAPTURE=FILE JSON=docs/measured/core.json`` plays them through the RTL and writes that file.
"""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.frontend import FrontEnd

from . import markdown, record


def figures(report: dict) -> list[list[str]]:
    """Return the table of one configuration: its head, and lines with what was counted.

    The columns are the layers, the processor alone, and all layers together.
    """
    columns = [*report["layers"], *({"name": key, **report[key]} for key in ("unit", "together"))]
    rows = [["", *(c["name"] for c in columns)], ["tiles", *(f"{c['tiles']:,}" for c in columns)]]
    rows.append(["RTL cycles", *(f"{c['cycles']:,}" for c in columns)])
    rows.append(["bound", *(f"{c['bound']:,}" for c in columns)])
    rows.append(["over the bound", *(f"{c['cycles'] / c['bound'] - 1:+.2%}" for c in columns)])
    rows.append(["published model", *(f"{c['published_model']:,}" for c in columns)])
    for event in columns[0]["events"]:
        if event != "busy":
            rows.append([event, *(f"{c['events'][event]:,}" for c in columns)])
    return rows


def bound(config: str) -> str:
    """Say what the bound of the capture is on a configuration."""
    return f"On the preset `{config}` the bound of this capture is {record('core')[config]['unit']['bound']:,} cycles."


def fill(config: str) -> str:
    """Say how long it takes until the first row is processed."""
    c = HardwareConfig.load(config)
    return (
        f"On the preset `{config}`, the first tile comes in {c.tile_beats} beats, and its first row reaches the"
        f" processor {FrontEnd.latency(c)} cycles after the last of them."
    )


def table(config: str, what: str = "") -> str:
    """Make that table for a page, in which RTL cycles are bold, and events are shown as the names of counters.

    With ``what``, make a sentence instead: that of :func:`bound` or :func:`fill`.
    """
    if what:
        return {"bound": bound, "fill": fill}[what](config)
    report = record("core")[config]
    head, *rows = figures(report)
    shown = []
    for title, *values in rows:
        if title == "RTL cycles":
            title, *values = (f"**{cell}**" for cell in (title, *values))
        elif title in report["unit"]["events"]:
            title = f"`{title}`"
        shown.append([title, *values])
    return markdown(head, shown)
