"""``reprise import`` makes network files of other tools' networks, by post-training quantization."""

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

Dataset = Annotated[
    Literal["digits", "mnist", "cifar10"], typer.Option(help="data set whose images choose the encodings")
]
Steps = Annotated[int, typer.Option(metavar="T", callback=at_least(1), help="timesteps of the imported network")]
Scale = Annotated[
    float, typer.Option(metavar="FACTOR", callback=POSITIVE, help="the network was trained on pixel * FACTOR")
]
Calibration = Annotated[
    int, typer.Option(metavar="N", callback=at_least(1), help="how many images choose the encodings")
]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How an imported graph becomes integers: for which hardware, and by which images."""

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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a NIR graph (HDF5)", show_default=False)],
    output: Output = None,
    config: Config = "paper",
    changes: Set = None,
    dataset: Dataset = "digits",
    data: Data = None,
    timesteps: Steps = 4,
    input_scale: Scale = 1.0,
    dt: Annotated[
        float,
        typer.Option(metavar="SECONDS", callback=POSITIVE, help="length of a timestep; time constants are in seconds"),
    ] = 1e-4,
    reset: Annotated[
        Literal["hard", "soft"], typer.Option(help="reset of the neurons: hard as NIR defines it, or soft")
    ] = "hard",
    calibration: Calibration = 64,
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
    )
    graph = importer.read(file, timesteps=timesteps, dt=dt, reset=reset)
    finish(graph, file.stem, output or file.with_suffix(".yaml"), how)


@app.command(epilog=example("reprise import spikingjelly mynets:make --weights weights.pt --timesteps 4"))
def spikingjelly(
    factory: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION", help="function that makes the network; your code is run", show_default=False
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=INPUT_FILE, help="the weights: .safetensors, or a .pt of tensors only"),
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
    """Make a network file of a network of SpikingJelly neurons."""
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
