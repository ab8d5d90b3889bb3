"""Fits the energies of events that ``reprise estimate`` uses (``estimate/energy/fitted.json``) to measurements.

    python -m tools.energy.fit --config tiny --write

The file has a row for each preset that was fitted. Networks are measured on the switching of the RTL, as ``reprise
energy`` does, which takes a minute or so for each, and what is measured is in the cache. Some are used to fit, and the
others only to say how far off the fit is. Those with a seed in their names are of ``tools.energy.modes train``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import numpy as np
import typer

from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.estimate.area.netlist import NETLIST
from reprise.estimate.energy import model
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.network import Network
from reprise.model.prosparsity.modes import Mode
from reprise.support.command_line import Write, commands, example, main
from tools.energy.measure import measure

NAME = "python -m tools.energy.fit"
FITS: tuple[tuple[str, Mode], ...] = (
    ("digits-levels-s0", "product"), ("digits-levels-s0", "bit"), ("digits-levels-s0", "dense"),
    ("random1", "product"), ("random7", "product"), ("random4", "bit"), ("random8", "product"), ("random11", "product"),
)  # fmt: skip
HELD: tuple[tuple[str, Mode], ...] = (
    ("lenet5-levels-s0", "product"), ("random3", "product"), ("random6", "dense"), ("random9", "product"),
    ("random12", "bit"), ("random14", "product"),
)  # fmt: skip
"""The networks, each in a mode, that are used to fit, and those that only tell the error."""

BINARY: tuple[tuple[str, Mode], ...] = (("digits-binary-s0", "product"),)
BINARY_HELD: tuple[tuple[str, Mode], ...] = (("digits-binary-s0", "dense"), ("lenet5-binary-s0", "product"))
ROWS = 32
"""Those of binary spikes, in tiles that hold so many rows: eight bits of a pixel in four timesteps."""

CHANNELS = 192
"""The most channels of a random network: more only take longer."""

app = commands()


def network_of(name: str, config: HardwareConfig) -> tuple[Network, np.ndarray]:
    """Return a network with an image: a random one, a preset, or one that ``tools.energy.modes train`` has left."""
    from reprise.export.find import open_network

    if name.startswith("random"):
        seed = int(name.removeprefix("random"))
        channels = min(3 * config.lanes, CHANNELS)
        made = random_network(seed, config, size=10, channels=channels, layers=2 + seed % 2)
        return made, random_images(seed, made, 1)
    file = open_network(f"build/networks/{name}.yaml" if "-s" in name else name, config)
    return file.network, file.images[:1]


def measured(
    cases: Iterable[tuple[str, Mode]], config: HardwareConfig, preset: str
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield of each network its name and mode, the events of its layers, and their measured energies by block."""
    for name, mode in cases:
        print(f"{preset}: {name}, {mode}", file=sys.stderr, flush=True)
        network, images = network_of(name, config)
        rows = measure(preset, network, images, config, mode)["layers"]
        events = np.array([model.events(one) for one in rows])
        energies = np.zeros((len(rows), len(model.BLOCKS)))
        for n, one in enumerate(rows):
            for block, nanojoules in one["blocks_nj"].items():
                energies[n, list(model.BLOCKS).index(model.block_of(block))] += nanojoules
        yield f"{name}, {mode}", events, energies


def errors(found: np.ndarray, cases: list[tuple[str, np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return by how many percent the estimate of each network is off."""
    return {name: round(100 * float((rows @ found).sum() / wanted.sum() - 1), 2) for name, rows, wanted in cases}


def worst_layer(found: np.ndarray, cases: list[tuple[str, np.ndarray, np.ndarray]]) -> float:
    """Return by how many percent the estimate of a layer is off at most; the end of the job is none."""
    off = [np.abs(rows[:-1] @ found / wanted[:-1].sum(axis=1) - 1).max() for _, rows, wanted in cases]
    return round(100 * float(max(off)), 1)


@app.command(epilog=example(f"{NAME} --config tiny --write"))
def fit(
    config: Annotated[str, typer.Option(metavar="NAME", help="preset of the hardware")] = "tiny", write: Write = False
) -> None:
    """Fit the energies of events of a configuration; with --write, put them into the table."""
    plain = HardwareConfig.load(config)
    known = (FITS + BINARY, HELD + BINARY_HELD) if plain.tile_m >= ROWS else (FITS, HELD)
    fits, held = (list(measured(cases, plain.replace(modes=1), config)) for cases in known)
    found = model.fit([(rows, wanted) for _, rows, wanted in fits])
    row: dict[str, Any] = {
        "name": config,
        "configuration": plain.built(),
        "command": f"{NAME} --config {config} --write",
        "netlist": NETLIST,
        "nanojoules": {name: float(f"{value:.6g}") for name, value in zip(model.EVENTS, found, strict=True)},
        "fit_percent": errors(found, fits),
        "held_out_percent": errors(found, held),
        "held_out_layer_percent": worst_layer(found, held),
    }
    print(json.dumps(row, indent=1))
    if write:
        rows = {one["name"]: one for one in model.known()} | {config: row}
        ordered = sorted(rows.values(), key=lambda one: one["configuration"]["lanes"])
        model.FITTED.write_text(json.dumps({"configurations": ordered}, indent=1) + "\n")


if __name__ == "__main__":
    main(app, NAME)
