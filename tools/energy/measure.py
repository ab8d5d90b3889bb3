"""Measures the energy of a network's layers on the switching of the RTL, once: the cache keeps it under its content."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from reprise.flow import asic, energy
from reprise.flow.asic.library import FILE
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.emission import verilog_of
from reprise.model.files.network_file import NetworkFile, save
from reprise.model.network.network import Network
from reprise.model.prosparsity.modes import Mode
from reprise.support.cache import Store, digest, source, sources
from reprise.support.progress import Stages

CASES = Store("energy")
EVENTS_OF = ("name", "cycles", "alone_cycles", "counts", "accesses", "bytes_read", "bytes_written")
"""What a case keeps of a layer's figures, beside its energies."""


def _key(network: Network, images: np.ndarray, config: HardwareConfig, mode: Mode) -> str:
    """Return the digest of the RTL, the network and its images, the cells, and the code that makes energies of them."""
    with tempfile.TemporaryDirectory() as name:
        path = save(network, Path(name) / "network", samples=(images, np.zeros(len(images), np.int64)))
        content = [path.read_text(), path.with_suffix(".safetensors").read_bytes()]
    code = [sources(*(Path(str(room.__file__)).parent for room in (asic, energy))), source(Path(__file__))]
    return digest(verilog_of(config).text, *content, mode, FILE.read_bytes(), *code)


def measure(name: str, network: Network, images: np.ndarray, config: HardwareConfig, mode: Mode) -> dict[str, Any]:
    """Return the energies and the figures of a network's layers and of the end of its job; make them if need be.

    ``name`` is of the configuration, for people.
    """
    from reprise.cosim.options import Options
    from reprise.export.find import Batch
    from reprise.flow.asic.timing import WIRE_FF
    from reprise.flow.energy.measure import measured

    def run(folder: Path) -> None:
        about: dict[str, Any] = {"images": len(images), "mode": mode, "waves": True, "limits": False}
        options = Options(config=config, config_name=name, out=folder, **about)
        labels = np.zeros(len(images), np.int64)
        file = NetworkFile(network=network, images=images, labels=labels)
        batch = Batch(images=images, labels=labels, numbers=np.arange(len(images)))
        with Stages(Console(stderr=True)) as stages:
            report, outcome, mapped, _, energies = measured(file, batch, options, stages, wire_ff=WIRE_FF)
        whole = sum(energies.parts.values(), np.zeros(()))  # [windows, blocks]
        rows = []
        for one, parts in zip([*outcome.layers, outcome.rest], whole, strict=True):
            picojoules = zip(mapped.netlist.blocks, parts.tolist(), strict=True)
            blocks = {block or "top": round(value / 1000, 4) for block, value in picojoules if value}
            rows.append({key: one[key] for key in EVENTS_OF if key in one} | {"blocks_nj": blocks})
        case = {"layers": rows, "total": report["total"], "netlist": report["netlist"]}
        (folder / "case.json").write_text(json.dumps(case, indent=1))

    entry = CASES.get(_key(network, images, config, mode), run)
    found: dict[str, Any] = json.loads((entry.folder / "case.json").read_text())
    return found
