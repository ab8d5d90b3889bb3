"""``reprise import`` makes network files of other tools' networks, by post-training quantization; ``export`` goes back.

The commands differ in what they read. How a graph becomes integers is told by the options of :func:`_how`, which every
command has behind its own.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from ..support.command_line import OUTPUT_FILE, POSITIVE, at_least, commands, example
from .options import (
    Config,
    Data,
    Dataset,
    Factory,
    Network,
    Output,
    Scale,
    Set,
    Steps,
    Weights,
    hardware,
    needs,
    scale_of,
    terminal,
)

if TYPE_CHECKING:
    from ..export.ptq import Imported
    from ..export.trace.graph import Graph
    from ..hw.arch.config import HardwareConfig

app = commands(
    "Networks of other tools to network files, and back (reprise export nir).",
    example("reprise import nir graph.nir --timesteps 4 --per-step --input-scale 0.0625"),
)

out = commands(
    "Network files to files of other tools.",
    example("reprise export nir mine.yaml -o mine.nir"),
)

UNNAMEABLE = re.compile(r"[^A-Za-z0-9_.-]+")
"""What neither a network's name nor its file's can hold."""

Calibration = Annotated[
    int, typer.Option(metavar="N", callback=at_least(1), help="how many images choose the encodings")
]
Accept = Annotated[bool, typer.Option("--accept-differences", hidden=True, help="record where the source differs")]
Silent = Annotated[bool, typer.Option("--allow-silent", hidden=True, help="take layers that never fire")]
"""These two are named by the errors whose remedies they are, and by docs/imports.md."""
LeakStep = Annotated[
    Literal["euler", "exact", "decay"],
    typer.Option("--leak-step", hidden=True, help="how a LIF goes through a timestep; sinabs computes exact"),
]
"""An import that takes Euler's step names it where the exact one would differ."""
Explain = Annotated[bool, typer.Option("--explain", help="say which rounding changes how many spikes of each layer")]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How an imported graph becomes integers: for which hardware, by which images, and where the file goes."""

    config: HardwareConfig
    output: Path | None
    dataset: str
    data: Path | None
    timesteps: int
    input_scale: float | None
    images: int
    accept_differences: bool
    allow_silent: bool
    explain: bool


def _how(
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
    explain: Explain = False,
) -> Quantization:
    return Quantization(
        config=hardware(config, changes).config,
        output=output,
        dataset=dataset,
        data=data,
        timesteps=timesteps,
        input_scale=input_scale,
        images=calibration,
        accept_differences=accept_differences,
        allow_silent=allow_silent,
        explain=explain,
    )


Own = Callable[..., None]
"""What a command does with its own options and with ``how``."""


def importing(name: str, needed: str, epilog: str, **defaults: Any) -> Callable[[Own], Own]:
    """Make a command of a function that takes its own options and ``how``, with the options of :func:`_how`.

    ``needed`` is the package without which it is refused, and ``defaults`` are those of this command alone.
    """

    def command_of(own: Own) -> Own:
        common = dict(inspect.signature(_how).parameters)
        types = {"HardwareConfig": object, "Quantization": object}  # which are imported for the types alone
        hints = {
            key: hint
            for one in (_how, own)
            for key, hint in get_type_hints(one, {**globals(), **types}, include_extras=True).items()
        }
        parts = [one for key, one in inspect.signature(own).parameters.items() if key != "how"]
        parts += [one.replace(default=defaults.get(key, one.default)) for key, one in common.items()]
        keyword = inspect.Parameter.KEYWORD_ONLY
        parts = [one.replace(kind=keyword, annotation=hints[one.name]) for one in parts]

        def command(**given: Any) -> None:
            needs(needed)
            own(how=_how(**{key: given.pop(key) for key in common}), **given)

        command.__doc__ = own.__doc__
        command.__annotations__ = {one.name: one.annotation for one in parts}
        command.__signature__ = inspect.Signature(parts)  # type: ignore[attr-defined]  # a function may have one
        app.command(name, epilog=epilog)(command)
        return own

    return command_of


def finish(graph: Graph, name: str, folder: Path, how: Quantization) -> None:
    """Quantize a graph, write its network file and tell its accuracy and what changed.

    Unless a path was given, the file lies in ``folder`` and has the network's name.

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
    path = how.output or folder / f"{name}.yaml"
    if UNNAMEABLE.search(path.name):
        raise RepriseError(
            field="--output",
            rule="a file name of letters, digits, '.', '_' and '-'",
            value=path.name,
        )
    data = datasets.load(how.dataset, how.data)
    result = ptq.convert(
        graph,
        data,
        how.config,
        name=name,
        timesteps=how.timesteps,
        input_scale=scale_of(how.input_scale, data.levels),
        images=how.images,
        accept_differences=how.accept_differences,
        allow_silent=how.allow_silent,
        explain=how.explain,
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
    tell(result, written)


def tell(result: Imported, written: Path) -> None:
    """Print what changed, the causes if they were asked for, the accuracy, and the file."""
    console = terminal()
    for change in result.changes:
        console.print(f"changed: {change}")
    if result.causes:
        from ..support.terminal import Figures, percent, words

        causes = list(next(iter(result.causes.values())))
        table = Figures("layer", *map(words, causes), title="spikes that differ, by what is rounded")
        for layer, shares in result.causes.items():
            table.add_row(layer, *(percent(shares[cause]) for cause in causes))
        console.print(table)
    if (known := result.accuracy) is not None:
        console.print(
            f"accuracy: {known['integer']:.2f} % of {known['images']} test images of {known['dataset']}, "
            f"{known['float']:.2f} % without rounding"
        )
    console.print(f"network file {written}")


@importing("nir", "nir", example("reprise import nir graph.nir --dt 1e-4 --input-scale 0.0625"), timesteps=4)
def nir(
    how: Quantization,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a NIR graph (HDF5)", show_default=False)],
    dt: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", callback=POSITIVE, help="length of a timestep; time constants are in seconds"),
    ] = None,
    per_step: Annotated[
        bool, typer.Option("--per-step", help="time constants are in timesteps; this or --dt must be given")
    ] = False,
    reset: Annotated[Literal["hard", "soft"], typer.Option(help="reset of the neurons; NIR defines hard")] = "hard",
    levels: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1), help="spikes a neuron may emit in a timestep (sinabs)")
    ] = 1,
    leak_step: LeakStep = "euler",
) -> None:
    """Make a network file of a graph of the Neuromorphic Intermediate Representation."""
    from ..export.importers import nir as importer

    there(file, "a NIR graph (HDF5)")
    graph = importer.read(
        file, timesteps=how.timesteps, dt=dt, per_step=per_step, reset=reset, levels=levels, leak_step=leak_step
    )
    finish(graph, file.stem, file.parent, how)


