"""The programs that build simulators, and the paths that they can take.

Verilator's makefile takes no path with a space in it. What would be built at such a path is built in a temporary
folder, and what the build reads is given to it by links there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...support.errors import RepriseError, SimulationError

TOOLS = {"make": "GNU make", "c++": "a C++ compiler", "ar": "binutils", "perl": "perl"}
"""What a build calls beside Verilator, and what brings it."""

PLAIN = re.compile(r"[A-Za-z0-9_./+@,~-]+")
"""Paths that make and the shells which it starts take as they are."""

FULL = "No space left on device"


def require_tools(path: str | None = None) -> None:
    """Raise RepriseError unless all programs that a build needs are on PATH, or on ``path``."""
    missing = [name for name in TOOLS if shutil.which(name, path=path) is None]
    if missing:
        names = ", ".join(missing)
        bring = ", ".join(TOOLS[name] for name in missing)
        remedy = f"install {bring} (on Debian: apt install build-essential perl), or use --engine interpreter"
        raise RepriseError(
            f"{names} must be on PATH to build a simulator, and {'is' if len(missing) == 1 else 'are'} not: {remedy}",
            field=missing[0],
            rule="on PATH",
            remedy=remedy,
        )


@contextlib.contextmanager
def plain_paths(work: Path, *others: Path) -> Iterator[tuple[Path, ...]]:
    """Give the folder of a build, and other folders that it reads, by paths that make can take.

    What is made in a folder that stands in for ``work`` is moved into it at the end, even if the build fails.

    Raises
    ------
    RepriseError
        The folder for temporary files has such a path, too.
    """
    if all(PLAIN.fullmatch(str(path)) for path in (work, *others)):
        yield work, *others
        return
    with tempfile.TemporaryDirectory(prefix="reprise-") as folder:
        if not PLAIN.fullmatch(folder):
            remedy = "make takes no other; set TMPDIR to such a folder"
            rule = "a path of letters, digits and ._+@,~- alone"
            raise RepriseError(field="the folder for temporary files", rule=rule, value=folder, remedy=remedy)
        links = [path if PLAIN.fullmatch(str(path)) else Path(folder) / f"other{n}" for n, path in enumerate(others)]
        for link, path in zip(links, others, strict=True):
            if link != path:
                link.symlink_to(path, target_is_directory=True)
        if PLAIN.fullmatch(str(work)):
            yield work, *links
            return
        place = Path(folder) / "work"
        place.mkdir()
        try:
            yield place, *links
        finally:
            for path in place.iterdir():
                shutil.move(path, work / path.name)


def run_program(command: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], what: str) -> str:
    """Run a program and return its output.

    Raises
    ------
    SimulationError
        It fails; the message has the last lines of its output.
    RepriseError
        It is not there.
    OSError
        The disk is full; it names the folder in which the program ran.
    """
    try:
        done = subprocess.run(list(map(str, command)), cwd=cwd, env=dict(env), text=True, capture_output=True)
    except FileNotFoundError:
        require_tools(env.get("PATH"))
        raise
    output = done.stdout + done.stderr
    if done.returncode:
        if FULL in output:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cwd or Path.cwd()))
        tail = "\n".join(output.splitlines()[-30:])
        raise SimulationError(f"{what} failed (exit {done.returncode}):\n{tail}")
    return output
