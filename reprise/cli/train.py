"""``reprise``: train, check, show, import."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..export import cache
from ..export.train import recipe
from ..model.files import network_file
from .options import load as load_config

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Networks for the accelerator, from PyTorch.",
)
out, err = Console(), Console(stderr=True)

Config = Annotated[
    str, typer.Option("--config", help="hardware preset or YAML file: encodings are chosen for it, sums must fit it")
]
File = Annotated[Path, typer.Argument(help="network file (manifest NAME.yaml)")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="network file to write")]
Data = Annotated[Path | None, typer.Option(help="folder of the data set's files")]


def option(text, **kwargs):
    return typer.Option(help=text, **kwargs)


@app.command()
def train(
    network: Annotated[str, option("preset of configs/networks or a YAML recipe")] = "digits",
    config: Config = "paper",
    data: Data = None,
    levels: Annotated[int | None, option("N, spikes of 0..N per timestep")] = None,
    timesteps: Annotated[int | None, option("T")] = None,
    epochs: Annotated[int | None, option("passes over the training set")] = None,
    batch: Annotated[int | None, option("images per step")] = None,
    lr: Annotated[float | None, option("peak learning rate")] = None,
    seed: Annotated[int | None, option("of initialization, order and augmentation")] = None,
    neuron: Annotated[str | None, option("if or lif")] = None,
    leak: Annotated[int | None, option("of lif, 0..256")] = None,
    reset: Annotated[str | None, option("soft, hard or none")] = None,
    surrogate: Annotated[str | None, option("rectangular or sigmoid")] = None,
    width: Annotated[int | None, option("base channels of vgg9 and resnets")] = None,
    blocks: Annotated[int | None, option("blocks per stage of resnets")] = None,
    train_images: Annotated[int | None, option("use only so many")] = None,
    quantize: Annotated[bool | None, option("integer arithmetic (default) or floating point")] = None,
    output: Output = None,
    checkpoint: Annotated[Path | None, option("resume from and write to (default build/checkpoints)")] = None,
    device: Annotated[str | None, option("cpu or cuda (default: cuda if present)")] = None,
    threads: Annotated[int | None, option("CPU threads")] = None,
    restart: Annotated[bool, option("ignore an existing checkpoint")] = False,
):
    """Train a network and write its network file; an interrupted run continues when started again."""
    import torch

    from ..export import pipeline

    if threads:
        torch.set_num_threads(threads)
    r = recipe.preset(
        network,
        levels=levels,
        timesteps=timesteps,
        epochs=epochs,
        batch=batch,
        lr=lr,
        seed=seed,
        neuron=neuron,
        leak=leak,
        reset=reset,
        surrogate=surrogate,
        width=width,
        blocks=blocks,
        train_images=train_images,
        quantize=quantize,
    )
    hardware = load_config(config)
    path = output or cache.file_of(r, hardware)
    checkpoint = checkpoint or Path("build/checkpoints") / f"{r.title}-{r.key()}.pt"
    if restart:
        checkpoint.unlink(missing_ok=True)
    product = pipeline.produce(r, path, hardware, data=data, checkpoint=checkpoint, device=device)
    table = Table("", "", show_header=False)
    table.add_row("integer accuracy" if r.quantize else "accuracy (floating point)", f"{product.accuracy:.2f} %")
    if r.quantize:
        table.add_row("without rounding", f"{product.float_accuracy:.2f} %")
    table.add_row("spikes per inference", f"{sum(product.spikes.values()):.1f}")
    table.add_row("training time", f"{product.seconds:.1f} s")
    table.add_row("network file", str(product.path) if product.path else "none: floating point runs are not exported")
    out.print(table)


@app.command()
def check(
    file: File,
    samples: Annotated[int, option("images to compare")] = 64,
    seed: Annotated[int, option("of the random images when the file holds fewer")] = 0,
):
    """Compare PyTorch's integer forward pass and the model on every spike of every layer."""
    import numpy as np

    from ..export.qat import check as checking

    loaded = network_file.load(file)
    images = loaded.images[:samples]
    if len(images) < samples:
        more = checking.random_images(loaded.network, samples - len(images), seed)
        images = np.concatenate([images, more])
    report = checking.compare(loaded.network, images)
    table = Table("layer", "elements compared", title=f"{loaded.network.name}: {report.images} images, seed {seed}")
    for name, count in report.compared.items():
        table.add_row(name, f"{count:,}")
    out.print(table)
    if report.difference is not None:
        out.print(f"[red]first difference[/red] {report.difference}")
        raise typer.Exit(1)
    out.print("PyTorch and the model agree on every partial sum, level and potential")


