"""Measures what the tables of docs/training.md show.

They compare binary spikes over four timesteps with multi-level spikes in one timestep, and the four residual joins.

    python -m tools.train_tables lenet5 --data MNIST_FOLDER
    python -m tools.train_tables joins  --data CIFAR_FOLDER [--train 6000 --epochs 8 --width 8 --blocks 2]
    python -m tools.train_tables binary --data CIFAR_FOLDER [the same]     # Sparse-ResNet, N=1, T=4
    python -m tools.train_tables vgg9   --data CIFAR_FOLDER
    python -m tools.train_tables spikformer    # and sdt: three seeds
    python -m tools.train_tables rtl build/networks/resnet-ms.yaml    # one image of it
    python -m tools.train_tables curves --data CIFAR_FOLDER --sparsities 0,1 --thresholds 1,1.2
    python -m tools.train_tables plot      # the joins at equal accuracy

Each run writes ``build/tables/NAME.json`` and ``build/networks/NAME.yaml``. What the tables show of it goes to
docs/measured/training.json with ``--write``, and for curves to joins.json there instead of ``build/tables/joins.json``;
``make docs`` makes the tables from there. A CIFAR folder is one of :mod:`tools.jpeg_images`.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from reprise.api import cosimulate
from reprise.estimate.area.netlist import NETLIST
from reprise.export.qat import deploy
from reprise.export.qat.network import QatNetwork
from reprise.export.train import datasets, recipe, train
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files import network_file
from reprise.model.hardware import sizes
from reprise.support.command_line import INPUT_FILE, INPUT_FOLDER, at_least, checked, commands, example, main
from tools import join_curves
from tools.jpeg_images import load_cifar

NAME = "python -m tools.train_tables"
TABLES, NETWORKS, CHECKPOINTS = Path("build/tables"), Path("build/networks"), Path("build/checkpoints")
MEASURED = Path(__file__).resolve().parents[1] / "docs" / "measured" / "training.json"
SHOWN = ("images", "accuracy", "float", "spikes", "bit_density", "product_density", "cycles", "seconds")
CALIBRATION = 32
HARDWARE = HardwareConfig.load("paper")
app = commands(
    "Measure what the tables of docs/training.md show.", example(f"{NAME} lenet5 --data MNIST_FOLDER --write")
)


AT_LEAST_1 = at_least(1)
Folder = Annotated[
    Path, typer.Option("--data", metavar="FOLDER", callback=INPUT_FOLDER, help="folder of the data set's files")
]
Write = Annotated[bool, typer.Option("--write", help="also change the tracked record in docs/measured")]
Images = Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="images to train with")]
Epochs = Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="passes over them")]
Width = Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="channels of the first layer")]
Blocks = Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="residual blocks of a stage")]
Numbers = Annotated[
    str, typer.Option(metavar="X,Y", callback=checked(join_curves.numbers), help="values to measure, if any")
]
Joins = Annotated[
    str,
    typer.Option(
        metavar="A,B", callback=checked(join_curves.known), help="as sparse, sparse-b2, sew, spiking, ms, sparse/2"
    ),
]


def fit(r: recipe.Recipe, data: datasets.Dataset) -> QatNetwork:
    """Return the trained network of a recipe; a run that was interrupted goes on, and one that ended is only loaded."""
    began = time.monotonic()

    def progress(epoch: int, step: int, steps: int, loss: float) -> None:
        if step == steps:
            print(
                f"{r.title}: epoch {epoch + 1}/{r.epochs} loss {loss:.3f} {time.monotonic() - began:.0f} s", flush=True
            )

    return train.train(r, data, checkpoint=CHECKPOINTS / f"{r.title}-{r.key()}.pt", progress=progress)


def command_line(words: Sequence[str]) -> str:
    """Return the command line that makes a record, without the path of anybody's data."""
    shown = [("FOLDER" if before == "--data" else word) for before, word in zip(["", *words], words, strict=False)]
    return " ".join([NAME, *shown])


