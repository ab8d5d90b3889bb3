"""Commands of the pages with what they print.

``<!-- table: transcript show digits -->`` makes the command line ``reprise show digits`` and the lines that it writes
to a pipe. Commands run in a folder of their own, and must print the same every time: no seconds, and no paths outside
it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reprise.cli import app


def printed(*words: str) -> str:
    """Return what ``reprise`` prints with these words, without spaces at the ends of lines.

    Raises
    ------
    RuntimeError
        The command ended with an exit code other than 0.
    """
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = app.run(list(words))
    if code:
        raise RuntimeError(f"reprise {' '.join(words)} ended with exit code {code}: {out.getvalue()}")
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def block(commands: Sequence[Sequence[str]]) -> str:
    """Return a block of code with commands, each above what it prints."""
    lines = [line for words in commands for line in (f"$ reprise {' '.join(words)}", printed(*words))]
    return "\n".join(["```", *lines, "```"])


@functools.cache
def table(*words: str) -> str:
    """Make the block of one command."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(folder)):
        return block([words])
