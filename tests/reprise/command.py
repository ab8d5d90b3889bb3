"""Runs the command ``reprise`` inside the test's process, as a person would: output, errors, exit code."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from reprise.cli import app


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command did; ``text`` is both of its outputs."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def reprise(*arguments: object) -> Done:
    """Run ``reprise ARGUMENTS``; a bug's exception passes through."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = app.run([str(argument) for argument in arguments])
    return Done(code=code, out=out.getvalue(), err=err.getvalue())
