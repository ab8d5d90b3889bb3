"""Writes the page of a chip: a treemap of the blocks, tables, and the clock; ``asic.html.j2`` is its template."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from ...cosim.report.html import templates
from ...estimate.tables import Lines

WIDTH, HEIGHT = 1000.0, 560.0
COLOURS = ("#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#D55E00", "#F0E442", "#0072B2", "#A6A6A6")
Box = tuple[float, float, float, float]
"""Left, top, width and height."""


def squarified(sizes: list[float], box: Box) -> list[Box]:
    """Cut a box into rectangles of areas in proportion to ``sizes``, which fall, as square as rows of them can be."""
    found: list[Box] = []
    left, top, width, height = box
    total, rest = sum(sizes), list(sizes)
    scale = width * height / total if total else 0
    while rest:
        short, count, worst = min(width, height), 1, float("inf")
        while count <= len(rest):
            row = [size * scale for size in rest[:count]]
            thick = sum(row) / short if short else 0
            ratio = max(max(thick * thick / one, one / (thick * thick)) if one and thick else 1 for one in row)
            if ratio > worst:
                break
            worst, count = ratio, count + 1
        row = [size * scale for size in rest[: count - 1]]
        thick, at = (sum(row) / short if short else 0), 0.0
        for one in row:
            long = one / thick if thick else 0
            found.append((left, top + at, thick, long) if width >= height else (left + at, top, long, thick))
            at += long
        if width >= height:
            left, width = left + thick, width - thick
        else:
            top, height = top + thick, height - thick
        rest = rest[count - 1 :]
    return found


def group(name: str) -> str:
    """Return the box of the picture that a block belongs to: its first instances, below what only wraps."""
    parts = name.removeprefix("datapath.").removeprefix("core.").split(".")
    return parts[0] or "top"


def grouped(blocks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the blocks by box, the largest box first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in blocks:
        found.setdefault(group(one["name"]), []).append(one)
    return dict(sorted(found.items(), key=lambda pair: -sum(map(_area, pair[1]))))


def _area(block: dict[str, Any]) -> float:
    return float(block["logic_um2"] + block["memory_um2"])


def treemap(blocks: list[dict[str, Any]]) -> str:
    """Return an SVG in which every block is a rectangle of its area, in the rectangle of its box."""
    groups = grouped(blocks)
    outer = squarified([sum(map(_area, ones)) for ones in groups.values()], (0, 0, WIDTH, HEIGHT))
    parts = [f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" style="width:100%;height:auto">']
    for n, ((name, ones), box) in enumerate(zip(groups.items(), outer, strict=True)):
        ones = sorted(ones, key=_area, reverse=True)
        for one, (x, y, w, h) in zip(ones, squarified([_area(b) for b in ones], box), strict=True):
            title = html.escape(f"{one['name'] or 'top'}: {_area(one):,.0f} um2, {one['cells']:,} cells")
            parts.append(
                f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0):.2f}" height="{max(h, 0):.2f}" '
                f'fill="{COLOURS[n % len(COLOURS)]}" stroke="#fff" stroke-width="0.6"><title>{title}</title></rect>'
            )
        x, y, w, h = box
        parts.append(f'<rect x="{x:.2f}" y="{y:.2f}" width="{w:.2f}" height="{h:.2f}" fill="none" stroke="#222"/>')
        if w > 7 * len(name) and h > 16:
            place = f'x="{x + 4:.2f}" y="{y + 14:.2f}"'
            parts.append(f'<text {place} font-size="12" fill="#000">{html.escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _line(name: str, *figures: float) -> tuple[str, ...]:
    cells, flops, gates, memory, area, share = figures
    return name, f"{cells:,}", f"{flops:,}", f"{gates:,.1f}", f"{memory:.3f}", f"{area:.3f}", f"{share:.1%}"


def block_lines(report: dict[str, Any]) -> Lines:
    """Return a line for each box, and the total."""
    rows, total = [], report["total"]
    whole = total["area_mm2"] * 1e6
    for name, ones in grouped(report["blocks"]).items():
        area = sum(map(_area, ones))
        cells, flops = (sum(one[key] for one in ones) for key in ("cells", "flip_flops"))
        gates, memory = (sum(one[key] for one in ones) for key in ("kilogates", "memory_um2"))
        rows.append(_line(name, cells, flops, gates, memory / 1e6, area / 1e6, area / whole))
    sums = (total[key] for key in ("cells", "flip_flops", "kilogates"))
    rows.append(_line("total", *sums, total["memory_um2"] / 1e6, total["area_mm2"], 1))
    head = ("block", "cells", "flip-flops", "kGE", "memories, mm2", "area, mm2", "share")
    return Lines(head=head, rows=rows)


def memory_lines(report: dict[str, Any]) -> Lines:
    """Return a line for each way in which memories are built."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in report["memories"]:
        found.setdefault(one["becomes"], []).append(one)
    rows: list[tuple[str, ...]] = [
        (
            kind,
            f"{len(ones):,}",
            f"{sum(one['words'] * one['bits'] for one in ones):,}",
            "-" if kind == "latches" else f"{sum(one['count'] for one in ones):,}",
            f"{sum(one['area_um2'] for one in ones) / 1e6:.3f}",
        )
        for kind, ones in sorted(found.items())
    ]
    return Lines(head=("becomes", "memories", "bits", "macros", "area, mm2"), rows=rows)


def clock_line(report: dict[str, Any]) -> str:
    """Say what the clock is, and how it moves with the wires."""
    t = report["timing"]
    wires, start, end = t["period_ns_by_wire"], t["start"] or "the top", t["end"] or "the top"
    return (
        f"clock: {t['period_ns']:.2f} ns ({t['mhz']:.1f} MHz), from {start} to {end}: {t['launch_ns']:.2f} to the "
        f"first net, {t['logic_ns']:.2f} through {t['nets'] - 1} cells, {t['setup_ns']:.2f} setup; "
        f"{t['wire_ff']:g} fF of wire to each pin (half of it: {wires['half']:.2f} ns, twice: {wires['twice']:.2f} ns)"
    )


def total_line(report: dict[str, Any]) -> str:
    """Say how large everything is."""
    total = report["total"]
    gated, flops = total.get("gated_flip_flops", 0), total["flip_flops"]
    share = f"; {gated:,} of {flops:,} flip-flops ({gated / flops:.1%}) are behind clock gates" if gated else ""
    return (
        f"{total['area_mm2']:.3f} mm2: {total['cells']:,} cells ({total['kilogates']:,.1f} kGE, "
        f"{total['logic_um2'] / 1e6:.3f} mm2) and memories of {total['memory_um2'] / 1e6:.3f} mm2 with "
        f"{total['macros']:,} SRAM macros; leakage {total['leakage_uw']:,.1f} uW{share}"
    )


def page(report: dict[str, Any]) -> str:
    """Return the page of a report (:class:`reprise.flow.asic.fields.Asic`)."""
    content = {
        "report": report,
        "title": f"{report['configuration_name']} as a chip: area and clock",
        "lines": [total_line(report), clock_line(report)],
        "picture": treemap(report["blocks"]),
        "blocks": block_lines(report),
        "memories": memory_lines(report),
    }
    return templates(Path(__file__).parent).get_template("asic.html.j2").render(content).lstrip() + "\n"
