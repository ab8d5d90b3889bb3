"""Writes the page of a comparison of reports; ``comparison.html.j2`` is its template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...estimate.comparison import verdicts
from ...estimate.tables import comparison_lines, fact_lines
from .charts import Piece, Row
from .html import templates

COLOURS = ("#A6A6A6", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""The colours of the columns; after the last one, they begin again with the second."""

ROOM = 85
"""Percent of the width that the longest bar takes; its figure stands behind it."""


def colour(column: int) -> str:
    """Return the colour of a column."""
    return COLOURS[0] if column == 0 else COLOURS[1 + (column - 1) % (len(COLOURS) - 1)]


def ratio_rows(found: dict[str, Any]) -> tuple[list[Row], float]:
    """Return a group of bars for every layer, and where the first column's 100 percent lie on their axis.

    A layer that the first column lacks has no bars.
    """
    names = [column["name"] for column in found["columns"]]
    known = [row for row in found["rows"] if row["cycles"][0]]
    largest = max((cycles / row["cycles"][0] for row in known for cycles in row["cycles"] if cycles), default=1)
    whole = ROOM / largest
    rows = []
    for row in known:
        pieces = [
            Piece(name=name, value=cycles, percent=whole * cycles / row["cycles"][0], colour=colour(n))
            for n, (name, cycles) in enumerate(zip(names, row["cycles"], strict=True))
            if cycles is not None
        ]
        rows.append(Row(name=row["name"], pieces=pieces, total=row["cycles"][0]))
    return rows, whole


def page(found: dict[str, Any]) -> str:
    """Return the page of a comparison (:func:`reprise.estimate.comparison.compare`)."""
    columns = found["columns"]
    rows, whole = ratio_rows(found)
    content = {
        "found": found,
        "title": f"{columns[0]['subject']}: {', '.join(column['name'] for column in columns)}",
        "subtitle": f"Compared with {columns[0]['name']}",
        "verdicts": verdicts(found),
        "base": columns[0]["name"],
        "rows": rows,
        "whole": whole,
        "columns": [(column["name"], colour(n), column["origin"]) for n, column in enumerate(columns)],
        "lines": comparison_lines(found),
        "facts": fact_lines(found),
    }
    return templates().get_template("comparison.html.j2").render(content).lstrip() + "\n"


def write_page(found: dict[str, Any], path: Path) -> None:
    """Write the page of a comparison."""
    path.write_text(page(found), encoding="utf-8")
