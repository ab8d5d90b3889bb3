"""The content of ``report.json``, whose fields :mod:`reprise.cosim.report.fields` describes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...estimate.report.fields import checked
from ...estimate.report.head import head
from ...estimate.report.shapes import shape_of
from ...export.find import Batch
from ..jobs.run import Outcome
from .fields import Cosimulation


def accuracy(predicted: np.ndarray | None, labels: np.ndarray) -> float | None:
    """Return how many of the images whose label is known are right, in percent, or None if there are none."""
    known = labels >= 0
    if predicted is None or not known.any():
        return None
    return 100.0 * float((predicted[known] == labels[known]).mean())


def network_accuracy(found: dict | None) -> dict | None:
    """Return the accuracy that a network file states as the report has it."""
    if not found:
        return None
    percents = {f"{key}_percent": found.get(key) for key in ("integer", "float")}
    return {"dataset": found["dataset"], "images": found["images"], **percents}


def make_report(outcome: Outcome, settings: dict) -> dict:
    """Return the content of ``report.json`` that networks and captures have.

    Parameters
    ----------
    outcome : Outcome
    settings : what was run, on which configuration, engine, memory and seed, as it stands in the report
    """
    config = outcome.compiled.config
    first = next((str(c.first or f"{c.feature}: {c.error}") for c in outcome.checks if c.mismatches), None)
    shapes = {one.name: shape_of(part.network, one.name) for part in outcome.parts for one in part.network.layers}
    return {
        **head("cosimulation"),
        **settings,
        "configuration": config.to_dict(),
        "configuration_sha256": config.digest(),
        "memory_image_bytes": outcome.compiled.size,
        "images": outcome.compiled.images,
        "elements": sum(c.elements for c in outcome.checks),
        "mismatches": outcome.mismatches,
        "first_mismatch": first,
        "differences": [c.first.to_dict() for c in outcome.checks if c.first],
        "layers": [one | {"shape": shapes[one["name"]]} for one in outcome.layers],
        "rest": outcome.rest,
        "total": outcome.total,
    }


def batch_report(outcome: Outcome, batch: Batch) -> dict:
    """Return the content of ``report.json`` that only a network has: its images and what became of them."""
    predicted = outcome.predictions
    return {
        "image_numbers": [int(n) for n in batch.numbers],
        "labels": [int(n) if n >= 0 else None for n in batch.labels],
        "predictions": None if predicted is None else [int(n) for n in predicted],
        "model_predictions": [int(n) for n in outcome.parts[-1].expected.predictions],
        "accuracy_percent": accuracy(predicted, batch.labels),
    }


def write_json(report: dict, path: Path) -> None:
    """Write ``report.json``, whose fields are checked first."""
    checked(report, Cosimulation)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
