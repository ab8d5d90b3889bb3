"""The modules that make the tables of the pages, one for each kind; :mod:`tools.doc_tables` says how."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).resolve().parents[2] / "docs" / "measured"
"""Where the records lie of what takes long to measure, or cannot be measured everywhere."""


def record(name: str) -> Any:
    """Return the content of ``docs/measured/NAME.json``."""
    return json.loads((MEASURED / f"{name}.json").read_text())


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Write a figure with commas between its thousands, and with a decimal if it is not whole.

    A RAMB18 counts as half a block RAM.
    """
    return f"{value:,.1f}" if value != int(value) else f"{int(value):,}"
