"""Measures the energy of a network's layers on the switching of the RTL, once: a case is kept under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.network import Network
from reprise.model.prosparsity.modes import Mode
from reprise.support.progress import Stages

FOLDER = Path("build/energy/cases")
EVENTS_OF = ("name", "cycles", "alone_cycles", "counts", "bytes_read", "bytes_written")
"""What a case keeps of a layer's figures, beside its energies."""


def measure(name: str, network: Network, images: np.ndarray, config: HardwareConfig, mode: Mode) -> dict[str, Any]:
    """Return the energies and the figures of a network's layers and of the end of its job; make them if need be."""
    from reprise.cosim.options import Options
    from reprise.export.find import Batch
    from reprise.flow.asic.timing import WIRE_FF
    from reprise.flow.energy.measure import measured
    from reprise.model.files.network_file import NetworkFile

    path = FOLDER / f"{name}-{mode}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {"images": len(images), "mode": mode, "waves": True, "limits": False}
        options = Options(config=config, config_name="measured", out=path.parent.resolve(), **about)
        labels = np.zeros(len(images), np.int64)
        file = NetworkFile(network=network, images=images, labels=labels)
        batch = Batch(images=images, labels=labels, numbers=np.arange(len(images)))
        with Stages(Console()) as stages:
            report, outcome, *_ = measured(file, batch, options, stages, wire_ff=WIRE_FF)
        rows = []
        for one, energy in zip([*outcome.layers, outcome.rest], report["layers"], strict=True):
            rows.append({key: one[key] for key in EVENTS_OF if key in one} | {"chip_nj": energy["chip_nj"]})
        path.write_text(json.dumps({"layers": rows, "total": report["total"], "netlist": report["netlist"]}, indent=1))
    found: dict[str, Any] = json.loads(path.read_text())
    return found
