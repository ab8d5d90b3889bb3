"""Tables of benchmarks, from ``docs/measured/bench.json``, and of proofs, from ``docs/measured/proofs.json``.

``python -m tools.bench --out docs/measured/bench.json`` writes the first file, and ``python -m tests.formal.measure
--write`` the second. Seconds are of one machine.
"""

from __future__ import annotations

import inspect

from tools import bench

from . import markdown, record


def value(key: str, figure: float) -> str:
    """Write a figure with the unit in which its key ends."""
    for end, unit in (("_seconds", " s"), ("_mib", " MiB"), ("ratio", " times"), ("per_second", " a second")):
        if f"_{key}".endswith(end):
            return f"{figure:.2g}{unit}" if figure < 10 else f"{figure:,.0f}{unit}"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:,.4g}"


def machine(topic: str) -> str:
    """Say on what machine the benchmarks of a topic were measured."""
    about = record("bench")["machines"][topic]
    load = f", when on average {about['load']:g} other processes wanted a core" if "load" in about else ""
    lower = ", most of them at a lower priority" if about.get("nice", 0) < 0 else ""
    return f"Measured on one machine of {about['cores']} cores{load}{lower}."


def depth(engine: str, depths: list[int]) -> str:
    """Say how far a proof reaches; an induction of some depth reaches as far as one without a depth."""
    if not depths or "induction" in engine:
        return f"for ever{f' (k = {depths[-1]})' if depths else ''}"
    return f"{'...'.join(map(str, sorted({depths[0], depths[-1]})))} cycles"


def proofs() -> str:
    """Make the table of what is proven: property, module, engine, depth and seconds."""
    rows = [
        (one["property"], one["module"], one["engine"], depth(one["engine"], one["depths"]), f"{one['seconds']:.0f} s")
        for one in record("proofs")["proofs"]
    ]
    return markdown(("property", "on", "engine", "depth", "time"), rows)


def table(topic: str, *words: str) -> str:
    """Make the table of the benchmarks of ``tools/benches/TOPIC.py``, or of what is proven (``proofs``).

    ``machine TOPIC`` says on what machine they ran.
    """
    if topic in ("machine", "proofs"):
        return machine(*words) if topic == "machine" else proofs()
    rows = []
    about = {name: inspect.getdoc(function) or "" for name, function in bench.discover().items()}
    for name, figures in record("bench")["results"].items():
        if name.startswith(f"{topic}."):
            title = f"`{name}`: {about[name].splitlines()[0]}"
            for number, (key, figure) in enumerate(figures.items()):
                rows.append(("" if number else title, key.replace("_", " "), value(key, figure)))
    return markdown(("benchmark", "figure", "measured"), rows)
