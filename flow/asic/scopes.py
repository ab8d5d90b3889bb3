"""Finds the instance that a cell of a flat netlist belongs to: the one in whose module's text it was described."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any


class Scopes:
    """Finds the instance whose module's text holds a line."""

    def __init__(self, cells: dict[str, Any]) -> None:
        spans = []
        for name, cell in cells.items():
            if cell["type"] == "$scopeinfo":
                first, last = re.findall(r"(\d+)\.\d+", cell["attributes"]["module_src"])[:2]
                spans.append((int(first), int(last), name))
        self._spans = sorted(spans)
        self._starts = [first for first, _, _ in self._spans]
        self.blocks = ["", *sorted(name for _, _, name in spans)]
        self._index = {name: n for n, name in enumerate(self.blocks)}

    def at(self, source: str) -> int:
        """Return the block of a source position such as ``reprise.v:12.3-14.5``."""
        line = int(re.findall(r":(\d+)", source)[0])
        n = bisect_right(self._starts, line) - 1
        inside = n >= 0 and line <= self._spans[n][1]
        return self._index[self._spans[n][2]] if inside else 0

    def of(self, path: str) -> int:
        """Return the block of what has a path of instances, which may end in names that are none."""
        while path and path not in self._index:
            path = path.rpartition(".")[0]
        return self._index[path]
