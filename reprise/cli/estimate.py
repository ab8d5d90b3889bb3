"""``reprise estimate`` tells the cycles of a network without RTL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..support.command_line import commands, example
from .options import ClockMhz, Config, Images, Json, Network, Set, hardware, terminal, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..hw.arch.config import HardwareConfig

app = commands()

CYCLES = {
    "cycle_model": "cycle model",
    "bound": "bound",
    "published_model": "published model",
    "bit_sparse": "bit-sparse",
    "dense": "dense",
}
PARTS = {"weights": "weights alone", "im2col": "im2col alone", "neurons": "neurons alone"}
"""How the table calls the fields of ``cycles`` and of ``alone_cycles``."""


@app.command(epilog=example("reprise estimate digits --config small --images 8"))
def estimate(
    network: Network,
    config: Config = "paper",
    changes: Set = None,
    images: Images = 1,
    clock_mhz: ClockMhz = None,
    limits: Annotated[bool, typer.Option("--limits/--no-limits", help="say what limits each layer")] = True,
    helps: Annotated[bool, typer.Option("--helps", help="try which change of the configuration would help")] = False,
    json_out: Json = None,
) -> None:
    """Tell the cycles that a network takes in the RTL, layer by layer, without simulating it."""
    from ..estimate.network import estimate as estimate_network
    from ..estimate.report.fields import Estimate
    from ..estimate.report.speed import area_line, speed_lines, whole_estimate
    from ..estimate.tables import (
        HELPS_NOTE,
        LIMITS_NOTE,
        helps_lines,
        helps_notes,
        layer_helps_lines,
        limits_lines,
        text,
    )
    from ..export.find import choose_images, open_network
    from ..support.progress import doing
    from ..support.terminal import Figures, counted

    chosen = hardware(config, changes)
    file = open_network(network, chosen.config)
    batch = choose_images(file, images, 0)
    console = terminal()
    with doing(console, "estimate") as progress:
        report = estimate_network(
            file.network,
            chosen.config,
            batch.images,
            progress=progress.note,
            limits=limits,
        )
    if helps:
        _try_changes(report, file.network, chosen.config, batch.images, console)
    report = whole_estimate(
        report, file.network, chosen.config, batch.images, name=chosen.name, preset=chosen.preset, clock_mhz=clock_mhz
    )
    batch_name = f"{report['network']}, {counted(images, 'image')}, on {chosen.name}"
    table = Figures("layer", *CYCLES.values(), *PARTS.values(), title=f"{batch_name}: estimated cycles")
    for one in [*report["layers"], report["rest"], {"name": "total", **report["total"]}]:
        cells = [one["cycles"].get(key) for key in CYCLES] + [one.get("alone_cycles", {}).get(key) for key in PARTS]
        table.add_row(one["name"], *("-" if cell is None else f"{cell:,}" for cell in cells))
    console.print(table)
    if limits:
        console.print(text(limits_lines(report["layers"], report["total"]), "what limits each layer"))
        console.print(LIMITS_NOTE, highlight=False)
    if helps:
        console.print(text(helps_lines(report["total"]), "what would help"))
        for note in (HELPS_NOTE, *helps_notes(report["total"])):
            console.print(note, highlight=False, markup=False)
        console.print(text(layer_helps_lines(report["layers"]), "by layer"))
    for line in (*speed_lines(report["speed"], images), area_line(report["area"])):
        console.print(line, highlight=False)
    write_json(json_out, report, console, Estimate)


def _try_changes(report: dict, network: Any, config: HardwareConfig, images: Any, console: Console) -> None:
    """Put ``helps`` into a report, with a bar that says how many changes have been tried."""
    from ..estimate.helps import add_helps
    from ..support.progress import Stages

    with Stages(console) as stages, stages.stage("helps", "changes of the configuration") as stage:
        add_helps(
            report,
            network,
            config,
            images,
            progress=lambda done, of, what: stage.advance(done, f"{what}: {done} of {of}", of),
        )
