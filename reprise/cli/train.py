"""``reprise train``, ``check`` and ``show`` make network files with PyTorch, check them, and say what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..support.command_line import INPUT_FILE, OUTPUT_FILE, at_least, commands, example
from .options import Config, Data, Network, Output, assignments, hardware, terminal, writing

if TYPE_CHECKING:
    from ..export.train.recipe import Recipe
    from ..hw.arch.config import HardwareConfig
    from ..model.files.network_file import NetworkFile

app = commands()
SETS = ("digits", "mnist", "cifar10")


def opened(start: Path, network: str | None) -> NetworkFile:
    """Return the network file of ``--from``, which has a network of its own."""
    from ..model.files.network_file import load
    from ..support.errors import RepriseError

    if network is not None:
        raise RepriseError(
            field="--from", rule="given without NETWORK", value=network, remedy="the file has the network: leave it out"
        )
    return load(start)


def chosen(
    network: str,
    config: str,
    changes: list[str] | None,
    file: NetworkFile | None = None,
    **recipe_fields: int | None,
) -> tuple[Recipe, HardwareConfig]:
    """Return the recipe and the hardware that a command line names; ``--set`` changes fields of either.

    With the network file of ``--from``, the recipe is that of training it further, on the data set of its accuracy.
    """
    from ..export.train.recipe import Recipe, make, preset
    from ..hw.arch.config import HardwareConfig
    from ..support.errors import RepriseError

    values, hardware = assignments(changes), HardwareConfig.load(config).to_dict()
    known = [*Recipe.model_fields, *hardware]
    for name in values:
        if name not in known:
            raise RepriseError(f"--set: unknown field {name!r}; known: {', '.join(known)}", where="--set", field=name)
    fields = {n: v for n, v in values.items() if n in Recipe.model_fields}
    fields |= {name: value for name, value in recipe_fields.items() if value is not None}
    if file is not None:
        from ..export.train.tune import tuning_recipe

        tested = (file.accuracy or {}).get("dataset")
        if "dataset" not in fields and tested not in SETS:
            raise RepriseError(
                field="--set dataset",
                rule=f"one of {', '.join(SETS)}",
                value=tested,
                remedy="the file names none of them",
            )
        fields = {"dataset": tested, **fields}
        recipe = tuning_recipe(file.network, **fields).model_dump()
    else:
        recipe = preset(network).model_dump() | fields
    hardware |= {name: value for name, value in values.items() if name in hardware}
    return make("recipe", recipe), HardwareConfig.from_dict(hardware, origin="--set")


@app.command(epilog=example("reprise train lenet5 --data MNIST_FOLDER --set levels=8 -o mine.yaml"))
def train(
    network: Annotated[
        str | None,
        typer.Argument(metavar="NETWORK", help="a preset, or a recipe of your own (YAML); default: digits"),
    ] = None,
    config: Config = "paper",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="change a field of the recipe or the hardware"),
    ] = None,
    data: Data = None,
    output: Output = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", callback=at_least(0), help="seed of initialization, order and augmentation"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="passes over the training set")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu or cuda (default: cuda if there is any)")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=OUTPUT_FILE,
            help="state of training to go on from (default: build/checkpoints)",
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="ignore an existing checkpoint")] = False,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", callback=INPUT_FILE, help="go on from the integers of a network file"),
    ] = None,
) -> None:
    """Train a network and write its network file. An interrupted run goes on when it is started again.

    Encodings are chosen for the hardware, and sums must fit it. docs/training.md has the fields of a recipe.
    """
    from ..export import cache, pipeline
    from ..export.train.train import find_device
    from ..support.cache import root

    find_device(device)  # better now than after the data is read
    file = None if start is None else opened(start, network)
    recipe, hardware = chosen(network or "digits", config, changes, file, epochs=epochs, seed=seed)
    key = recipe.key() if file is None else recipe.key(file.sha256)
    checkpoint = checkpoint or root() / "checkpoints" / f"{recipe.title}-{key}.pt"
    if restart:
        checkpoint.unlink(missing_ok=True)
    before = None
    if file is not None and start is not None:
        output = output or start.with_name(f"{start.stem}-tuned.yaml")
        before, product = pipeline.tune(file, recipe, output, hardware, data=data, checkpoint=checkpoint, device=device)
    elif output is None and recipe.quantize:
        product = cache.keep(recipe, hardware, data=data, checkpoint=checkpoint, device=device)
    else:
        product = pipeline.produce(
            recipe, output or Path(recipe.title), hardware, data=data, checkpoint=checkpoint, device=device
        )
    found = {} if before is None else {"integer accuracy before": f"{before:.2f} %"}
    found |= {"integer accuracy" if recipe.quantize else "accuracy (floating point)": f"{product.accuracy:.2f} %"}
    if recipe.quantize:
        found["without rounding"] = f"{product.float_accuracy:.2f} %"
    found["spikes per inference"] = f"{sum(product.spikes.values()):.1f}"
    found["training time"] = f"{product.seconds:.1f} s"
    found["network file"] = str(product.path) if product.path else "none: floating point runs are not exported"
    for name, value in found.items():
        terminal().print(f"{name}: {value}", highlight=False, markup=False, soft_wrap=True)


@app.command(epilog=example("reprise check digits --samples 100"))
def check(
    network: Network,
    samples: Annotated[int, typer.Option(metavar="N", callback=at_least(1), help="how many images to compare")] = 64,
    seed: Annotated[
        int, typer.Option(metavar="N", callback=at_least(0), help="seed of random images, if the file holds too few")
    ] = 0,
) -> None:
    """Compare PyTorch's integers with the model, spike by spike. Exit code 1 if any differs."""
    import numpy as np

    from ..export.find import open_network
    from ..export.qat import check as checking
    from ..support.terminal import Figures, counted

    loaded = open_network(network, hardware("paper").config)
    images = loaded.images[:samples]
    if len(images) < samples:
        more = checking.random_images(loaded.network, samples - len(images), seed)
        images = np.concatenate([images, more])
    report = checking.compare(loaded.network, images)
    console = terminal()
    title = f"{loaded.network.name}: {counted(report.images, 'image')}, seed {seed}"
    table = Figures("layer", "elements compared", title=title)
    for name, count in report.compared.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    if report.difference is not None:
        console.print(f"[red]first difference[/red] {report.difference}")
        raise typer.Exit(1)
    console.print("PyTorch and the model agree on every partial sum, level and potential")


