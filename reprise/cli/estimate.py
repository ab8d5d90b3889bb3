"""``reprise estimate`` tells the cycles of a network without RTL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..support.checks import require
from ..support.command_line import commands, example
from .compare import Html, show
from .options import ClockMhz, Configs, Images, Json, Mode, Network, Set, configurations, named, terminal, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..hw.arch.config import HardwareConfig
    from ..model.prosparsity.modes import Mode as Sparsity
    from .options import Chosen

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


@app.command(epilog=example("reprise estimate digits --config paper,paper2 --images 8"))
def estimate(
    network: Network,
    config: Configs = "paper",
    changes: Set = None,
    images: Images = 1,
    mode: Mode = "product",
    clock_mhz: ClockMhz = None,
    limits: Annotated[bool, typer.Option("--limits/--no-limits", help="say what limits each layer")] = True,
    helps: Annotated[bool, typer.Option("--helps", help="try which change of the configuration would help")] = False,
    json_out: Json = None,
    html: Html = None,
) -> None:
    """Tell the cycles that a network takes in the RTL, layer by layer, without simulating it.

    Several configurations are compared with the first.
    """
    from ..export.find import choose_images, open_network

    chosen = [named(one, mode) for one in configurations(config, changes)]
    file = open_network(network, chosen[0].config)
    batch = choose_images(file, images, 0)
    console = terminal()
    require(mode == "product" or not helps, "--helps", "left out beside another mode than product", helps)
    if len(chosen) > 1:
        require(not helps, "--helps", "left out beside several configurations", helps)
        require(mode == "product", "--mode", "left out beside several configurations", mode)
        _compare(file.network, chosen, batch.images, limits, clock_mhz, console, json_out, html)
        return
    require(html is None, "--html", "left out beside a single configuration", str(html))
    report = _estimated(file.network, chosen[0], batch.images, limits, helps, clock_mhz, console, mode)
    _show(report, console)
    from ..estimate.report.fields import Estimate

    write_json(json_out, report, console, Estimate)


def _estimated(
    network: Any,
    chosen: Chosen,
    images: Any,
    limits: bool,
    helps: bool,
    clock_mhz: float | None,
    console: Console,
    mode: Sparsity = "product",
) -> dict[str, Any]:
    """Return the report of one configuration."""
    from ..estimate.network import estimate as estimate_network
    from ..estimate.report.speed import whole_estimate
    from ..support.progress import doing

    with doing(console, f"estimate on {chosen.name}") as progress:
        report = estimate_network(network, chosen.config, images, progress=progress.note, limits=limits, mode=mode)
    if helps:
        _try_changes(report, network, chosen.config, images, console)
    about: dict[str, Any] = {"name": chosen.name, "preset": chosen.preset, "clock_mhz": clock_mhz, "mode": mode}
    return whole_estimate(report, network, chosen.config, images, **about)


def _show(report: dict[str, Any], console: Console) -> None:
    """Print the report of one configuration."""
    from ..estimate import tables
    from ..estimate.energy.model import lines as energy_lines
    from ..estimate.report.speed import area_line, memory_line, speed_lines
    from ..support.terminal import Figures, counted

    layers, total = report["layers"], report["total"]
    chip = {"energy": "chip, nJ"} if "energy" in total else {}
    batch_name = f"{report['network']}, {counted(report['images'], 'image')}, on {report['configuration_name']}"
    title = f"{batch_name}: estimated cycles"
    table = Figures("layer", *CYCLES.values(), *PARTS.values(), *chip.values(), title=title)
    for one in [*layers, report["rest"], {"name": "total", **total}]:
        cells = [one["cycles"].get(key) for key in CYCLES] + [one.get("alone_cycles", {}).get(key) for key in PARTS]
        cells += [one[key]["chip_nj"] for key in chip]
        table.add_row(one["name"], *("-" if cell is None else f"{cell:,.0f}" for cell in cells))
    console.print(table)
    if "limits" in total:
        console.print(tables.text(tables.limits_lines(layers, total), "what limits each layer"))
        console.print(tables.LIMITS_NOTE, highlight=False)
    if "helps" in total:
        console.print(tables.text(tables.helps_lines(total), "what would help"))
        for note in (tables.HELPS_NOTE, *tables.helps_notes(total)):
            console.print(note, highlight=False, markup=False)
        console.print(tables.text(tables.layer_helps_lines(layers), "by layer"))
    speed = speed_lines(report["speed"], report["images"])
    for line in (memory_line(report), *speed, area_line(report["area"]), *energy_lines(report)):
        console.print(line, highlight=False)


def _compare(
    network: Any,
    chosen: list[Chosen],
    images: Any,
    limits: bool,
    clock_mhz: float | None,
    console: Console,
    json_out: Path | None,
    html: Path | None,
) -> None:
    """Estimate a network on several configurations and compare them with the first."""
    from ..estimate.comparison import compare
    from ..estimate.helps import Work, fields_alone
    from ..estimate.network import SystemTiming
    from ..support.progress import doing

    reports = [_estimated(network, one, images, limits, False, clock_mhz, console) for one in chosen]
    work = Work(network=network, config=chosen[0].config, images=images, timing=SystemTiming())
    cycles = reports[0]["total"]["cycles"]["cycle_model"]
    with doing(console, "fields that differ, one by one"):
        alone = [fields_alone(work, cycles, one.config) for one in chosen]
    show(compare(reports, [one.name for one in chosen], alone), console, json_out, html)


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
