"""Cycles of the core for recorded spikes, by cause, from ``docs/measured/core.json``: ``make replay CAPTURE=FILE
JSON=docs/measured/core.json`` plays them through the RTL and writes it."""

from __future__ import annotations

from . import markdown, record


def figures(report: dict) -> list[list[str]]:
    """The table of one configuration: its head, then what was counted of the layers, of the unit, of all together."""
    columns = [*report["layers"], *({"name": key, **report[key]} for key in ("unit", "together"))]
    rows = [["", *(c["name"] for c in columns)], ["tiles", *(f"{c['tiles']:,}" for c in columns)]]
    rows.append(["RTL cycles", *(f"{c['cycles']:,}" for c in columns)])
    rows.append(["bound", *(f"{c['bound']:,}" for c in columns)])
    rows.append(["over the bound", *(f"{c['cycles'] / c['bound'] - 1:+.2%}" for c in columns)])
    rows.append(["published", *(f"{c['published']:,}" for c in columns)])
    for event in columns[0]["events"]:
        if event != "busy":
            rows.append([event, *(f"{c['events'][event]:,}" for c in columns)])
    return rows


def table(config: str) -> str:
    """The same for a page; RTL cycles are bold, events are the names of counters."""
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