@app.command(epilog=example("reprise show digits"))
def show(
    network: Network,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", callback=OUTPUT_FILE, help="draw the layers and their shapes, too"),
    ] = None,
) -> None:
    """Show what a network file holds: layers, neurons, spikes, proven widths, and accuracy."""
    from ..export.find import open_network
    from ..support.terminal import Figures, counted, words

    loaded = open_network(network, hardware("paper").config)
    console, n = terminal(), loaded.network
    title = f"{n.name}: input {n.input_shape} of 0..{n.input_levels}, T={n.timesteps}, {n.input_mode}"
    named = (words(name) for name in ("reads", "weights", "neuron", "encoding", "output"))
    table = Figures("layer", *named, "spikes per image", "bit density", "membrane bits", title=title)
    for layer in n.layers:
        s, w = loaded.statistics.get(layer.name, {}), loaded.widths.get(layer.name, {})
        neuron = layer.neuron
        table.add_row(
            layer.name,
            (" x " if layer.product else " + ").join(layer.reads),
            " + ".join("x".join(map(str, source.weight.shape)) for source in layer.convolutions),
            f"{neuron.kind} N={neuron.levels} {neuron.reset}" if neuron.kind != "sum" else f"sum int{neuron.bits}",
            layer.encoding,
            "x".join(map(str, n.feature_shape(layer.name))),
            f"{s['spikes']:.1f}" if "spikes" in s else "-",
            f"{s['bit_density']:.4f}" if "bit_density" in s else "-",
            str(w["membrane"][2]) if "membrane" in w else "-",
        )
    console.print(table)
    if loaded.accuracy:
        a = loaded.accuracy
        console.print(
            f"accuracy {a['integer']:.2f} % on {counted(a['images'], 'image')} of {a['dataset']};"
            f" {counted(len(loaded.images), 'sample')} in the file",
            highlight=False,
        )
    for change in loaded.changes:
        console.print(f"changed: {change}")
    if picture is not None:
        from ..estimate.picture import picture_of

        with writing(picture):
            picture.write_text(picture_of(n), encoding="utf-8")
        console.print(f"picture: {picture}", highlight=False, markup=False)