@app.command()
def show(file: File):
    """What a network file holds."""
    loaded = network_file.load(file)
    n = loaded.network
    title = f"{n.name}: input {n.input_shape} of 0..{n.input_levels}, T={n.timesteps}, {n.input_mode}"
    table = Table(
        "layer", "reads", "weights", "neuron", "encoding", "output", "spikes", "bits", "membrane bits", title=title
    )
    for layer in n.layers:
        s, w = loaded.statistics.get(layer.name, {}), loaded.widths.get(layer.name, {})
        neuron = layer.neuron
        table.add_row(
            layer.name,
            " + ".join(src.feature for src in layer.sources),
            " + ".join("x".join(map(str, src.weight.shape)) for src in layer.sources),
            f"{neuron.kind} N={neuron.levels} {neuron.reset}",
            layer.encoding,
            "x".join(map(str, n.feature_shape(layer.name))),
            f"{s['spikes']:.1f}" if "spikes" in s else "-",
            f"{s['bit_density']:.4f}" if "bit_density" in s else "-",
            str(w["membrane"][2]) if "membrane" in w else "-",
        )
    out.print(table)
    if loaded.accuracy:
        a = loaded.accuracy
        out.print(
            f"accuracy {a['integer']:.2f} % on {a['images']} images of {a['dataset']}; {len(loaded.images)} samples"
        )
    for change in loaded.changes:
        out.print(f"changed: {change}")


def finish_import(result, output):
    path = network_file.save(
        result.network,
        output,
        statistics=result.statistics,
        widths=result.widths,
        hardware=result.hardware,
        changes=result.changes,
        accuracy=result.accuracy,
        samples=result.samples,
    )
    for change in result.changes:
        out.print(f"changed: {change}")
    out.print(f"network file {path}")


Dataset = Annotated[str, option("calibration data: digits, mnist, cifar10")]
Steps = Annotated[int, option("T of the imported network")]
Scale = Annotated[float, option("the network was trained on pixel * this factor")]


@app.command("import-nir")
def import_nir(
    file: Annotated[Path, typer.Argument(help="NIR graph (HDF5)")],
    output: Output = None,
    dataset: Dataset = "digits",
    config: Config = "paper",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = 1.0,
    dt: Annotated[float, option("seconds per timestep, for time constants")] = 1e-4,
    reset: Annotated[str, option("hard as NIR defines it, or soft")] = "hard",
    calibration: Annotated[int, option("images")] = 64,
):
    """A NIR graph to a network file, by post-training quantization."""
    from ..export import ptq
    from ..export.importers import nir
    from ..export.train import datasets

    graph = nir.read(file, timesteps=timesteps, dt=dt, reset=reset)
    result = ptq.convert(
        graph,
        datasets.load(dataset, data),
        load_config(config),
        name=file.stem,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
    )
    finish_import(result, output or file.with_suffix(".yaml"))


@app.command("import-spikingjelly")
def import_spikingjelly(
    factory: Annotated[str, typer.Argument(help="MODULE:FUNCTION that returns the network (your code is run)")],
    weights: Annotated[Path | None, option("state dict: .safetensors, or .pt of tensors")] = None,
    output: Output = None,
    dataset: Dataset = "digits",
    config: Config = "paper",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = 1.0,
    calibration: Annotated[int, option("images")] = 64,
):
    """A SpikingJelly network to a network file, by post-training quantization."""
    from ..export import ptq
    from ..export.importers import spikingjelly
    from ..export.train import datasets

    module = spikingjelly.make(factory, weights)
    result = ptq.convert(
        spikingjelly.read(module, timesteps=timesteps),
        datasets.load(dataset, data),
        load_config(config),
        name=factory.split(":")[-1],
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
    )
    finish_import(result, output or Path("build/networks") / f"{factory.split(':')[-1]}.yaml")


def main():
    try:
        code = app(standalone_mode=False)  # typer.Exit comes back as its code
        if code:
            sys.exit(code)
    except KeyboardInterrupt:
        err.print("interrupted: start the same command again to continue from the last epoch")
        sys.exit(130)
    except (ValueError, FileNotFoundError, ImportError) as e:
        err.print("error:", str(e), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except Exception as e:  # click's own usage errors know how to show themselves
        if hasattr(e, "show"):
            e.show()
            sys.exit(getattr(e, "exit_code", 2))
        raise
