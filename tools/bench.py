"""Benchmarks: ``python -m tools.bench [NAME...]`` prints a table and writes ``build/bench.json``.

Every module ``tools/benches/<topic>.py`` is found by itself, and each function ``bench_<name>()`` in it is a benchmark.
The first line of its docstring says what is measured. It returns a flat dictionary of figures, which are numbers or
short texts, and whose keys have the unit in them, as ``seconds``, ``rows_per_second`` and ``ratio`` do. It may raise
``Skip("why")``. A benchmark's full name is ``<topic>.<name>``, and NAME selects those whose full name begins with it.
``build/bench.json`` keeps the figures of benchmarks that were not selected this time, and says for each topic on what
machine it was measured last.
"""

import importlib
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reprise.support.command_line import OUTPUT_FILE, commands, example, main
from reprise.support.errors import RepriseError

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "bench.json"
NAME = "python -m tools.bench"


class Skip(Exception):
    """A benchmark cannot run here; the text says why."""


def discover(
    folder: Path = ROOT / "tools" / "benches", package: str = "tools.benches"
) -> dict[str, Callable[[], dict]]:
    """Return all benchmarks of a folder by their full names, in the order of the files."""
    found = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        module = importlib.import_module(f"{package}.{path.stem}")
        for name, value in vars(module).items():
            if name.startswith("bench_") and callable(value):
                found[f"{path.stem}.{name.removeprefix('bench_')}"] = value
    return found


def best(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the seconds of the fastest of ``repeats`` calls, after one call that compiles and loads what is needed."""
    call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def machine() -> dict[str, str | int | float]:
    """Return what the figures depend on.

    The load is the mean number of processes that wanted a core just now, and ``nice`` the priority of the benchmarks:
    below 0 they come before most of the others.
    """
    return {
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "nice": os.nice(0),
    }


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _title(function: Callable[[], dict]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def table(results: dict[str, dict]) -> Table:
    """Make a table with a line for each figure and a section for each benchmark."""
    shown = Table("benchmark", "figure", "value", title="benchmarks")
    shown.columns[2].justify = "right"
    for name, figures in results.items():
        for number, (key, value) in enumerate(figures.items()):
            shown.add_row(name if number == 0 else "", key, _text(value))
        shown.add_section()
    return shown


app = commands()


@app.command(epilog=example(f"{NAME} model.sample"))
def benchmarks(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="beginnings of benchmark names; all if none")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="only say what there is")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=OUTPUT_FILE, help="JSON (default: build/bench.json)")
    ] = None,
) -> None:
    """Run benchmarks, print a table, and keep the figures; those that are not run keep theirs.

    A benchmark whose data are not here is skipped, and the table says why.
    """
    console, known = Console(), discover()
    for given in names or []:
        if not any(name.startswith(given) for name in known):
            raise RepriseError(field="NAME", rule=f"the beginning of one of {', '.join(known)}", value=given)
    chosen = {n: f for n, f in known.items() if not names or any(n.startswith(prefix) for prefix in names)}
    if list_only:
        for name, function in chosen.items():
            console.print(f"{name}: {_title(function)}", markup=False)
        return
    about, results = machine(), {}  # the load is that before the first benchmark
    for number, (name, function) in enumerate(chosen.items(), 1):
        console.print(f"[{number}/{len(chosen)}] {name}: {_title(function)}", markup=False)
        try:
            results[name] = function()
        except Skip as why:
            results[name] = {"skipped": str(why)}
    console.print(table(results))
    out = out or OUT
    kept = json.loads(out.read_text()) if out.exists() else {"machines": {}, "results": {}}
    kept["machines"] |= {name.partition(".")[0]: about for name in results}
    kept["results"] |= results
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(kept, indent=2) + "\n")
    console.print(f"figures: {out}")


if __name__ == "__main__":
    # The benchmarks import this module by its name, and their Skip must be the one that is caught.
    from tools import bench

    main(bench.app, NAME)
