"""Estimates what a layer takes on the chip: its events, each times an energy that was fitted to measurements.

``chip = sum of events * energy of each``. The events are those of a report of ``reprise estimate``, so that nothing is
simulated. The energies are of one configuration and of the library and netlist with which ``reprise energy`` measured
(``fitted.json``); a configuration that was not measured has none, and no energy is said. Only ``modes`` may differ. The
fit is by least squares without negative energies, relative to each network's energy. How far it is off stands beside
it, for networks that were not used to fit.

DRAM is apart: the bits that the commands move, 12.45 pJ each, a constant of the literature.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from ...hw.arch.config import HardwareConfig
from ..baselines.accelerator import DRAM_PJ_PER_BIT

FITTED = Path(__file__).resolve().parent / "fitted.json"

EVENTS: dict[str, Callable[[Mapping[str, Any], int], float]] = {
    "cycles": lambda one, group: one["cycles"]["cycle_model"],
    "residual_bits": lambda one, group: one["counts"]["residual_bits"],
    "group_updates": lambda one, group: one["counts"]["nonzero_rows"] * ceil(one["tile_use"]["lanes"]["mean"] / group),
    "row_beats": lambda one, group: one["alone_cycles"]["im2col"],
    "neuron_steps": lambda one, group: one["alone_cycles"]["neurons"],
    "weight_words": lambda one, group: one["alone_cycles"]["weights"],
    "bytes": lambda one, group: one["bytes_read"] + one["bytes_written"],
}
"""The events that a layer's energy is made of, from its figures in a report and the lanes of a group of channels.

They are cycles; additions; updates of a group of channels in the partial sum of a row; segments of rows that im2col
cuts out; groups that the neurons compute; words of weights that tiles load; and bytes that are moved.
"""

NOTHING: dict[str, Any] = {
    "alone_cycles": {"im2col": 0, "neurons": 0, "weights": 0},
    "counts": {"residual_bits": 0, "nonzero_rows": 0},
    "tile_use": {"lanes": {"mean": 0.0}},
}
"""What the end of a job has none of."""


def events(one: Mapping[str, Any], configuration: Mapping[str, int]) -> list[float]:
    """Return the events of a layer, or of the end of the job, which has cycles and bytes only."""
    return [float(of({**NOTHING, **one}, configuration["neuron_lanes"])) for of in EVENTS.values()]


def fit(networks: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the energy of each event in nanojoules, float64[events], none of them negative.

    Parameters
    ----------
    networks : of each, the events float64[layers, events] and the measured energies of the layers in nanojoules. A
        layer's error counts relative to its network's energy.
    """
    from scipy.optimize import nnls

    rows = np.concatenate([rows / measured.sum() for rows, measured in networks])
    wanted = np.concatenate([measured / measured.sum() for _, measured in networks])
    scale = np.maximum(np.linalg.norm(rows, axis=0), 1e-300)  # events differ by orders of magnitude
    found, _ = nnls(rows / scale, wanted)
    return np.asarray(found / scale)


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
    chip = float(np.dot(events(one, found["configuration"]), [found["nanojoules"][name] for name in EVENTS]))
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
