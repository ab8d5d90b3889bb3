"""Tables of benchmarks, from ``docs/measured/bench.json``.

``python -m tools.bench --out docs/measured/bench.json`` writes that file.
"""

from __future__ import annotations

import inspect

from tools import bench

from . import markdown, record


def value(key: str, figure: float) -> str:
    """Write a figure with the unit in which its key ends."""
    for end, unit in (("_seconds", " s"), ("_mib", " MiB"), ("ratio", " times"), ("per_second", " a second")):
        if f"_{key}".endswith(end):
            return f"{figure:.2g}{unit}" if figure < 1 else f"{figure:,.0f}{unit}"
    return f"{figure:,.4g}"


def table(topic: str) -> str:
    """Make the table of the benchmarks of ``tools/bench_TOPIC.py``."""
    rows = []
    about = {name: inspect.getdoc(function) or "" for name, function in bench.discover().items()}
    for name, figures in record("bench")["results"].items():
        if name.startswith(f"{topic}."):
            title = f"`{name}`: {about[name].splitlines()[0]}"
            for number, (key, figure) in enumerate(figures.items()):
                rows.append(("" if number else title, key.replace("_", " "), value(key, figure)))
    return markdown(("benchmark", "figure", "measured"), rows)
