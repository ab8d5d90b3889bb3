"""Blocks of code in pages: where they are, in which language, and why a test does not run them."""

from __future__ import annotations

import re

FENCE = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n\n)?^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Return all blocks of code: why it is not run, or nothing; its language; what it holds."""
    return [(found[1] or "", found[2], found[3]) for found in FENCE.finditer(text)]
