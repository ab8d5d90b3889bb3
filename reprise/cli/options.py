"""What several commands share: their options, the hardware configuration that they name, the terminal, their files.

Nothing here, and nothing that a command's module imports at its top, loads NumPy, PyTorch, Amaranth or numba: ``reprise
--help`` answers at once. Commands import what they need when they run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..support.command_line import INPUT_FILE, INPUT_FOLDER, OUTPUT_FILE, POSITIVE, at_least

if TYPE_CHECKING:
    from rich.console import Console

    from ..estimate.report.fields import Fields
    from ..hw.arch.config import HardwareConfig

Config = Annotated[str, typer.Option("--config", metavar="NAME|FILE", help="hardware: a preset or a YAML file")]
Configs = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="NAME|FILE[,...]",
        help="hardware: presets or YAML files; NAME:FIELD=VALUE changes a field of one of several",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="change a field of the hardware; may be repeated"),
]
Network = Annotated[str, typer.Argument(metavar="NETWORK", help="network file (.yaml) or preset", show_default=False)]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", callback=OUTPUT_FILE, help="write the figures as JSON, too"),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", callback=OUTPUT_FILE, help="network file to write")
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="FOLDER", callback=INPUT_FOLDER, help="folder of the data set's files")
]
Images = Annotated[int, typer.Option(metavar="N", callback=at_least(1), help="images of the batch")]
Sparsity = Literal["product", "bit", "dense"]
Mode = Annotated[Sparsity, typer.Option(metavar="NAME", help="product or, with --set modes=1, bit or dense")]
ClockMhz = Annotated[
    float | None,
    typer.Option(
        metavar="MHZ", callback=POSITIVE, help="clock at which times are stated", show_default="a routed one, or 80"
    ),
]
Dataset = Annotated[
    Literal["digits", "mnist", "cifar10"],
    typer.Option(metavar="NAME", help="images of the network: digits, mnist or cifar10"),
]
Steps = Annotated[int, typer.Option(metavar="T", callback=at_least(1), help="timesteps of the network")]
Scale = Annotated[
    float | None,
    typer.Option(metavar="FACTOR", callback=POSITIVE, help="the network was trained on pixel * FACTOR; must be given"),
]
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


def scale_of(given: float | None, levels: int) -> float:
    """Return the factor of the pixels; where it was left out, the error says what it is."""
    from ..support.errors import RepriseError

    if given is None:
        raise RepriseError(
            f"--input-scale must be given: the factor that pixels 0..{levels} were multiplied by in training. "
            f"It is {1 / levels:.10g} for pixels in 0..1, and 1 for the levels themselves"
        )
    return given


def left_out(context: typer.Context, options: dict[str, str], rule: str) -> None:
    """Refuse options that would be ignored."""
    from ..support.errors import RepriseError

    for name, option in options.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise RepriseError(field=option, rule=rule, value=context.params[name])


def assignments(texts: list[str] | None) -> dict[str, Any]:
    """Return the fields of ``--set FIELD=VALUE`` options; a value is read as JSON (20, 0.5, true) if it can be."""
    from ..support.errors import RepriseError

    found: dict[str, Any] = {}
    for text in texts or []:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise RepriseError(field="--set", rule="FIELD=VALUE", value=text)
        if field in found:
            raise RepriseError(field=f"--set {field}", rule="given once", value=text, remedy="it was given before")
        try:
            found[field] = json.loads(value)
        except ValueError:
            found[field] = value
    return found


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The configuration that ``--config`` and ``--set`` name.

    Members
    -------
    name : the name of the preset or file, with the changes behind it, such as ``paper-psum_bits20``.
    config : the configuration.
    changes : the values of ``--set`` by field.
    preset : the values that the preset or file has for the fields of ``changes``.
    """

    name: str
    config: HardwareConfig
    changes: dict[str, int]
    preset: dict[str, int]


def hardware(config: str, changes: list[str] | None = None) -> Chosen:
    """Load what ``--config`` names and change it as ``--set`` says.

    Raises
    ------
    ConfigError
        When there is no such preset, file or field, or a value breaks a rule; the message names it.
    """
    from ..hw.arch.config import ConfigError, HardwareConfig

    try:
        loaded, found = HardwareConfig.load(config), assignments(changes)
    except ConfigError as error:
        from ..export.cache import is_network_file

        if is_network_file(config):
            (problem, *_) = error.problems
            raise ConfigError(f"{problem}; this is a network file, and --config takes hardware") from None
        raise
    preset = {field: value for field, value in loaded.to_dict().items() if field in found}
    if found:
        loaded = HardwareConfig.from_dict({**loaded.to_dict(), **found}, origin="--set")
    name = "-".join([Path(config).stem, *(f"{field}{value}" for field, value in found.items())])
    return Chosen(name=name, config=loaded, changes=found, preset=preset)


def named(chosen: Chosen, mode: str) -> Chosen:
    """Return the configuration with the mode of its RUNs in its name, unless that is what they always do."""
    return chosen if mode == "product" else replace(chosen, name=f"{chosen.name}-{mode}")


def terminal() -> Console:
    """Return the console of tables and progress; a pipe, which has no width, gets lines of 120 characters."""
    from ..support import terminal as shown

    return shown.terminal()


def configurations(texts: str, changes: list[str] | None = None) -> list[Chosen]:
    """Load the configurations of ``A,B:FIELD=VALUE:FIELD=VALUE,...``; ``changes`` are made in all of them.

    Raises
    ------
    ConfigError
        As :func:`hardware` says, or when two of them are the same.
    """
    from ..hw.arch.config import ConfigError

    found = []
    for text in texts.split(","):
        config, *own = text.split(":")
        found.append(hardware(config, [*own, *(changes or [])]))
    twice = next((one.name for n, one in enumerate(found) if one.config in [other.config for other in found[:n]]), None)
    if twice is not None:
        raise ConfigError(field="--config", rule="different configurations", value=texts, remedy=f"{twice} comes twice")
    return found


def needs(package: str) -> None:
    """Refuse a command whose optional package is missing before it imports others, with the extra that brings all."""
    try:
        there = find_spec(package) is not None
    except ValueError:  # somebody has blocked it
        there = False
    if not there:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that tells which file could not be written, and the remedy."""
    from ..support.command_line import FULL
    from ..support.errors import RepriseError

    try:
        yield
    except OSError as error:
        remedy = "free some space, or name a file on another disk" if error.errno in FULL else ""
        said = f"{path}: cannot be written: {error.strerror}{f': {remedy}' if remedy else ''}"
        raise RepriseError(said, field=str(path), remedy=remedy) from None


def write_json(path: Path | None, report: dict[str, Any], console: Console, kind: type[Fields]) -> None:
    """Write the figures where ``--json`` says, if it was given; their fields must be those of ``kind``."""
    if path is None:
        return
    from ..estimate.report.fields import checked

    checked(report, kind)
    with writing(path):
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"figures: {path}", highlight=False, markup=False)