def one_run(r: recipe.Recipe, data: datasets.Dataset, title: str, write: bool) -> dict:
    """Train, evaluate and deploy a network, record what was measured (with ``write`` in docs, too), and return it."""
    model = fit(r, data)
    images, labels = train.subset(data.test_images, data.test_labels, r.test_images)
    accuracy, spikes = train.evaluate(model, images, labels)
    row = dict(
        title=title, accuracy=accuracy, spikes=sum(spikes.values()), seconds=model.train_seconds, images=len(images)
    )
    row |= dict(layer_spikes=spikes, recipe=r.model_dump())
    if r.quantize:
        row["float"] = train.evaluate(model.quantize(False), images, labels)[0]
        model.quantize(True)
        network = deploy.to_network(model, title)
        widths = deploy.width_proof(network, HARDWARE)
        calibration = data.train_images[:CALIBRATION]
        costs = deploy.encoding_costs(network, calibration, HARDWARE)
        network = deploy.choose_encodings(network, costs, HARDWARE)
        row |= deploy.totals(network, costs, HARDWARE)
        network_file.save(
            network,
            NETWORKS / title,
            recipe=r.model_dump(),
            accuracy=dict(dataset=data.name, images=len(images), integer=accuracy, float=row["float"]),
            statistics=deploy.statistics(network, costs, calibration, spikes),
            widths=widths,
            hardware=sizes(HARDWARE),
            changes=deploy.clipped(network, widths),
            samples=(images[:64], labels[:64]),
        )
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / f"{title}.json").write_text(json.dumps(row, indent=1))
    shown = {"levels": r.levels, "timesteps": r.timesteps, **{key: row[key] for key in SHOWN if key in row}}
    shown["command"] = command_line(sys.argv[1:])
    if write:
        store(title, shown)
    print(title, json.dumps(shown), flush=True)
    return row


def store(title: str, shown: dict) -> None:
    """Change one row of the tracked record."""
    rows = json.loads(MEASURED.read_text()) | {title: shown}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows))
    MEASURED.write_text(f"{{\n{lines}\n}}\n")


@app.command(epilog=example(f"{NAME} lenet5 --data MNIST_FOLDER"))
def lenet5(data: Folder, write: Write = False) -> None:
    """Train LeNet-5 on MNIST with N=4, T=1 and with N=1, T=4, by the same recipe."""
    mnist = datasets.load("mnist", data)
    for name in ("lenet5", "lenet5-binary"):
        one_run(recipe.preset(name), mnist, name, write)


def short(name: str, n_train: int, epochs: int, width: int, blocks: int, **extra: Any) -> recipe.Recipe:
    """Return the recipe of a preset for a run of the given size."""
    over = dict(
        train_images=n_train, test_images=2000, epochs=epochs, width=width, blocks=blocks, lr=0.01, shift=2, batch=64
    )
    return recipe.preset(name, **over, **extra)


@app.command(epilog=example(f"{NAME} joins --data CIFAR_FOLDER --only sparse,sew"))
def joins(
    data: Folder,
    train: Images = 6000,
    epochs: Epochs = 8,
    width: Width = 8,
    blocks: Blocks = 2,
    only: Joins = "sparse,sparse-b2,sew,spiking,ms",
    write: Write = False,
) -> None:
    """Train the four residual joins in a shortened run."""
    cifar = load_cifar(data, train, 2000)
    for join in filter(None, only.split(",")):
        name, barrier = join_curves.parse(join)
        title = "resnet-" + re.sub(r"\W", "-", join)
        one_run(short(name, train, epochs, width, blocks, **barrier), cifar, title, write)


@app.command(epilog=example(f"{NAME} binary --data CIFAR_FOLDER"))
def binary(
    data: Folder,
    train: Images = 6000,
    epochs: Epochs = 8,
    width: Width = 8,
    blocks: Blocks = 2,
    write: Write = False,
) -> None:
    """Train Sparse-ResNet with binary spikes over four timesteps."""
    cifar = load_cifar(data, train, 2000)
    r = short("resnet-sparse", train, epochs, width, blocks, levels=1, timesteps=4)
    one_run(r, cifar, "resnet-sparse-binary", write)


@app.command(epilog=example(f"{NAME} vgg9 --data CIFAR_FOLDER"))
def vgg9(data: Folder, train: Images = 1000, epochs: Epochs = 2, width: Width = 64, write: Write = False) -> None:
    """Train VGG-9 at full size until its spikes are no noise; it is a workload, and its accuracy means nothing."""
    cifar = load_cifar(data, train, 500)
    size = dict(train_images=train, test_images=500, width=width)
    one_run(recipe.preset("vgg9", epochs=epochs, lr=0.005, shift=2, batch=50, **size), cifar, "vgg9", write)


@app.command(epilog=example(f"{NAME} spikformer"))
def spikformer(write: Write = False) -> None:
    """Train the preset digits-spikformer with three seeds."""
    seeds("digits-spikformer", write)


@app.command(epilog=example(f"{NAME} sdt"))
def sdt(write: Write = False) -> None:
    """Train the preset digits-sdt with three seeds."""
    seeds("digits-sdt", write)


def seeds(name: str, write: bool) -> None:
    """Train a preset of the digits with three seeds."""
    for seed in (0, 1, 2):
        one_run(recipe.preset(name, seed=seed), datasets.load("digits"), f"{name}-s{seed}", write)


