"""The published tables: times, energies, densities and tile sizes of Prosperity and of those it was compared with.

``published.json`` has what ``python -m tools.distil.published`` takes of the published simulator's reference tables
(repository dubcyfor3/Prosperity, MIT licence; paper: HPCA 2025, arXiv 2503.03379). A value that was not published is
None.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from .workload import Workload

FILE = Path(__file__).parent / "published.json"

BENCHMARKS = 16
"""Networks on data sets of the published comparison (figure 8)."""

Values = dict[str, float | None]


@functools.cache
def tables() -> dict[str, Any]:
    """Return all published tables."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def accelerators() -> list[str]:
    """Return the accelerators of the published comparison."""
    return list(tables()["seconds"])


def seconds(accelerator: str) -> Values:
    """Return an accelerator's published times by network and data set."""
    return dict(tables()["seconds"][accelerator])


def energy_mj(accelerator: str) -> Values:
    """Return an accelerator's published energies in millijoules by network and data set."""
    return dict(tables()["energy_mj"][accelerator])


def density(name: str) -> dict[str, float] | None:
    """Return the published densities of a network on a data set, such as ``lenet5_mnist``, or None."""
    rows = tables()["density"]
    if name not in rows["bit_density"]:
        return None
    return {key: rows[key][name] for key in ("bit_density", "product_density")}


def _matrix(layer: dict[str, Any]) -> tuple[int, ...] | None:
    """Return what tells a published matrix layer: positions, K and O; None for neurons."""
    if layer["kind"] == "conv2d":
        side = (layer["size"] - layer["kernel"] + 2 * layer["padding"]) // layer["stride"] + 1
        return side * side, layer["in_channels"] * layer["kernel"] ** 2, layer["out_channels"]
    if layer["kind"] == "fc":
        return layer["tokens"], layer["in_features"], layer["out_features"]
    return None


def network_of(workloads: list[Workload]) -> str | None:
    """Return the published network that has exactly these matrix layers and timesteps, or None."""
    wanted = [(one.positions, one.depth, one.outputs) for one in workloads]
    for name, network in tables()["networks"].items():
        layers = [shape for one in network["layers"] if (shape := _matrix(one))]
        if layers == wanted and all(one.steps == network["timesteps"] for one in workloads):
            return str(name)
    return None


def with_published_neurons(workloads: list[Workload], network: str) -> list[Workload]:
    """Return the layers with the names and numbers of neurons that the published description gives them.

    They are those of the layers, but for VGG-9: there, 4,096 neurons follow a layer of 1,024 outputs.
    """
    found: list[Workload] = []
    for layer in tables()["networks"][network]["layers"]:
        if _matrix(layer):
            found.append(replace(workloads[len(found)], neurons=0))
        else:
            found[-1] = replace(found[-1], neurons_name=layer["name"], neurons=layer["neurons"])
    return found


def benchmark(subject: str, network: str | None) -> str | None:
    """Return the column of the tables for a subject whose matrix layers are those of a published network, or None.

    The same layers run on several data sets, so the subject's name decides.
    """
    known = network is not None and subject.startswith(network.split("_")[0])
    return subject if known and subject in tables()["density"]["bit_density"] else None


def of_benchmark(name: str | None) -> dict[str, Any] | None:
    """Return the published figures of one column of the tables, or None."""
    if name is None:
        return None
    found: dict[str, Any] = {"name": name, **(density(name) or {})}
    for table in ("seconds", "energy_mj"):
        values = {one: row.get(name) for one, row in tables()[table].items()}
        found[table] = {one: value for one, value in values.items() if value is not None}
    return found


def _mean(base: Values, other: Values) -> tuple[float, int]:
    """Return the geometric mean of ``base / other`` over the columns that both have, and how many these are."""
    ratios = [value / mine for name, mine in other.items() if mine is not None and (value := base[name]) is not None]
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)), len(ratios)


def means(base: str = "Eyeriss") -> list[dict[str, Any]]:
    """Return how much faster, and with how much less energy than ``base`` every accelerator was published to be.

    Each is a geometric mean over the networks on data sets for which both have a figure.
    """
    found = []
    for name in accelerators():
        speedup, count = _mean(seconds(base), seconds(name))
        saving, _ = _mean(energy_mj(base), energy_mj(name))
        found.append({"name": name, "speedup": speedup, "energy_saving": saving, "benchmarks": count})
    return found
