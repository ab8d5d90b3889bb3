"""The compilers of C that the drivers must pass, with every warning an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from reprise.support.cache import root

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-pedantic")
C99 = ("-std=c99", *WARNINGS, "-O2")


def compilers() -> dict[str, tuple[str, ...]]:
    """Commands by name. ``ziglang`` brings a clang of one version for everybody; else that of the machine is taken."""
    found = {"gcc": ("gcc",)}
    if find_spec("ziglang"):
        found["clang"] = (sys.executable, "-m", "ziglang", "cc")
    elif shutil.which("clang"):
        found["clang"] = ("clang",)
    return found


def compile_c(command: Sequence[str], arguments: Sequence[str | Path], cwd: Path) -> None:
    """Run a compiler; what it says is in the error."""
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(root() / "cache" / "zig")}
    words = [*command, *map(str, arguments)]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
