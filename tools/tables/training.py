"""Tables of accuracy, spikes and cycles of trained networks.

Networks that come with Reprise have their accuracy in their files. ``docs/measured/training.json`` and
``docs/measured/joins.json`` hold what ``python -m tools.train_tables`` measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprise.estimate.area.netlist import NETLIST

from . import markdown, record

STEPS = ("at the best accuracy that both reach", "below it", "", "", "at the lowest")
SHORT, LONG = {"train_images": 6000, "blocks": 2}, {"train_images": 50000, "blocks": 3}
DEEP = {"train_images": 6000, "blocks": 6}
CURVES = (
    ("**`sparse-b2`, mean of the three curves**", "sparse-b2", LONG, (0, 1, 2)),
    *((f"`sparse-b2`, seed {seed}", "sparse-b2", LONG, (seed,)) for seed in (0, 1, 2)),
    *((f"`sparse`, seed {seed}", "sparse", LONG, (seed,)) for seed in (0, 1, 2)),
    ("`sparse`, mean of the three curves", "sparse", LONG, (0, 1, 2)),
    ("`sparse`, short run (6,000 images, two blocks; seed 0, 5,000 test images)", "sparse", SHORT, (0,)),
    ("`sparse`, short run with six blocks a stage (10,000 test images), seed 0", "sparse", DEEP, (0,)),
    ("the same, seed 1", "sparse", DEEP, (1,)),
    ("barriers that halve (`sparse/2`), seed 0", "sparse/2", LONG, (0,)),
    ("the same, short run", "sparse/2", SHORT, (0,)),
)
"""The lines of the comparison at equal accuracy: title, join, recipe and seeds of each."""

AS_TRAINED = ("thresholds", 1)
"""The knob and its value of networks that are as they were trained."""


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} %"


def commands(*names: str) -> str:
    """Say which commands train the networks of a table and measure their figures."""
    found = dict.fromkeys(record("training")[name]["command"] for name in names)
    return f"Measured by {', and by '.join(f'`{command}`' for command in found)}."


def _row(name: str) -> dict:
    """Return what is known of a network: from its file if it comes with Reprise, and else what was measured."""
    from reprise.model.files.manifest import read_manifest
    from reprise.model.files.shipped import shipped

    file = shipped(name)
    if file is None:
        return record("training")[name]
    manifest = read_manifest(file)
    recipe, accuracy = manifest.recipe, manifest.accuracy
    if accuracy is None:
        raise ValueError(f"{file}: accuracy must be in a file that comes with Reprise")
    row = {"levels": recipe["levels"], "timesteps": recipe["timesteps"], "images": accuracy.images}
    return row | {"accuracy": accuracy.integer, "float": accuracy.float_}


def networks(*names: str) -> str:
    """Make the table of the accuracy of networks."""
    rows = []
    for name in names:
        row = _row(name)
        of = (row["levels"], row["timesteps"], f"{row['images']:,}")
        rows.append((f"`{name}`", *of, percent(row["accuracy"]), percent(row.get("float"))))
    return markdown(("network", "N", "T", "test images", "accuracy", "not rounded"), rows)


def activity(*names: str) -> str:
    """Make the table of accuracy, spikes, densities and cycles of networks."""
    rows = []
    for name in names:
        row = record("training")[name]
        dense = [f"{row[k]:.4f}" for k in ("bit_density", "product_density")]
        accuracy, cycles = (percent(row[k]) for k in ("accuracy", "float")), f"{row['cycles']:,.0f}"
        rows.append((f"`{name}`", *accuracy, f"{row['spikes']:,.0f}", *dense, cycles))
    head = ("network", "accuracy", "not rounded", "spikes", "bit density", "product density", "cycles")
    return markdown(head, rows)


def trained(*joins: str) -> str:
    """Say what networks of joins reach as they were trained in the long run, by seed."""
    said = []
    for join in joins:
        rows = [
            row for row in record("joins").values() if (row["join"], row["knob"], row["value"]) == (join, *AS_TRAINED)
        ]
        rows = sorted((r for r in rows if LONG.items() <= r["recipe"].items()), key=lambda r: r["recipe"]["seed"])
        accuracy = ", ".join(f"{row['accuracy']:.2f}" for row in rows)
        spikes = ", ".join(f"{row['spikes']:,.0f}" for row in rows)
        said.append(f"`{join}` reaches {accuracy} % with {spikes} spikes")
    return f"As trained, in the order of the seeds, {'; '.join(said)}."


def _fewer(rows: Sequence[dict], join: str, like: dict, seeds: Sequence[int]) -> list[str]:
    from tools import join_curves

    def wanted(row: dict) -> bool:
        recipe = row["recipe"]
        return row["knob"] == "thresholds" and recipe["seed"] in seeds and like.items() <= recipe.items()

    found = join_curves.compare([row for row in rows if wanted(row)], join)
    return [f"{one['fewer']:.0f} % ({one['accuracy']:.2f} %)" for one in reversed(found)]


def seeds(name: str) -> str:
    """Say what accuracy a network reaches that was trained with several seeds."""
    rows = [row for title, row in record("training").items() if title.startswith(f"{name}-s")]
    reached = [row["accuracy"] for row in rows]
    each = ", ".join(f"{accuracy:.2f}" for accuracy in reached)
    mean = sum(reached) / len(reached)
    return (
        f"Trained with {len(rows)} seeds, `{name}` reaches {each} % with integers: {mean:.2f} % in the mean, and"
        f" {min(reached):.2f} to {max(reached):.2f} %."
    )


def rtl(*names: str) -> str:
    """Say what one image of each network took in RTL, and whether every map was that of the model."""
    said = []
    for name in names:
        row = record("training")[name]["rtl"]
        same = f"{row['mismatches']:,} of the {row['elements']:,} elements of its maps differ from the model"
        of = "" if row["netlist"] == NETLIST else " (an earlier netlist)"
        said.append(f"One image of `{name}` takes {row['cycles']:,} cycles in RTL on `{row['config']}`{of}: {same}.")
    found = dict.fromkeys(record("training")[name]["rtl"]["command"] for name in names)
    return " ".join([*said, f"Measured by {', and by '.join(f'`{command}`' for command in found)}."])


def conclusion(goal: str) -> str:
    """Say how many fewer spikes the first line of :func:`curves` has, and whether that reaches ``goal`` percent."""
    _, join, like, seeds = CURVES[0]
    fewer = [float(cell.partition(" ")[0]) for cell in _fewer(list(record("joins").values()), join, like, seeds)]
    reached = "reach it" if min(fewer) >= float(goal) else "do not reach it over the whole range"
    return (
        f"**The goal is {goal} % fewer spikes than SEW at equal accuracy. Barriers that emit 0..2 and whose gradient"
        f" ends where they clip {reached}: they have {min(fewer):.0f} to {max(fewer):.0f} % fewer spikes over the whole"
        f" range, and {fewer[0]:.0f} % fewer at the best accuracy that both reach.**"
    )


def curves() -> str:
    """Make the table of the spikes of joins against those of SEW, where two curves reach the same accuracy."""
    measured = list(record("joins").values())
    rows = [[title, *_fewer(measured, join, like, seeds)] for title, join, like, seeds in CURVES]
    rows[0][1:] = [f"**{cell}**" for cell in rows[0][1:]]  # the page is about this line
    return markdown(("how many fewer spikes than `sew`", *STEPS), rows)


def table(kind: str, *names: str) -> str:
    """Make one of the tables and sentences above."""
    known = {one.__name__: one for one in (networks, activity, curves, commands, trained, seeds, rtl, conclusion)}
    return known[kind](*names)


def _draw(path: Path) -> None:
    from tools import join_curves

    join_curves.plot(list(record("joins").values()), path)


PICTURES = {"joins.svg": _draw}
