"""``reprise verilog`` writes the Verilog of a configuration, and ``presets`` lists what there is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..support.command_line import OUTPUT_FOLDER, commands, example
from .options import Config, Set, hardware, terminal

app = commands()


@app.command(epilog=example("reprise verilog --config small --set lanes=32 --out rtl"))
def verilog(
    config: Config = "paper",
    changes: Set = None,
    top: Annotated[
        Literal["accelerator", "core"], typer.Option(help="what to write: everything, or the core alone")
    ] = "accelerator",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", callback=OUTPUT_FOLDER, help="where to write it (default: build/verilog/CONFIG)"
        ),
    ] = None,
    lint: Annotated[bool, typer.Option(help="check the Verilog with Verilator afterwards")] = True,
) -> None:
    """Write the Verilog of an accelerator, and a JSON file that explains every port."""
    from ..api import write_verilog
    from ..hw.emission import CORE, TOP, find
    from ..support.presets import PACKAGE
    from ..support.progress import doing

    chosen, console = hardware(config, changes), terminal()
    out = out or Path("build/verilog") / chosen.name
    start = time.perf_counter()
    known = find(chosen.config, TOP if top == "accelerator" else CORE)
    with doing(console, f"Verilog of {chosen.name}", "" if known else "10 to 60 seconds"):
        source, sidecar = write_verilog(chosen.config, out, top=top)
    size = source.stat().st_size / 1e6
    console.print(f"{source} ({size:.2f} MB), {sidecar}: {time.perf_counter() - start:.1f} s", highlight=False)
    if lint:
        from ..cosim.bench.lint import lint as run_lint

        start = time.perf_counter()
        with doing(console, "Verilator lint"):
            run_lint([source], source.stem, waivers=PACKAGE / "hw" / "waivers.vlt")
        console.print(f"lint clean apart from hw/waivers.vlt: {time.perf_counter() - start:.1f} s", highlight=False)


@app.command(epilog=example("reprise presets"))
def presets() -> None:
    """List the presets: the hardware with every field, the networks, and the boards."""
    from ..hw.arch.config import HardwareConfig
    from ..support.presets import BOARDS, HARDWARE, NETWORKS, preset_names
    from ..support.terminal import Figures

    console = terminal()
    names = preset_names(HARDWARE)
    configs = [HardwareConfig.load(name) for name in names]
    table = Figures("field", *names, title="--config")
    for field in configs[0].to_dict():
        table.add_row(field, *(str(getattr(config, field)) for config in configs))
    console.print(table)
    for what, folder in (("networks", NETWORKS), ("boards", BOARDS)):
        found = ", ".join(preset_names(folder))
        console.print(f"{what}: {found}", highlight=False)
