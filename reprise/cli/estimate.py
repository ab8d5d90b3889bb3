"""``reprise estimate``: the cycles of a network, without RTL."""

from __future__ import annotations

from typing import Annotated

import typer

from ..support.command_line import commands, example
from .options import Config, Json, Network, Set, check_folder, hardware, terminal, write_json

app = commands()

COLUMNS = ("cycles", "bound", "weights", "im2col", "neurons", "published", "bit_sparse", "dense")


@app.command(epilog=example("reprise estimate digits --config small --images 8"))
def estimate(
    network: Network,
    config: Config = "paper",
    changes: Set = None,
    images: Annotated[int, typer.Option(metavar="N", help="images of the batch")] = 1,
    clock_mhz: Annotated[float, typer.Option(metavar="MHZ", help="clock at which times are stated")] = 80.0,
    json_out: Json = None,
) -> None:
    """Cycles of a network in the RTL, layer by layer, without simulating it."""
    from rich.table import Table

    from ..estimate.network import estimate as estimate_network
    from ..export.find import choose_images, open_network
    from ..support.checks import require

    check_folder(json_out)
    require(clock_mhz > 0, "--clock-mhz", "above 0", clock_mhz)
    chosen = hardware(config, changes)
    file = open_network(network, chosen.config)
    batch = choose_images(file, images, 0)
    console = terminal()
    with console.status("estimating") as status:
        report = estimate_network(
            file.network,
            chosen.config,
            batch.images,
            progress=lambda layer: status.update(f"estimating {layer}"),
        )
    table = Table("layer", *COLUMNS, title=f"{report['network']} on {chosen.name}, {images} image(s): estimated cycles")
    for column in table.columns[1:]:
        column.justify, column.overflow = "right", "fold"
    for one in [*report["layers"], report["rest"], {"name": "total", **report["total"]}]:
        table.add_row(one["name"], *(f"{one[key]:,}" if key in one else "-" for key in COLUMNS))
    console.print(table)
    rate = images * clock_mhz * 1e6 / report["total"]["cycles"]
    console.print(f"{rate:,.1f} frames per second if clocked at {clock_mhz:g} MHz", highlight=False)
    write_json(json_out, report, console)
