"""Mutation check: deliberate faults in the sources, each of which a named test must catch.

``python -m tests.mutation.runner PART...`` runs faults of ``PART.py`` in ``tests/mutation/faults`` (or of all parts)
in a copy of the tree. A fault survives when its test still passes. Each list holds dictionaries with ``file``,
``original`` (which occurs exactly once), ``mutated``, ``test`` (a pytest node) and ``fault`` (what is broken).
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from reprise.support.command_line import EQUAL, MISMATCH, commands, example, main, one_of

NAME = "python -m tests.mutation.runner"
ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("reprise", "support", "model", "hw", "compiler", "export", "estimate", "cosim", "flow", "configs"),
    *("tests", "tools", "docs"),
)


def fault(what: str, file: str, original: str, mutated: str, test: str) -> dict:
    """One fault of a list: ``what`` is broken in ``hw/FILE.py``, or in the file of a whole path with its suffix."""
    path = file if Path(file).suffix else f"hw/{file}.py"
    return {"fault": what, "file": path, "original": original, "mutated": mutated, "test": test}


def modules() -> dict[str, str]:
    """The modules of all lists by their names: ``frontend`` for ``tests/mutation/faults/frontend.py``."""
    found = (ROOT / "tests" / "mutation" / "faults").rglob("*.py")
    return {p.stem: ".".join(p.relative_to(ROOT).with_suffix("").parts) for p in found if p.stem != "__init__"}


def parts() -> list[str]:
    """The names of all lists."""
    return sorted(modules())


def faults(chosen: list[str] | None = None) -> list[dict]:
    """All faults, or those of some parts."""
    found, of = [], modules()
    for part in parts():
        if not chosen or part in chosen:
            module = importlib.import_module(of[part])
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


app = commands()


@app.command(epilog=example(f"{NAME} frontend sorter"))
def runner(
    chosen: Annotated[
        list[str] | None,
        typer.Argument(metavar="PART", callback=one_of(parts), help="lists of faults; all of them if none is named"),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="only say which parts there are")] = False,
) -> None:
    """Put deliberate faults into a copy of the sources, one after the other; the named test must catch each.

    Exit code 1 if one is not caught. One takes seconds, and all take half an hour.
    """
    if list_only:
        for part in parts():
            print(f"{part}: {len(faults([part]))} faults")
        return
    todo, survivors = faults(chosen), []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "main"
        root.mkdir()
        for name in FOLDERS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
        shutil.copy(ROOT / "pyproject.toml", root)
        for number, fault in enumerate(todo, 1):
            start = time.perf_counter()
            good = caught(fault, root)
            what = f"{fault['part']}: {fault.get('fault', fault['mutated'])} ({fault['test']})"
            if not good:
                survivors.append(what)
            seconds = time.perf_counter() - start
            print(f"[{number}/{len(todo)}] {'caught' if good else 'NOT CAUGHT'} in {seconds:.0f} s: {what}", flush=True)
    print(f"{len(todo) - len(survivors)} of {len(todo)} faults are caught")
    for what in survivors:
        print(f"NOT CAUGHT: {what}")
    raise typer.Exit(MISMATCH if survivors else EQUAL)


if __name__ == "__main__":
    main(app, NAME)
