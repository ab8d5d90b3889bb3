"""Verilator's lint of generated Verilog, once for each content."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ...support.cache import Store, digest
from .verilator import run_tool

LINTED = Store("linted")


def lint(sources: Sequence[Path], top: str, *, waivers: Path | None = None) -> str:
    """Run ``verilator --lint-only -Wall``; a warning that the .vlt file ``waivers`` does not list raises an error.

    The output is returned. What was clean once is not looked at again, since the cache keeps it by the files' content.
    """
    files = [*([waivers] if waivers else []), *sources]
    content = [[path.name, path.read_text()] for path in files]

    def make(folder: Path) -> None:
        command = ["verilator", "--lint-only", "-Wall", "--top-module", top, *map(str, files)]
        (folder / "log").write_text(run_tool(command, what="Verilator lint"))

    return (LINTED.get(digest(version("verilator"), top, content), make).folder / "log").read_text()
