"""Puts reports side by side: cycles by layer, what is faster, resources, clocks, and why something is slower."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..support.errors import RepriseError
from ..support.yaml_file import read_json
from .limits import NAMES
from .report.fields import FORMAT
from .report.head import head
from .report.speed import UNITS, area_source, memory_text

KINDS = ("estimate", "cosimulation")
"""The reports that can be compared."""

NOTABLE = 0.005
"""Differences below this part of the cycles are no reason."""


def read_report(path: str, kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """Return a report of ``reprise estimate --json`` or ``reprise cosim``, or one of other ``kinds``.

    Raises
    ------
    RepriseError
        It is no such report, or one of another version of the format.
    """
    file = Path(path)
    rule = "a report.json of reprise cosim, or a file of reprise estimate --json"
    try:
        found = read_json(file)
        kind, version = found["kind"], found["format"]
    except (RepriseError, KeyError):
        raise RepriseError(field="REPORT", rule=rule, value=path) from None
    if kind not in kinds or version != FORMAT:
        told = f"{path} (kind {kind!r}, format {version!r})"
        remedy = f"reports of format {FORMAT} can be compared: make it anew"
        raise RepriseError(field="REPORT", rule=rule, value=told, remedy=remedy)
    return dict(found)


def cycles_of(figures: dict[str, Any]) -> int:
    """Return the cycles of a layer or of a total: those of the RTL if it was simulated."""
    cycles = figures["cycles"]
    return int(cycles.get("rtl") or cycles["cycle_model"])


def _names(reports: Sequence[dict[str, Any]], origins: Sequence[str]) -> list[str]:
    """Return a name for each column: the configuration's, if that tells them apart, and else where it comes from."""
    names = [report["configuration_name"] for report in reports]
    if len(set(names)) == len(names):
        return [str(name) for name in names]
    if len(set(origins)) == len(origins):
        return list(origins)
    return [f"{name} ({n + 1})" for n, name in enumerate(names)]


def _column(report: dict[str, Any], name: str, origin: str) -> dict[str, Any]:
    """Return what the head of a column says."""
    kept = ("configuration_name", "configuration", "images", "memory", "area", "speed")
    found: dict[str, Any] = {
        "name": name,
        "origin": origin,
        "measured": "rtl" if report["total"]["cycles"].get("rtl") else "model",
    }
    found["subject"] = report.get("network") or report.get("capture")
    found |= {key: report[key] for key in kept if key in report}
    total = report["total"]
    return found | {"cycles": cycles_of(total)} | {key: total[key] for key in ("runs", "bytes_read", "bytes_written")}


