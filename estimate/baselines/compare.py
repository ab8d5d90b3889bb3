"""Puts the models of published accelerators beside our own cycles, for one network or one capture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.prosparsity.bound import output_groups
from ...model.prosparsity.density import Density
from . import published
from .accelerator import CLOCK_MHZ, Accelerator
from .eyeriss import EYERISS
from .mint import MINT
from .prosperity import LANES, PROSPERITY, counted
from .ptb import PTB
from .sato import SATO
from .workload import Workload

ACCELERATORS = (EYERISS, PTB, SATO, MINT, PROSPERITY)
"""The accelerators that are modelled, in the published order; speeds are relative to the first."""


@dataclass(frozen=True, kw_only=True)
class Ours:
    """Cycles of our accelerator.

    Members
    -------
    name, what : how tables call it, and what it is
    origin : "model" for the exact cycle model, "measured" for the RTL
    layers : by the layer's name, from the end of the layer before to its own end
    total : of the whole job, which is more than the layers
    microjoules : what the chip takes without DRAM, if that was measured
    limits : what that figure leaves out
    """

    name: str
    what: str
    origin: str
    layers: dict[str, int]
    total: int
    microjoules: float | None = None
    limits: Sequence[str] = ()


def _sum(values: Iterable[float]) -> float:
    """Return a sum, which is an integer if it is whole."""
    total = math.fsum(values)
    return int(total) if total.is_integer() else total


def _layer(images: Sequence[Workload]) -> tuple[dict[str, Any], Density]:
    """Return the figures of a layer on some images, and its density."""
    first = images[0]
    fields = ("name", "neurons_name", "positions", "timesteps", "planes", "depth", "outputs", "neurons")
    found: dict[str, Any] = {name: getattr(first, name) for name in fields}
    groups = output_groups(first.outputs, LANES)
    density = sum((Density.of(counted(one), first.depth, groups) for one in images), Density())
    return found | density.figures() | {
        "matrix_cycles": {a.name: _sum(a.matrix(one) for one in images) for a in ACCELERATORS},
        "neuron_cycles": {a.name: _sum(a.neurons(one) for one in images) for a in ACCELERATORS},
    }, density


def _modelled(accelerator: Accelerator, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    matrix, neurons = (
        _sum(one[part][accelerator.name] for one in layers) for part in ("matrix_cycles", "neuron_cycles")
    )
    cycles = _sum((matrix, neurons))
    return {
        "name": accelerator.name,
        "what": accelerator.what,
        "origin": "model",
        "matrix_cycles": matrix,
        "neuron_cycles": neurons,
        "cycles": cycles,
        "microseconds": cycles / CLOCK_MHZ,
        "chip_microjoules": cycles / CLOCK_MHZ * accelerator.chip_milliwatt * 1e-3,
    }


def compared(subject: str, layers: Iterable[Sequence[Workload]], ours: Sequence[Ours]) -> dict[str, Any]:
    """Return the fields of :class:`reprise.estimate.report.baseline_fields.Baselines` without the head.

    Parameters
    ----------
    subject : name of the network or the capture
    layers : each layer as its workloads, one for each image, or more where weights differ within an image
    ours : what stands beside the models

    Returns
    -------
    dict
        Cycles of all images. Where the layers are those of a network of the published tables, the neurons are those
        of its published description, and ``benchmark`` has its published figures if the subject is named so.
    """
    images = [list(one) for one in layers]
    network = published.network_of([one[0] for one in images])
    if network is not None:
        by_image = [published.with_published_neurons(list(one), network) for one in zip(*images, strict=True)]
        images = [list(one) for one in zip(*by_image, strict=True)]
    figures: list[dict[str, Any]] = []
    total = Density()
    for batch in images:
        found, density = _layer(batch)
        figures.append(found)
        total += density
    rows = [_modelled(one, figures) for one in ACCELERATORS]
    for mine in ours:
        row = {"name": mine.name, "what": mine.what, "origin": mine.origin, "cycles": mine.total}
        rows.append(row | ({} if mine.microjoules is None else {"measured_microjoules": mine.microjoules}))
        for one in figures:
            one.setdefault("our_cycles", {})[mine.name] = mine.layers[one["name"]]
    base = rows[0]["cycles"]
    for row in rows:
        row["speedup"] = base / row["cycles"] if row["cycles"] else None
    return {
        "subject": subject,
        "images": len(images[0]),
        "published_network": network,
        "total": total.figures(),
        "layers": figures,
        "accelerators": rows,
        "limits": [limit for mine in ours for limit in mine.limits],
        "published": published.means(),
        "benchmark": published.of_benchmark(published.benchmark(subject, network)),
    }
