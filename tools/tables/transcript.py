"""Commands of the pages with what they print.

``<!-- table: transcript show digits -->`` makes the command line ``reprise show digits`` and the lines that it writes
to a pipe. Commands run in a folder of their own, and must print the same every time: no seconds, and no paths outside
it. ``<!-- table: transcript tutorial STEP -->`` makes a step of docs/tutorial.md: its program, and then its commands,
run in an empty folder, one after the other.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from rich.console import Console

from reprise.cli import app

from . import MEASURED, record

PAGE = MEASURED.parent / "tutorial.md"
STEPS = {
    "check": ("check", "mine.yaml", "--samples", "4"),
    "show": ("show", "mine.yaml"),
    "estimate": ("estimate", "mine.yaml", "--config", "tiny"),
    "interpreter": ("cosim", "mine.yaml", "--config", "tiny", "--images", "2", "--engine", "interpreter"),
    "area": ("area", "--config", "tiny"),
}


def printed(*words: str) -> str:
    """Return what ``reprise`` prints with these words, without spaces at the ends of lines.

    Raises
    ------
    RuntimeError
        The command ended with an exit code other than 0.
    """
    out, progress = io.StringIO(), io.StringIO()
    wide = mock.patch.dict(os.environ, COLUMNS="120")  # as in a pipe, whoever runs this
    with wide, contextlib.redirect_stdout(out), contextlib.redirect_stderr(progress):
        code = app.run(list(words))
    if code:
        raise RuntimeError(f"reprise {' '.join(words)} ended with exit code {code}: {progress.getvalue()}")
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def block(commands: Sequence[Sequence[str]]) -> str:
    """Return a block of code with commands, each above what it prints."""
    lines = [line for words in commands for line in (f"$ reprise {' '.join(words)}", printed(*words))]
    return "\n".join(["```", *lines, "```"])


def cosimulation() -> str:
    """Return the block of a co-simulation in the RTL, which takes minutes and so comes from a record.

    The record ``docs/measured/cosim.json`` is the file ``report.json`` of the command that it names.
    """
    from reprise.cosim.report.tables import cycle_table, summary

    report, out = record("cosim"), io.StringIO()
    console = Console(file=out, width=118)
    console.print(cycle_table(report))
    for line in summary(report)[1:]:
        console.print(line, highlight=False)
    console.print(f"all {report['elements']:,} elements equal the model", highlight=False)
    lines = [line.rstrip() for line in out.getvalue().rstrip().splitlines()]
    return "\n".join(["```", *lines, "```"])


def program() -> str:
    """Return the page's program, which is its first block of Python."""
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE.name}: must have a block of Python")
    return found[1]


def _compared() -> str:
    """Return the last line of the tutorial's co-simulation; the interpreter compares as many elements as the RTL."""
    import reprise

    done = reprise.cosimulate("digits", "tiny", images=1, engine="interpreter")
    if not done.equal:
        raise RuntimeError(f"the interpreter differs from the model: {done.first_mismatch}")
    return f"```\nall {done.elements:,} elements equal the model\n```"


@functools.cache
def _steps() -> dict[str, str]:
    """Return what each step prints."""
    import torch

    out, threads = io.StringIO(), torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(folder)):
        with contextlib.redirect_stdout(out):
            exec(compile(program(), PAGE.name, "exec"), {})
        torch.set_num_threads(threads)
        found = {"compared": _compared(), "program": f"```\n$ python mine.py\n{out.getvalue().strip()}\n```"}
        for name, words in STEPS.items():
            found[name] = block([words])
    return found


@functools.cache
def table(*words: str) -> str:
    """Make the block of one command, of a step of the tutorial, or of the recorded co-simulation."""
    if words == ("cosimulation",):
        return cosimulation()
    if words[0] == "tutorial":
        return _steps()[words[1]]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(folder)):
        return block([words])
