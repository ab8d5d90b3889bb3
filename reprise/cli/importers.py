"""``reprise import`` makes network files of other tools' networks, by post-training quantization."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..support.command_line import INPUT_FILE, POSITIVE, at_least, commands, example
from .options import Config, Data, Output, Set, hardware, needs, terminal

if TYPE_CHECKING:
    from ..export.trace.graph import Graph
    from ..hw.arch.config import HardwareConfig

app = commands(
    "Networks of other tools to network files, by post-training quantization.",
    example("reprise import nir graph.nir --timesteps 4 --per-step --input-scale 0.0625"),
)

UNNAMEABLE = re.compile(r"[^A-Za-z0-9_.-]+")
"""What neither a network's name nor its file's can hold."""

Dataset = Annotated[
    Literal["digits", "mnist", "cifar10"],
    typer.Option(metavar="NAME", help="images that decide encodings: digits, mnist or cifar10"),
]
Steps = Annotated[int, typer.Option(metavar="T", callback=at_least(1), help="timesteps of the imported network")]
Scale = Annotated[
    float | None,
    typer.Option(metavar="FACTOR", callback=POSITIVE, help="the network was trained on pixel * FACTOR; must be given"),
]
Calibration = Annotated[
    int, typer.Option(metavar="N", callback=at_least(1), help="how many images choose the encodings")
]
Accept = Annotated[
    bool, typer.Option("--accept-differences", help="record where it fires unlike the source, not refuse it")
]
Silent = Annotated[bool, typer.Option("--allow-silent", help="take layers that never fire")]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How an imported graph becomes integers: for which hardware, and by which images."""

    config: HardwareConfig
    dataset: str
    data: Path | None
    timesteps: int
    input_scale: float | None
    images: int
    accept_differences: bool
    allow_silent: bool


def finish(graph: Graph, name: str, path: Path | None, folder: Path, how: Quantization) -> None:
    """Quantize a graph, write its network file and tell its accuracy and what changed.

    Without a ``path``, the file lies in ``folder`` and has the network's name.

    Raises
    ------
    RepriseError
        The factor of the pixels was not given, the file's name is none that a network file can have, or quantizing
        refuses the graph.
    """
    from ..export import ptq
    from ..export.train import datasets
    from ..model.files import network_file
    from ..support.errors import RepriseError

    name = UNNAMEABLE.sub("_", name)
    path = path or folder / f"{name}.yaml"
    if UNNAMEABLE.search(path.name):
        raise RepriseError(
            field="--output",
            rule="a file name of letters, digits, '.', '_' and '-'",
            value=path.name,
        )
    data = datasets.load(how.dataset, how.data)
    if how.input_scale is None:
        raise RepriseError(
            f"--input-scale must be given: the factor that pixels 0..{data.levels} were multiplied by in training. "
            f"It is {1 / data.levels:.10g} for pixels in 0..1, and 1 for the levels themselves"
        )
    result = ptq.convert(
        graph,
        data,
        how.config,
        name=name,
        timesteps=how.timesteps,
        input_scale=how.input_scale,
        images=how.images,
        accept_differences=how.accept_differences,
        allow_silent=how.allow_silent,
    )
    written = network_file.save(
        result.network,
        path,
        statistics=result.statistics,
        widths=result.widths,
        hardware=result.hardware,
        changes=result.changes,
        accuracy=result.accuracy,
        samples=result.samples,
    )
    console = terminal()
    for change in result.changes:
        console.print(f"changed: {change}")
    if (known := result.accuracy) is not None:
        console.print(
            f"accuracy: {known['integer']:.2f} % of {known['images']} test images of {known['dataset']}, "
            f"{known['float']:.2f} % without rounding"
        )
    console.print(f"network file {written}")


@app.command(epilog=example("reprise import nir graph.nir --dt 1e-4 --input-scale 0.0625"))
def nir(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a NIR graph (HDF5)", show_default=False)],
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = None,
    dt: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", callback=POSITIVE, help="length of a timestep; time constants are in seconds"),
    ] = None,
    per_step: Annotated[
        bool, typer.Option("--per-step", help="time constants are in timesteps; this or --dt must be given")
    ] = False,
    reset: Annotated[Literal["hard", "soft"], typer.Option(help="reset of the neurons; NIR defines hard")] = "hard",
    calibration: Calibration = 64,
    accept_differences: Accept = False,
    allow_silent: Silent = False,
) -> None:
    """Make a network file of a graph of the Neuromorphic Intermediate Representation."""
    needs("nir")
    from ..export.importers import nir as importer
    from ..support.errors import RepriseError

    if not file.is_file():
        raise RepriseError(field="FILE", rule="a NIR graph (HDF5)", value=str(file), remedy="there is no such file")
    how = Quantization(
        config=hardware(config, changes).config,
        dataset=dataset,
        data=data,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
        accept_differences=accept_differences,
        allow_silent=allow_silent,
    )
    graph = importer.read(file, timesteps=timesteps, dt=dt, per_step=per_step, reset=reset)
    finish(graph, file.stem, output, file.parent, how)


Factory = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:FUNCTION", help="function that makes the network; your code is run", show_default=False
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", callback=INPUT_FILE, help="the weights: .safetensors, or a .pt of tensors only"),
]


def finish_module(factory: str, weights: Path | None, output: Path | None, how: Quantization) -> None:
    """Make the network of a user's function, read it by the neurons that it has, and finish its graph."""
    from ..export import ptq
    from ..export.importers.factory import make

    graph = ptq.graph_of(make(factory, weights), timesteps=how.timesteps)
    name = factory.split(":")[-1]
    finish(graph, name, output, Path("build/networks"), how)


@app.command(epilog=example("reprise import spikingjelly mynets:make --weights weights.pt --input-scale 0.0625"))
def spikingjelly(
    factory: Factory,
    weights: Weights = None,
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = None,
    calibration: Calibration = 64,
    accept_differences: Accept = False,
    allow_silent: Silent = False,
) -> None:
    """Make a network file of a network of SpikingJelly neurons."""
    needs("spikingjelly")
    how = Quantization(
        config=hardware(config, changes).config,
        dataset=dataset,
        data=data,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
        accept_differences=accept_differences,
        allow_silent=allow_silent,
    )
    finish_module(factory, weights, output, how)


@app.command("torch", epilog=example("reprise import torch mynets:make --weights weights.pt --input-scale 0.0625"))
def torch_module(
    factory: Factory,
    weights: Weights = None,
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 1,
    input_scale: Scale = None,
    calibration: Calibration = 64,
    accept_differences: Accept = False,
    allow_silent: Silent = False,
) -> None:
    """Make a network file of a PyTorch module, with neurons of Reprise, snnTorch, Brevitas, SpikingJelly or Norse."""
    needs("torch")
    how = Quantization(
        config=hardware(config, changes).config,
        dataset=dataset,
        data=data,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
        accept_differences=accept_differences,
        allow_silent=allow_silent,
    )
    finish_module(factory, weights, output, how)
