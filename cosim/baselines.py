"""Runs ``reprise compare NETWORK|CAPTURE``: models of published accelerators, and the cycles of ours beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..compiler import compile_network
from ..estimate.baselines.compare import Ours, compared
from ..estimate.baselines.workload import of_capture, of_network
from ..estimate.network import Part, estimate_image
from ..export.find import Batch
from ..hw.arch.config import HardwareConfig
from ..model.files.capture import load_capture
from ..model.network.network import Network
from ..support.errors import RepriseError
from .jobs.replay import replays

Progress = Callable[[str], None]
EXACT = "the exact cycle model, which equals the RTL in every cycle, with weights, neurons and memory"
COUNTED = "counted in the RTL, with weights, neurons and memory"
SWITCHING = f"{COUNTED}; energy from its switching, with the cells of {{library}}"


def _ours(report: dict[str, Any], name: str) -> Ours:
    """Return our cycles in a report of the cycle model."""
    layers = {one["name"]: one["cycles"]["cycle_model"] for one in report["layers"]}
    total = report["total"]["cycles"]["cycle_model"]
    return Ours(name=name, what=EXACT, origin="model", layers=layers, total=total)


def measured(report: dict[str, Any], subject: str, images: int, path: str) -> Ours:
    """Return the cycles that a co-simulation of the same subject counted, or its cycles and energy.

    ``report`` is of ``reprise cosim`` or of ``reprise energy``.

    Raises
    ------
    RepriseError
        The report is of something else, or nothing was simulated.
    """
    of = report.get("capture") or report.get("network")
    if of != subject or report["images"] != images:
        raise RepriseError(
            field="--rtl",
            rule=f"the report of a co-simulation of {subject}, {images} image(s)",
            value=f"{path}: {of}, {report['images']}",
        )
    mode = f", {report['mode']}" if report.get("mode") else ""
    named: dict[str, Any] = {"name": f"Reprise {report['configuration_name']} RTL{mode}", "origin": "measured"}
    if report["kind"] == "energy":
        return Ours(
            **named,
            what=SWITCHING.format(library=report["library"]["name"]),
            layers={one["name"]: one["cycles"] for one in report["layers"]},
            total=report["total"]["cycles"],
            microjoules=report["total"]["chip_nj"] / 1000,
            limits=report["limits"],
        )
    total = report["total"]["cycles"].get("rtl")
    if not total:
        raise RepriseError(field="--rtl", rule="the report of a co-simulation in RTL", value=f"{path}: no RTL was run")
    layers = {one["name"]: one["cycles"]["rtl"] for one in report["layers"]}
    return Ours(**named, what=COUNTED, layers=layers, total=total)


def compare_network(
    network: Network, batch: Batch, config: HardwareConfig, name: str, rtl: dict[str, Any] | None, progress: Progress
) -> dict[str, Any]:
    """Compare the accelerators on images of a network.

    Parameters
    ----------
    network, batch : the network, and its images
    config, name : our configuration, and what it is called
    rtl : the report of a co-simulation with the same images, if there is one, with its own ``path``
    progress : called with what is done
    """
    progress("the model")
    part = Part.run(network, batch.images)
    report, _ = estimate_image(compile_network(network, config, len(batch.images)), [part], progress=progress)
    ours = [_ours(report, f"Reprise {name}")]
    if rtl:
        ours.append(measured(rtl, network.name, len(batch.images), rtl["path"]))
    progress("other accelerators")
    return compared(network.name, of_network(network, part.expected.features), ours)


def compare_capture(
    path: Path, config: HardwareConfig, name: str, rtl: dict[str, Any] | None, progress: Progress
) -> dict[str, Any]:
    """Compare the accelerators on recorded spikes. In ours, each layer is a job of its own, with random weights."""
    capture = load_capture(path)
    layers: dict[str, int] = {}
    total = 0
    for one in replays(path, config):
        compiled = compile_network(one.network, config, keep_features=True)
        report, _ = estimate_image(compiled, [Part.run(one.network, one.images)], progress=progress)
        mine = _ours(report, name)
        layers |= mine.layers
        total += mine.total
    ours = [Ours(name=f"Reprise {name}", what=EXACT, origin="model", layers=layers, total=total)]
    if rtl:
        ours.append(measured(rtl, capture.name, 1, rtl["path"]))
    progress("other accelerators")
    return compared(capture.name, [[one] for one in of_capture(capture)], ours)


def csv_text(report: dict[str, Any]) -> str:
    """Return the comparison as CSV: a line for each accelerator and layer, and for each accelerator's total."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ("accelerator", "origin", "layer", "matrix_cycles", "neuron_cycles", "cycles", "speedup", "chip_microjoules")
    )
    for row in report["accelerators"]:
        name, origin = row["name"], row["origin"]
        for layer in report["layers"]:
            if name in layer["matrix_cycles"]:
                parts = layer["matrix_cycles"][name], layer["neuron_cycles"][name]
                writer.writerow((name, origin, layer["name"], *parts, sum(parts), "", ""))
            else:
                writer.writerow((name, origin, layer["name"], "", "", layer["our_cycles"][name], "", ""))
        whole = [row.get(key, "") for key in ("matrix_cycles", "neuron_cycles", "cycles")]
        energy = row.get("chip_microjoules", row.get("measured_microjoules"))
        writer.writerow((name, origin, "total", *whole, f"{row['speedup']:.6g}", energy and f"{energy:.6g}"))
    for one in report["published"]:
        writer.writerow((one["name"], "published", "geometric mean", "", "", "", f"{one['speedup']:.6g}", ""))
    return file.getvalue()
