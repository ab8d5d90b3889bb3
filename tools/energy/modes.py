"""Measures the tables of docs/energy.md that run one accelerator as dense, bit-sparse and product-sparse.

    python -m tools.energy.modes train --data MNIST_FOLDER --write    # two networks, kinds of spikes, three seeds
    python -m tools.energy.modes cycles --write                       # of all of them, by the exact cycle model
    python -m tools.energy.modes energy --write                       # on the chip, by an image of the first seed

Energies are measured on the switching of the RTL, except of runs that are too long: those are estimated with what
``tools.energy.fit`` has fitted. Each step adds to ``docs/measured/modes.json``, of which ``make docs`` makes tables;
without ``--write`` it shows what it found. Networks are trained by the same recipe but for levels and timesteps, for
the same epochs; the test set chooses nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reprise.estimate.area.netlist import NETLIST, is_earlier
from reprise.hw.arch.config import HardwareConfig
from reprise.model.prosparsity.modes import MODES
from reprise.support.command_line import INPUT_FOLDER, Write, commands, example, main
from reprise.support.errors import RepriseError
from tools.tables import MEASURED

NAME = "python -m tools.energy.modes"
RECORD = MEASURED / "modes.json"
NETWORKS = Path("build/networks")
CONFIG, CHIP, IMAGES, SEEDS = "paper", "small", 8, (0, 1, 2)
"""The presets of which cycles are counted, and on which energies are measured."""

LONGEST = 100_000
"""The most cycles of a run whose energy is measured."""

SPIKES: dict[str, dict[str, int]] = {
    "levels": {"levels": 4, "timesteps": 1},
    "binary": {"levels": 1, "timesteps": 4},
}
RECIPES: dict[str, dict[str, Any]] = {
    "digits": {},
    "lenet5": {"train_images": 12000, "epochs": 4, "threads": 1},
}
"""What the recipes change of the presets: LeNet-5 is trained shorter."""

app = commands("Measure one accelerator in the modes of its RUNs.", example(f"{NAME} cycles --write"))


def load() -> dict[str, Any]:
    """Return the record, with a place for every network and kind of spikes."""
    found: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    found |= {"configuration": CONFIG}
    for network in RECIPES:
        for spikes in SPIKES:
            found.setdefault("rows", {}).setdefault(network, {}).setdefault(spikes, {})
    return found


def store(write: bool, network: str, spikes: str, **values: Any) -> None:
    """Show values of a network, and put them into the record, if wanted."""
    print(network, spikes, json.dumps(values), flush=True)
    if not write:
        return
    found = load()
    found["rows"][network][spikes] |= values
    RECORD.write_text(json.dumps(found, indent=1) + "\n")


def title(network: str, spikes: str, seed: int) -> str:
    """Return the name of a trained network's file."""
    return f"{network}-{spikes}-s{seed}"


@app.command(epilog=example(f"{NAME} train --data MNIST_FOLDER --write"))
def train(
    data: Annotated[Path, typer.Option(metavar="FOLDER", callback=INPUT_FOLDER, help="folder of MNIST's files")],
    write: Write = False,
) -> None:
    """Train every network with every kind of spikes and every seed; accuracy is that of the integers."""
    from reprise.export.train import datasets, recipe
    from tools.train_tables import one_run

    for network, changes in RECIPES.items():
        images = datasets.load("digits") if network == "digits" else datasets.load("mnist", data)
        for spikes, kind in SPIKES.items():
            made = [recipe.preset(network, seed=seed, **kind, **changes) for seed in SEEDS]
            rows = [one_run(r, images, title(network, spikes, r.seed), False) for r in made]
            about = {key: made[0].model_dump()[key] for key in ("levels", "timesteps", "epochs", "train_images")}
            accuracy = [round(row["accuracy"], 2) for row in rows]
            store(write, network, spikes, **about, test_images=rows[0]["images"], accuracy=accuracy)


@app.command(epilog=example(f"{NAME} cycles --write"))
def cycles(write: Write = False) -> None:
    """Count the cycles of every mode, by an image, as the mean over images of each seed."""
    from reprise.estimate.network import estimate
    from reprise.export.find import open_network

    config = HardwareConfig.load(CONFIG).replace(modes=1)
    for network in RECIPES:
        for spikes in SPIKES:
            counted: dict[str, list[float]] = {mode: [] for mode in MODES}
            for seed in SEEDS:
                file = open_network(str(NETWORKS / f"{title(network, spikes, seed)}.yaml"), config)
                for mode in MODES:
                    report = estimate(file.network, config, file.images[:IMAGES], mode=mode)
                    counted[mode].append(round(report["total"]["cycles"]["cycle_model"] / IMAGES, 1))
            store(write, network, spikes, images=IMAGES, cycles=counted)


@app.command(epilog=example(f"{NAME} energy --write"))
def energy(write: Write = False) -> None:
    """Measure the energies of all networks of the first seed on an image, or estimate them where that takes long."""
    from reprise.estimate.energy import model
    from reprise.estimate.network import estimate
    from reprise.export.find import open_network
    from tools.energy.measure import measure

    config = HardwareConfig.load(CHIP).replace(modes=1)
    fitted = model.fitted(config)
    if fitted is None or is_earlier(fitted):
        remedy = f"python -m tools.energy.fit --config {CHIP} --write"
        raise RepriseError(f"{CHIP} must be fitted to the present netlist first: {remedy}", field=CHIP, remedy=remedy)
    for network in RECIPES:
        for spikes in SPIKES:
            file = open_network(str(NETWORKS / f"{title(network, spikes, SEEDS[0])}.yaml"), config)
            found: dict[str, dict[str, Any]] = {}
            for mode in MODES:
                report = estimate(file.network, config, file.images[:1], mode=mode)
                total = model.fields(report, config)["total"]
                cycles = total["cycles"]["cycle_model"]
                found[mode] = {"energy": "estimated", "cycles": cycles, **total["energy"]}
                if cycles <= LONGEST:
                    one = measure(CHIP, file.network, file.images[:1], config, mode)["total"]
                    found[mode] = {"energy": "measured"} | {key: one[key] for key in ("cycles", "chip_nj", "dram_nj")}
            store(write, network, spikes, chip=found, chip_name=CHIP, netlist=NETLIST)


if __name__ == "__main__":
    main(app, NAME)
