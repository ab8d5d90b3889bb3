"""Writes the page of a measured energy; ``energy.html.j2`` is its template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...cosim.report.charts import Piece, Row
from ...cosim.report.html import templates
from ...estimate.tables import Lines

COLUMNS = {
    "logic_nj": ("logic", "#009E73", "nets that toggle, and cells inside"),
    "clock_nj": ("clock", "#56B4E9", "the clock of flip-flops: pins, wires and inside"),
    "memories_nj": ("memories", "#E69F00", "memories that are read, written or clocked"),
    "leakage_nj": ("leakage", "#A6A6A6", "leakage, at the clock that static timing allows"),
    "dram_nj": ("DRAM", "#CC79A7", "bits that commands move x 12.45 pJ, a constant of the literature"),
}
"""What the columns are called, their colours, and what they are."""

ON_CHIP = tuple(name for name in COLUMNS if name != "dram_nj")


def _bars(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[Row]:
    """Return bars whose pieces are in percent of the longest of them."""
    sums = [sum(one[name] for name in columns) for one in rows]
    most = max(sums)
    return [
        Row(
            name=one["name"],
            pieces=[
                Piece(name=COLUMNS[name][0], value=one[name], percent=100 * one[name] / most, colour=COLUMNS[name][1])
                for name in columns
            ],
            total=round(total, 1),
        )
        for one, total in zip(rows, sums, strict=True)
    ]


def lines(rows: Sequence[dict[str, Any]], columns: Sequence[str], total: dict[str, Any]) -> Lines:
    """Return a table of energies in nanojoules, with the chip's sum and its share."""
    head = ("", *(f"{COLUMNS[name][0]}, nJ" for name in columns), "chip, nJ", "share of the chip")
    whole = total["chip_nj"]
    found = [
        (
            one["name"],
            *(f"{one[name]:,.1f}" for name in columns),
            f"{one['chip_nj']:,.1f}",
            f"{one['chip_nj'] / whole:.1%}",
        )
        for one in [*rows, {"name": "total", **total}]
    ]
    return Lines(head=head, rows=found)


def layer_lines(report: dict[str, Any]) -> Lines:
    """Return the energies by layer."""
    found = lines(report["layers"], tuple(COLUMNS), report["total"])
    counts = [f"{one['operation_count_nj']:,.1f}" for one in [*report["layers"], report["total"]]]
    rows = [(*row, count) for row, count in zip(found.rows, counts, strict=True)]
    return Lines(head=(*found.head, "operation count, nJ"), rows=rows)


def block_lines(report: dict[str, Any]) -> Lines:
    """Return the energies by block."""
    return lines(report["blocks"], ON_CHIP, report["total"])


def verdicts(report: dict[str, Any]) -> list[str]:
    """Say the sums, what they depend on, and that the replay is right."""
    total, images = report["total"], report["images"]
    wires, check = total["chip_nj_by_wire"], report["replay"]
    per = "" if images == 1 else f" ({total['chip_nj'] / images:,.1f} nJ an image)"
    return [
        f"{total['chip_nj']:,.1f} nJ on the chip{per} and {total['dram_nj']:,.1f} nJ in DRAM, in {total['cycles']:,} "
        f"cycles of {report['period_ns']:.2f} ns",
        f"with every enabled read of a memory charged: {total['chip_nj_as_built']:,.1f} nJ",
        f"wires: {total['wires_nj']:,.1f} nJ at {report['wire_ff']:g} fF to each pin; with half of it "
        f"{wires['half']:,.1f} nJ in all, with twice {wires['twice']:,.1f} nJ",
        f"replay: {check['differing_bits']} of {check['compared_bits']:,} bits at inputs of flip-flops differ from "
        "what the RTL had a cycle later",
    ]


def page(report: dict[str, Any]) -> str:
    """Return the page of a report (:class:`reprise.flow.energy.fields.Energy`)."""
    content = {
        "report": report,
        "title": f"{report['network']} on {report['configuration_name']}: energy",
        "verdicts": verdicts(report),
        "layer_bars": _bars(report["layers"], tuple(COLUMNS)),
        "block_bars": _bars(report["blocks"], ON_CHIP),
        "legend_entries": [(name, colour, meaning) for name, colour, meaning in COLUMNS.values()],
        "layers": layer_lines(report),
        "blocks": block_lines(report),
    }
    return templates(Path(__file__).parent).get_template("energy.html.j2").render(content).lstrip() + "\n"
