"""Mutation check: deliberate faults in the sources, each of which a named test must catch.

``python -m tests.mutation.runner [PART ...]`` runs the faults of ``tests/mutation/PART.py`` (all, or the named parts)
in a copy of the tree: a fault survives when its test still passes. Each list holds dicts with ``file``, ``original``
(occurs exactly once), ``mutated``, ``test`` (a pytest node) and ``fault`` (what is broken).
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("reprise", "support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "configs"),
    *("tests", "tools", "docs"),
)


def fault(what: str, file: str, original: str, mutated: str, test: str) -> dict:
    """One fault of a list: ``what`` is broken in ``hw/FILE.py``."""
    return {"fault": what, "file": f"hw/{file}.py", "original": original, "mutated": mutated, "test": test}


def faults(parts: list[str]) -> list[dict]:
    """All faults, or those of some parts (``frontend`` for ``tests/mutation/frontend.py``)."""
    found = []
    lists = (path.stem for path in (ROOT / "tests" / "mutation").glob("*.py"))
    for part in sorted(one for one in lists if one not in ("__init__", "runner") and not one.startswith("test_")):
        if not parts or part in parts:
            module = importlib.import_module(f"tests.mutation.{part}")
            found += [{"part": part, **dict(fault)} for fault in module.MUTATIONS]
    return found


def apply(fault: dict, root: Path) -> str:
    """Put the fault into the copy at ``root``; the file's text before."""
    path = root / fault["file"]
    text = path.read_text()
    count = text.count(fault["original"])
    if count != 1:
        raise ValueError(
            f"{fault['file']}: the original text must occur exactly once, not {count} times: {fault['original']!r}"
        )
    path.write_text(text.replace(fault["original"], fault["mutated"]))
    return text


def caught(fault: dict, root: Path) -> bool:
    """True when the fault's test fails in the copy (and not because nothing ran)."""
    before = apply(fault, root)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", fault["test"]],
            cwd=root,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=1200,
        )
    finally:
        (root / fault["file"]).write_text(before)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{fault['test']}: pytest ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.returncode == 1


def main(parts: list[str]) -> int:
    table = Table("part", "fault", "test", "caught")
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "main"
        root.mkdir()
        for name in FOLDERS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
        shutil.copy(ROOT / "pyproject.toml", root)
        for fault in track(faults(parts), description="faults", console=Console(stderr=True)):
            good = caught(fault, root)
            survivors += not good
            table.add_row(fault["part"], fault.get("fault", fault["mutated"]), fault["test"], "yes" if good else "NO")
    Console().print(table)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
