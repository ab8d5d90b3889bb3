"""What makes the tables of the pages: one module for each kind, see :mod:`tools.doc_tables`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).resolve().parents[2] / "docs" / "measured"
"""Records of what takes long to measure, or can't be measured everywhere."""


def record(name: str) -> Any:
    """The content of ``docs/measured/NAME.json``."""
    return json.loads((MEASURED / f"{name}.json").read_text())


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """A figure with its thousands apart; halves (a RAMB18 is half a block RAM) with their decimal."""
    return f"{value:,.1f}" if value != int(value) else f"{int(value):,}"
