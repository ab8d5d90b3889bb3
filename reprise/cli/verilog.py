"""``reprise``: Verilog from a configuration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..hw.arch.config import HardwareConfig
from ..support.presets import PACKAGE
from .options import load

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


console = Console()


Config = Annotated[str, typer.Option(help="preset (tiny, small, paper, paper2) or YAML file")]


def make_top(top: str, config: HardwareConfig):
    """The component that ``--top`` names."""
    if top == "core":
        from ..hw.core import Core

        return Core(config)
    from ..hw.accelerator import Accelerator

    return Accelerator(config)


@app.command()
def verilog(
    config: Config = "paper",
    top: Annotated[str, typer.Option(help="accelerator (everything) or core")] = "accelerator",
    out: Annotated[Path | None, typer.Option(help="folder (default build/verilog/CONFIG)")] = None,
    lint: Annotated[bool, typer.Option(help="check with Verilator afterwards")] = True,
):
    """Write the Verilog and its JSON sidecar."""
    from ..hw.verilog import write

    if top not in ("accelerator", "core"):
        raise typer.BadParameter(f"must be accelerator or core, not {top!r}", param_hint="--top")
    parameters = load(config)
    out = out or Path("build/verilog") / Path(config).stem
    name = "reprise" if top == "accelerator" else "core"
    start = time.perf_counter()
    with console.status(f"generating {name}.v ({config}): 10 to 60 seconds"):
        source, sidecar = write(make_top(top, parameters), name=name, config=parameters, folder=out)
    size = source.stat().st_size / 1e6
    console.print(f"{source} ({size:.2f} MB), {sidecar}: {time.perf_counter() - start:.1f} s", highlight=False)
    if lint:
        from ..cosim.bench.verilator import lint as run_lint

        start = time.perf_counter()
        with console.status("Verilator lint"):
            run_lint([source], name, waivers=PACKAGE / "hw" / "waivers.vlt")
        console.print(f"lint clean apart from hw/waivers.vlt: {time.perf_counter() - start:.1f} s", highlight=False)


@app.command()
def presets():
    """List the presets."""
    from rich.table import Table

    from ..hw.arch.config import PRESET_FOLDER

    names = sorted(p.stem for p in PRESET_FOLDER.glob("*.yaml"))
    configs = [HardwareConfig.load(n) for n in names]
    table = Table("field", *names)
    for field in configs[0].to_dict():
        table.add_row(field, *(str(getattr(c, field)) for c in configs))
    console.print(table)
