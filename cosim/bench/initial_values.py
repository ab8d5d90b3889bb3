"""Memories in generated Verilog whose words begin with the same value, said by a loop instead of a line for each word.

Amaranth's Verilog sets each word of a memory by a line of its own, which at the paper's size are a fifth of all lines.
Verilator makes C++ of each, and the C++ compiler spends more time on them than on much of the design.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST = 8
"""Words of a memory for which a loop is worth it."""

_BEGIN, _END = "initial begin\n", "\n  end\n"
_FIRST = re.compile(r"( *)(\S+ ?)\[0\] = (\d+'h[0-9a-f]+);")


def looped(text: str) -> str:
    """Return Verilog that means the same, in which words 0, 1, 2... of the same initial value are set by a loop."""
    before, *blocks = text.split(_BEGIN)
    parts = [before]
    for block in blocks:
        words, end, rest = block.partition(_END)
        parts.append("\n".join(_loops(words.split("\n"))) + end + rest)
    return _BEGIN.join(parts)


def _loops(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        count, first = 0, _FIRST.fullmatch(lines[at])
        if first:
            indent, name, value = first.groups()
            while at + count < len(lines) and lines[at + count] == f"{indent}{name}[{count}] = {value};":
                count += 1
        if first and count >= LEAST:
            yield f"{indent}for (int word = 0; word < {count}; word++) {name}[word] = {value};"
        else:
            yield from lines[at : at + max(1, count)]
        at += max(1, count)
