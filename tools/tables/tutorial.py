"""What the steps of docs/tutorial.md print: its program, and then its commands, run in an empty folder."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import tempfile
from pathlib import Path

from . import MEASURED
from .transcript import block

PAGE = MEASURED.parent / "tutorial.md"
STEPS = {
    "check": ("check", "mine.yaml", "--samples", "4"),
    "show": ("show", "mine.yaml"),
    "estimate": ("estimate", "mine.yaml", "--config", "tiny"),
    "interpreter": ("cosim", "mine.yaml", "--config", "tiny", "--images", "2", "--engine", "interpreter"),
    "area": ("area", "--config", "tiny"),
}


def program() -> str:
    """Return the page's program, which is its first block of Python."""
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE.name}: must have a block of Python")
    return found[1]


@functools.cache
def _steps() -> dict[str, str]:
    """Return what each step prints."""
    import torch

    out, threads = io.StringIO(), torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(folder)):
        with contextlib.redirect_stdout(out):
            exec(compile(program(), PAGE.name, "exec"), {})
        torch.set_num_threads(threads)
        found = {"program": f"```\n$ python mine.py\n{out.getvalue().strip()}\n```"}
        for name, words in STEPS.items():
            found[name] = block([words])
    return found


def table(step: str) -> str:
    """Make the block of a step."""
    return _steps()[step]