def _rows(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for every layer of any report, for the end of the job, and for the total."""
    parts = [
        {one["name"]: one for one in (*report["layers"], report["rest"], report["total"] | {"name": "total"})}
        for report in reports
    ]
    names = list(dict.fromkeys(name for part in parts for name in part))
    last = [reports[0]["rest"]["name"], "total"]
    rows = []
    for name in [*(n for n in names if n not in last), *last]:
        ones = [part.get(name) for part in parts]
        cycles = [None if one is None else cycles_of(one) for one in ones]
        rows.append(
            {
                "name": name,
                "cycles": cycles,
                "cycles_percent": [percent(one, cycles[0]) for one in cycles],
                "blocks": [(one or {}).get("limits", {}).get("blocks", []) for one in ones],
            }
        )
    return rows


def percent(after: float | None, before: float | None) -> float | None:
    """Return by how many percent a figure differs from the first column's."""
    return None if after is None or not before else round(100 * (after - before) / before, 2)


def _why(first: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the layers in which ``other`` loses, most first, with the block whose limit grew most there."""
    before = {one["name"]: one for one in first["layers"]}
    found = []
    for one in other["layers"]:
        base = before.get(one["name"])
        if base is None or cycles_of(one) - cycles_of(base) < NOTABLE * cycles_of(first["total"]):
            continue
        reason: dict[str, Any] = {
            "layer": one["name"],
            "more_cycles": cycles_of(one) - cycles_of(base),
            "runs": [base["runs"], one["runs"]],
            "bytes_read": [base["bytes_read"], one["bytes_read"]],
        }
        if "limits" in one and "limits" in base:
            now, then = one["limits"]["saved_cycles"], base["limits"]["saved_cycles"]
            block = max(now, key=lambda name: now[name] - then[name])
            if now[block] > then[block]:
                reason |= {"block": block, "more_saved_cycles": now[block] - then[block]}
        found.append(reason)
    return sorted(found, key=lambda reason: -reason["more_cycles"])


def compare(
    reports: Sequence[dict[str, Any]],
    origins: Sequence[str],
    alone: Sequence[list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Put reports side by side (:class:`reprise.estimate.report.comparison_fields.Comparison`).

    Parameters
    ----------
    reports : two or more of ``reprise estimate`` or ``reprise cosim``; the first is what the others are compared with
    origins : where each comes from
    alone : for each report, what each differing field of its configuration alone does to the first one
        (:func:`reprise.estimate.helps.fields_alone`)
    """
    names = _names(reports, origins)
    columns = [_column(*each) for each in zip(reports, names, origins, strict=True)]
    fields = {
        name: [column["configuration"][name] for column in columns]
        for name in columns[0]["configuration"]
        if len({column["configuration"][name] for column in columns}) > 1
    }
    differences = []
    for n, column in enumerate(columns[1:], start=1):
        one = {
            "column": column["name"],
            "cycles_percent": percent(column["cycles"], columns[0]["cycles"]),
            "luts_percent": percent(*(one.get("area", {}).get("luts") for one in (column, columns[0]))),
            "slower_layers": _why(reports[0], reports[n]),
        }
        differences.append(one | ({"fields_alone": alone[n]} if alone else {}))
    return {
        **head("comparison"),
        "columns": columns,
        "differing_fields": fields,
        "rows": _rows(reports),
        "differences": differences,
    }


def verdicts(found: dict[str, Any]) -> list[str]:
    """Say of every column beside the first whether it is faster, what it costs, and why it is slower if it is."""
    base, lines = found["columns"][0], []
    for column, one in zip(found["columns"][1:], found["differences"], strict=True):
        by, larger = one["cycles_percent"], one["luts_percent"] or 0.0
        what = "as many cycles as" if by == 0 else f"{abs(by):.1f} % {'more' if by > 0 else 'fewer'} cycles than"
        line = f"{column['name']} takes {what} {base['name']}"
        size = f"{abs(larger):.0f} % {'more' if larger > 0 else 'fewer'} LUTs"
        if by > 0 and larger >= 1:
            line += f", although it is larger ({size}): it is SLOWER"
        elif by > 0:
            line += f": it is SLOWER ({size})" if abs(larger) >= 1 else ": it is SLOWER"
        elif abs(larger) >= 1:
            line += f", with {size}"
        lines.append(line + ".")
        if column["subject"] != base["subject"] or column["images"] != base["images"]:
            told = (f"{c['subject']} with {c['images']} image{'' if c['images'] == 1 else 's'}" for c in (column, base))
            lines.append(f"They are not the same work: {' and '.join(told)}.")
        if by > 0:
            lines += _reasons(one)
        lines += _times(base, column, by)
    return lines


def _times(base: dict[str, Any], column: dict[str, Any], by: float) -> list[str]:
    """Say what cycles of the batch do not tell: one image alone may go the other way, and clocks may differ."""
    mine, other = column.get("speed"), base.get("speed")
    if mine is None or other is None:
        return []
    lines = []
    alone = percent(mine["image_cycles"], other["image_cycles"]) or 0.0
    if alone * by < 0:
        fewer = "fewer" if alone < 0 else "more"
        counts = f"{mine['image_cycles']:,} instead of {other['image_cycles']:,}"
        lines.append(f"  One image alone takes {abs(alone):.1f} % {fewer} cycles: {counts}.")
    clocks = [speed["clock"] for speed in (mine, other)]
    if clocks[0]["mhz"] != clocks[1]["mhz"]:
        times = [f"{speed['batch_microseconds']:,.1f} us" for speed in (mine, other)]
        told = " and ".join(f"{clock['mhz']:g} MHz ({clock['source']})" for clock in clocks)
        lines.append(f"  At their clocks, {told}, it takes {times[0]} instead of {times[1]}.")
    return lines


def _reasons(one: dict[str, Any]) -> list[str]:
    """Say why a column is slower."""
    lines = []
    fields = [f"{name} {value} {each['cycles_percent']:+.1f} %" for each in one.get("fields_alone", [])
              if "cycles_percent" in each for name, value in each["change"].items()]  # fmt: skip
    if fields:
        lines.append(f"  Each field that differs, alone: {', '.join(fields)}.")
    for reason in one["slower_layers"][:3]:
        parts = [f"  {reason['layer']}: {reason['more_cycles']:,} cycles more"]
        if "block" in reason:
            parts.append(f"its limit by {NAMES[reason['block']]} grew by {reason['more_saved_cycles']:,} cycles")
        for key, word in (("runs", "RUNs"), ("bytes_read", "bytes read")):
            before, after = reason[key]
            if before != after:
                parts.append(f"{after:,} {word} instead of {before:,}")
        lines.append("; ".join(parts) + ".")
    return lines


def facts(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the rows that describe the columns: what differs, resources, clock, time."""
    columns = found["columns"]
    rows = [(name, [f"{value:,}" for value in values]) for name, values in found["differing_fields"].items()]
    areas = [c.get("area") for c in columns]
    if any(areas):
        rows += [(told, ["-" if a is None else f"{a[key]:,}" for a in areas]) for key, (*_, told) in UNITS.items()]
        rows.append(("area is", ["-" if a is None else area_source(a) for a in areas]))
        parts = [[] if a is None else [part for part, fits in a["fits"].items() if fits] for a in areas]
        rows.append(
            ("fits", ["-" if a is None else next(iter(p), "no ECP5") for a, p in zip(areas, parts, strict=True)])
        )
    rows.append(("memory", [memory_text(c["configuration"]["bus_bits"], c["memory"]) for c in columns]))
    for key in ("bytes_read", "bytes_written"):
        rows.append((key.replace("_", " "), [f"{c[key]:,}" for c in columns]))
    speeds = [c.get("speed") for c in columns]
    if any(speeds):
        rows.append(("clock, MHz", ["-" if s is None else f"{s['clock']['mhz']:g}" for s in speeds]))
        rows.append(("clock is", ["-" if s is None else s["clock"]["source"] for s in speeds]))
        rows.append(("one image, us", ["-" if s is None else f"{s['image_microseconds']:,.1f}" for s in speeds]))
        rows.append(("frames per second", ["-" if s is None else f"{s['frames_per_second']:,.0f}" for s in speeds]))
    rows.append(("cycles are", ["simulated RTL" if c["measured"] == "rtl" else "the exact model's" for c in columns]))
    return rows
