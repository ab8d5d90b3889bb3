"""Blocks of code in pages: where they are, in which language, and why a test does not run them."""

from __future__ import annotations

import contextlib
import io
import re

FENCE = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n\n)?^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Return all blocks of code: why it is not run, or nothing; its language; what it holds."""
    return [(found[1] or "", found[2], found[3]) for found in FENCE.finditer(text)]


def run(text: str, name: str) -> tuple[str, str]:
    """Run all blocks of Python of a page, even those that only some environments run, one after the other.

    Return what they print, and what the page shows of it in its blocks of text.
    """
    names: dict = {}
    said, shown = io.StringIO(), ""
    for _, language, code in blocks(text):
        if language == "python":
            with contextlib.redirect_stdout(said):
                exec(compile(code, name, "exec"), names)
        elif language == "text":
            shown += code
    return said.getvalue(), shown
