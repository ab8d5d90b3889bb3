"""``reprise import``: networks of other tools to network files, by post-training quantization."""

from __future__ import annotations

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
    example("reprise import nir graph.nir --timesteps 4"),
)

Dataset = Annotated[Literal["digits", "mnist", "cifar10"], typer.Option(help="calibration images")]
Steps = Annotated[int, typer.Option(metavar="T", callback=at_least(1), help="timesteps of the imported network")]
Scale = Annotated[
    float, typer.Option(metavar="FACTOR", callback=POSITIVE, help="the network was trained on pixel * FACTOR")
]
Calibration = Annotated[int, typer.Option(metavar="N", callback=at_least(1), help="images that choose encodings")]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How an imported graph becomes integers: for which hardware, from which images."""

    config: HardwareConfig
    dataset: str
    data: Path | None
    timesteps: int
    input_scale: float
    images: int


def finish(graph: Graph, name: str, path: Path, how: Quantization) -> None:
    """Quantize a graph, write its network file and tell what changed."""
    from ..export import ptq
    from ..export.train import datasets
    from ..model.files import network_file

    result = ptq.convert(
        graph,
        datasets.load(how.dataset, how.data),
        how.config,
        name=name,
        timesteps=how.timesteps,
        input_scale=how.input_scale,
        images=how.images,
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
    console.print(f"network file {written}")


@app.command(epilog=example("reprise import nir graph.nir --timesteps 4 --dt 1e-4 -o graph.yaml"))
def nir(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NIR graph (HDF5)", show_default=False)],
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = 1.0,
    dt: Annotated[
        float, typer.Option(metavar="SECONDS", callback=POSITIVE, help="a timestep, for time constants")
    ] = 1e-4,
    reset: Annotated[Literal["hard", "soft"], typer.Option(help="hard as NIR defines it, or soft")] = "hard",
    calibration: Calibration = 64,
) -> None:
    """A graph of the Neuromorphic Intermediate Representation to a network file."""
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
    )
    graph = importer.read(file, timesteps=timesteps, dt=dt, reset=reset)
    finish(graph, file.stem, output or file.with_suffix(".yaml"), how)


@app.command(epilog=example("reprise import spikingjelly mynets:make --weights weights.pt --timesteps 4"))
def spikingjelly(
    factory: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="makes the network; your code is run", show_default=False)
    ],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=INPUT_FILE, help="state dict: .safetensors, or a .pt of tensors only"),
    ] = None,
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = 1.0,
    calibration: Calibration = 64,
) -> None:
    """A network of SpikingJelly neurons to a network file."""
    needs("spikingjelly")
    from ..export.importers import spikingjelly as importer

    how = Quantization(
        config=hardware(config, changes).config,
        dataset=dataset,
        data=data,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
    )
    graph = importer.read(importer.make(factory, weights), timesteps=timesteps)
    name = factory.split(":")[-1]
    finish(graph, name, output or Path("build/networks") / f"{name}.yaml", how)
