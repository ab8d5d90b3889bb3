"""``reprise verilog`` and ``presets``: Verilog from a configuration, and the configurations there are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Config, Set, commands, example, hardware, terminal

if TYPE_CHECKING:
    from amaranth.lib import wiring

    from ..hw.arch.config import HardwareConfig

app = commands()


def make_top(top: str, config: HardwareConfig) -> tuple[str, wiring.Component]:
    """Module name and component that ``--top`` names."""
    if top == "core":
        from ..hw.core import Core

        return "core", Core(config)
    from ..hw.accelerator import Accelerator

    return "reprise", Accelerator(config)


@app.command(epilog=example("reprise verilog --config small --set lanes=32 --out rtl"))
def verilog(
    config: Config = "paper",
    changes: Set = None,
    top: Annotated[Literal["accelerator", "core"], typer.Option(help="everything, or the core")] = "accelerator",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where to write (default: build/verilog/CONFIG)")
    ] = None,
    lint: Annotated[bool, typer.Option(help="check it with Verilator afterwards")] = True,
) -> None:
    """Write the Verilog of an accelerator, and a JSON file that explains every port."""
    from ..hw.verilog import write
    from ..support.presets import PACKAGE

    chosen, console = hardware(config, changes), terminal()
    out = out or Path("build/verilog") / chosen.name
    out.mkdir(parents=True, exist_ok=True)  # better now than after a minute
    name, component = make_top(top, chosen.config)
    start = time.perf_counter()
    with console.status(f"generating {name}.v ({chosen.name}): 10 to 60 seconds"):
        source, sidecar = write(component, name=name, config=chosen.config, folder=out)
    size = source.stat().st_size / 1e6
    console.print(f"{source} ({size:.2f} MB), {sidecar}: {time.perf_counter() - start:.1f} s", highlight=False)
    if lint:
        from ..cosim.bench.verilator import lint as run_lint

        start = time.perf_counter()
        with console.status("Verilator lint"):
            run_lint([source], name, waivers=PACKAGE / "hw" / "waivers.vlt")
        console.print(f"lint clean apart from hw/waivers.vlt: {time.perf_counter() - start:.1f} s", highlight=False)


@app.command(epilog=example("reprise presets"))
def presets() -> None:
    """List the presets: every field of the hardware, the networks, the boards."""
    from rich.table import Table

    from ..hw.arch.config import HardwareConfig
    from ..support.presets import BOARDS, HARDWARE, NETWORKS

    console = terminal()
    names = sorted(path.stem for path in HARDWARE.glob("*.yaml"))
    configs = [HardwareConfig.load(name) for name in names]
    table = Table("field", *names, title="--config")
    for field in configs[0].to_dict():
        table.add_row(field, *(str(getattr(config, field)) for config in configs))
    console.print(table)
    for what, folder in (("networks", NETWORKS), ("boards", BOARDS)):
        found = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        console.print(f"{what}: {found}", highlight=False)
