"""``reprise energy`` measures what a network takes on the accelerator as a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...support.command_line import OUTPUT_FOLDER, at_least, commands, example
from ..options import Config, Images, Mode, Set, hardware, named, terminal, write_json, writing
from .asic import Cells, Wire

app = commands()


@app.command(epilog=example("reprise energy digits --config tiny"))
def energy(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="network file (.yaml) or preset", show_default="digits")
    ] = "digits",
    config: Config = "paper",
    changes: Set = None,
    images: Images = 1,
    mode: Mode = "product",
    seed: Annotated[
        int, typer.Option(metavar="N", callback=at_least(0), help="seed of images (0: the first ones)")
    ] = 0,
    wire: Wire = None,
    cells: Cells = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="folder of the reports")] = Path(
        "build/energy"
    ),
) -> None:
    """Measure a network's energy by image, layer and block: the switching of the RTL in the netlist of reprise asic."""
    from ...cosim.options import Options
    from ...estimate.tables import text
    from ...export.find import choose_images, open_network
    from ...flow.asic.library import FILE, library
    from ...flow.asic.timing import WIRE_FF
    from ...flow.energy import page
    from ...flow.energy.fields import Energy
    from ...flow.energy.measure import measured
    from ...support.progress import Stages

    chosen, console = named(hardware(config, changes), mode), terminal()
    of = library(cells or FILE)
    file = open_network(network, chosen.config)
    batch = choose_images(file, images, seed)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    options = Options(
        config=chosen.config,
        config_name=chosen.name,
        preset=chosen.preset,
        images=images,
        mode=mode,
        seed=seed,
        waves=True,
        limits=False,
        out=out,
    )
    with Stages(console) as stages:
        report, *_ = measured(file, batch, options, stages, wire_ff=wire or WIRE_FF, chosen=of)
    title = f"{report['network']} on {chosen.name}: energy by"
    console.print(text(page.layer_lines(report), f"{title} layer"))
    console.print(text(page.block_lines(report), f"{title} block"))
    for line in (*page.verdicts(report), *(f"- {limit}" for limit in report["limits"])):
        console.print(line, highlight=False, markup=False)
    with writing(out / "report.html"):
        (out / "report.html").write_text(page.page(report), encoding="utf-8")
    console.print(f"page: {out / 'report.html'}", highlight=False, markup=False)
    write_json(out / "report.json", report, console, Energy)
