"""Estimates what a layer takes on the chip: its events, each times an energy that was fitted to measurements.

``chip = sum of events * energy of each``. The events are those of a report of ``reprise estimate``, so that nothing is
simulated. The energies are of one configuration and of the library and netlist with which ``reprise energy`` measured
(``fitted.json``); a configuration that was not measured has none, and no energy is said. Only ``modes`` may differ. The
fit is by least squares without negative energies, block by block. How far it is off stands beside it, for networks that
were not used to fit.

DRAM is apart: the bits that the commands move, 12.45 pJ each, a constant of the literature.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...hw.arch.config import HardwareConfig
from ..baselines.accelerator import DRAM_PJ_PER_BIT

FITTED = Path(__file__).resolve().parent / "fitted.json"

Event = Callable[[Mapping[str, Any]], float]


def _access(name: str) -> Event:
    return lambda one: one["accesses"][name]


EVENTS: dict[str, Event] = {
    "cycles": lambda one: one["cycles"]["cycle_model"],
    "commands": _access("commands"),
    "bytes_written": lambda one: one["bytes_written"],
    "feature_bytes": _access("feature_bytes"),
    "feature_reads": _access("feature_reads"),
    "row_beats": lambda one: one["alone_cycles"]["im2col"],
    "rows": lambda one: one["counts"]["nonzero_rows"],
    "weight_words": lambda one: one["alone_cycles"]["weights"],
    "weight_rows": _access("weight_rows"),
    "residual_bits": lambda one: one["counts"]["residual_bits"],
    "results": _access("results"),
    "result_reads": _access("result_reads"),
    "updates": _access("updates"),
    "drained": _access("drained"),
    "neuron_steps": lambda one: one["alone_cycles"]["neurons"],
    "outputs": _access("outputs"),
}
"""The events that a layer's energy is made of, from its figures in a report; most are accesses to memories
(:class:`reprise.estimate.report.fields.Accesses`).

Others are cycles; bytes that are written; segments of rows that im2col cuts out; rows that are sorted; words and rows
of weights that are loaded, and weight rows that are added; and groups that the neurons compute.
"""

BLOCKS: dict[str, tuple[str, ...]] = {
    "core.processor.weights": ("weight_rows", "residual_bits"),
    "core.processor.bank": ("updates", "drained"),
    "core.processor.pe_array": ("residual_bits", "results", "result_reads"),
    "core.processor": ("rows", "drained"),
    "core.neurons": ("drained", "neuron_steps", "outputs"),
    "core.frontend": ("rows", "results", "row_beats"),
    "im2col": ("feature_bytes", "feature_reads", "row_beats", "commands"),
    "weights": ("weight_words",),
    "output": ("outputs", "bytes_written"),
    "outgoing": ("outputs", "bytes_written"),
    "writes": ("outputs", "bytes_written"),
    "fetch": ("commands",),
    "loader": ("commands", "feature_bytes"),
    "": ("commands",),
}
"""The events that each block's energy goes with, beside the cycles, by the beginning of the block's name. The first
one that fits counts."""

NOTHING: dict[str, Any] = {
    "alone_cycles": {"im2col": 0, "neurons": 0, "weights": 0},
    "counts": {"residual_bits": 0, "nonzero_rows": 0},
    "accesses": dict.fromkeys(EVENTS, 0),
}
"""What the end of a job has none of."""

WHOLE = 3.0
"""How much a whole network counts in the fit beside one of its layers, while which the next one's data are loaded."""


def events(one: Mapping[str, Any]) -> list[float]:
    """Return the events of a layer, or of the end of the job, which has cycles and bytes only."""
    return [float(of({**NOTHING, **one})) for of in EVENTS.values()]


def block_of(name: str) -> str:
    """Return which of :data:`BLOCKS` the energy of an instance of the accelerator counts to."""
    inside = name.removeprefix("datapath.")
    return next(one for one in BLOCKS if inside.startswith(one))