@app.command(epilog=example(f"{NAME} rtl build/networks/resnet-ms.yaml --config small-t"))
def rtl(
    network: Annotated[Path, typer.Argument(metavar="FILE", callback=INPUT_FILE, help="what another command has made")],
    config: Annotated[str, typer.Option(metavar="PRESET", help="the configuration")] = "small-t",
    write: Write = False,
) -> None:
    """Run one image of a trained network in RTL, and compare every map with the model."""
    found = cosimulate(str(network), config, images=1)
    shown: dict[str, Any] = dict(config=config, netlist=NETLIST, command=command_line(sys.argv[1:]))
    shown |= dict(elements=found.elements, mismatches=found.mismatches, cycles=found.cycles)
    if write:
        store(network.stem, json.loads(MEASURED.read_text())[network.stem] | {"rtl": shown})
    print(network.stem, json.dumps(shown), flush=True)


@app.command(epilog=example(f"{NAME} curves --data CIFAR_FOLDER --sparsities 0,1 --thresholds 1,1.2"))
def curves(
    data: Folder,
    joins: Joins = "sparse,sew",
    sparsities: Numbers = "",
    thresholds: Numbers = "",
    seed: Annotated[int, typer.Option(metavar="N", callback=at_least(0), help="of the training")] = 0,
    train: Images = 6000,
    epochs: Epochs = 8,
    width: Width = 8,
    blocks: Blocks = 2,
    tune: Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="epochs of training on")] = 3,
    test: Annotated[int, typer.Option(metavar="N", callback=AT_LEAST_1, help="images to test with")] = 10000,
    write: Write = False,
) -> None:
    """Train the networks of several joins on with every sparsity weight, or scale their thresholds.

    In sparse-b2 barriers emit 0..2, and in sparse/2 one level for two. Rows that the report has already are kept.
    """
    report = join_curves.REPORT if write else TABLES / "joins.json"
    cifar = load_cifar(data, train, test)
    turns = [("tuned", float(v)) for v in sparsities.split(",") if v]
    turns += [("thresholds", float(v)) for v in thresholds.split(",") if v]
    for knob, value in turns:
        for join in joins.split(","):
            name, barrier = join_curves.parse(join)
            r = base = short(name, train, epochs, width, blocks, seed=seed, **barrier)
            if knob == "tuned":
                r = base.model_copy(update=dict(epochs=tune, lr=base.lr / 2, sparsity=value))
            if join_curves.key(join, r, knob, value) in join_curves.load(report):
                continue
            model = fit(base, cifar)
            if knob == "tuned":
                row = join_curves.measure(join, r, cifar, model.state_dict())
            else:
                model = join_curves.with_thresholds(model, value, cifar.train_images[:2000])
                row = join_curves.count(join, model, cifar) | dict(knob=knob, value=value, recipe=r.model_dump())
            join_curves.store(row, report)
            print(json.dumps({k: v for k, v in row.items() if not isinstance(v, dict)}), flush=True)


@app.command(epilog=example(f"{NAME} plot"))
def plot() -> None:
    """Draw the accuracy of the joins against their spikes, and list their spikes at equal accuracy.

    It shows docs/measured/joins.json and writes build/tables/joins.svg; make docs draws the page's picture.
    """
    rows = list(join_curves.load().values())
    join_curves.plot(rows, TABLES / join_curves.PLOT.name)
    for title, own in join_curves.runs(rows).items():
        listing = Table("join", "seed", "value", "accuracy %", "spikes", "joined", "cut", title=title)
        for row in sorted(own, key=lambda r: (r["join"], r["recipe"]["seed"], r["value"])):
            counts = [f"{row[k]:.0f}" for k in ("spikes", "joined", "cut")]
            seed, value = str(row["recipe"]["seed"]), f"{row['value']:g}"
            listing.add_row(row["join"], seed, value, f"{row['accuracy']:.2f}", *counts)
        Console().print(listing)
        every = sorted({r["recipe"]["seed"] for r in own})
        for seeds in [[seed] for seed in every] + [every] * (len(every) > 1):
            name = "mean of the seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
            for join in ("sparse-b2", "sparse", "sparse/2"):
                table = Table("accuracy %", f"{join}: spikes", "sew: spikes", "fewer %", title=name)
                for row in join_curves.compare([r for r in own if r["recipe"]["seed"] in seeds], join):
                    table.add_row(*(f"{row[k]:{f}}" for k, f in zip(row, (".2f", ".0f", ".0f", ".1f"), strict=True)))
                if table.row_count:
                    Console().print(table)


if __name__ == "__main__":
    torch.set_num_threads(torch.get_num_threads())
    main(app, NAME)