@importing("qonnx", "onnx", example("reprise import qonnx network.onnx --input-scale 0.0625"))
def qonnx(
    how: Quantization,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a QONNX file (.onnx)", show_default=False)],
) -> None:
    """Make a network file of a quantized network in a QONNX file, as Brevitas exports it."""
    from ..export.importers.qonnx.read import read

    there(file, "a QONNX file (.onnx)")
    finish(read(file, timesteps=how.timesteps), file.stem, file.parent, how)


def there(file: Path, rule: str) -> None:
    """Refuse a file that is not there."""
    from ..support.errors import RepriseError

    if not file.is_file():
        raise RepriseError(field="FILE", rule=rule, value=str(file), remedy="there is no such file")


MINE = "mynets:make --weights weights.pt --input-scale 0.0625"


@importing("spikingjelly", "spikingjelly", example(f"reprise import spikingjelly {MINE}"), timesteps=4)
@importing("torch", "torch", example(f"reprise import torch {MINE}"))
def torch_module(how: Quantization, factory: Factory, weights: Weights = None) -> None:
    """Make a network file of a PyTorch module, with neurons of Reprise, snnTorch, Brevitas, SpikingJelly or Norse."""
    from ..export import ptq
    from ..export.importers.factory import make

    graph = ptq.graph_of(make(factory, weights), timesteps=how.timesteps)
    finish(graph, factory.split(":")[-1], Path("build/networks"), how)


@out.command("nir", epilog=example("reprise export nir mine.yaml -o mine.nir"))
def nir_out(
    network: Network,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", callback=OUTPUT_FILE, help="the graph (default: NETWORK.nir)"),
    ] = None,
) -> None:
    """Write NETWORK as a graph of the Neuromorphic Intermediate Representation, which is read again as it is."""
    needs("nir")
    from ..export.find import open_network
    from ..export.importers import nir_out as writer

    file = open_network(network, hardware("paper", None).config)
    path = output or Path(f"{file.network.name}.nir")
    reset = writer.write(file.network, path)
    for difference in writer.differences(file.network):
        terminal().print(f"differs: {difference}")
    again = f"--timesteps {file.network.timesteps} --per-step --reset {reset} --input-scale 1"
    terminal().print(f"NIR graph {path}\nread it again: reprise import nir {path} {again}", soft_wrap=True)