def fit(networks: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the energy of each event in nanojoules, float64[events], none of them negative.

    Every block is fitted by itself, to the events that its energy goes with, and the energies of an event add up.

    Parameters
    ----------
    networks : of each, the events float64[layers, events], and the measured energies float64[layers, blocks] of the
        layers in nanojoules, by the order of :data:`BLOCKS`. An error counts relative to the network's energy.
    """
    from scipy.optimize import nnls

    names, found = list(EVENTS), np.zeros(len(EVENTS))
    weights = [1 / measured.sum() for _, measured in networks]
    rows = _weighted([one for one, _ in networks], weights)
    wanted = _weighted([one for _, one in networks], weights)
    for n, some in enumerate(BLOCKS.values()):
        chosen = [names.index(name) for name in ("cycles", *some)]
        scale = np.maximum(np.linalg.norm(rows[:, chosen], axis=0), 1e-300)  # events differ by orders of magnitude
        found[chosen] += nnls(rows[:, chosen] / scale, wanted[:, n])[0] / scale
    return found


def _weighted(networks: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the rows of all networks, and the sum of each network's, which counts :data:`WHOLE` times."""
    whole = [np.concatenate([rows, WHOLE * rows.sum(axis=0, keepdims=True)]) for rows in networks]
    return np.concatenate([rows * weight for rows, weight in zip(whole, weights, strict=True)])


@functools.cache
def known() -> list[dict[str, Any]]:
    """Return what was fitted, for each configuration."""
    found: list[dict[str, Any]] = json.loads(FITTED.read_text())["configurations"]
    return found


def fitted(config: HardwareConfig) -> dict[str, Any] | None:
    """Return what was fitted for a configuration, or None."""
    built = config.replace(modes=0).built()
    return next((one for one in known() if one["configuration"] == built), None)


def energy(one: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, float]:
    """Return the fields ``chip_nj`` and ``dram_nj`` of a layer, or of the end of the job."""
    chip = float(np.dot(events(one), [found["nanojoules"][name] for name in EVENTS]))
    dram = 8 * (one["bytes_read"] + one["bytes_written"]) * DRAM_PJ_PER_BIT / 1000
    return {"chip_nj": round(chip, 1), "dram_nj": round(dram, 1)}


def fields(report: Mapping[str, Any], config: HardwareConfig) -> dict[str, Any]:
    """Return the fields of a report of ``reprise estimate`` that have energies; none, if nothing was fitted."""
    found = fitted(config)
    if found is None:
        return {}
    rows = [one | {"energy": energy(one, found)} for one in (*report["layers"], report["rest"])]
    total = {part: round(sum(one["energy"][part] for one in rows), 1) for part in ("chip_nj", "dram_nj")}
    return {
        "layers": rows[:-1],
        "rest": rows[-1],
        "total": report["total"] | {"energy": total},
        "energy_error_percent": error_percent(found),
    }


def error_percent(found: Mapping[str, Any]) -> float:
    """Return by how many percent the estimate was off at most, of networks that were not used to fit."""
    return float(max(map(abs, found["held_out_percent"].values())))


def lines(report: Mapping[str, Any]) -> list[str]:
    """Say in a line what a network takes and how well that is known, or that nothing was fitted and what to do."""
    if "energy" not in report["total"]:
        names = ", ".join(one["name"] for one in known())
        return [
            f"energy: not fitted to this configuration, but to {names}; reprise energy measures it, and "
            "python -m tools.energy.fit --config PRESET --write fits a preset"
        ]
    whole = report["total"]["energy"]
    return [
        f"energy in 130 nm, from events: {whole['chip_nj']:,.0f} nJ on the chip (off by up to "
        f"{report['energy_error_percent']:g} % on networks that were measured and not fitted), and "
        f"{whole['dram_nj']:,.0f} nJ in DRAM"
    ]
