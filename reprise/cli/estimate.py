"""``reprise``: how much product sparsity a network has."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from .fpga import Config, Set, configuration

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Product sparsity of spiking networks: densities, cycles, estimates."""


def fail(error: Exception) -> typer.Exit:
    """Print the error on stderr, one line per problem, and give the exit of a user's mistake (code 2)."""
    for line in str(error).splitlines():
        typer.echo(f"error: {line}", err=True)
    return typer.Exit(2)


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


CYCLES = {
    "dense": "dense",
    "bit_sparse": "bit-sparse",
    "published": "published",
    "published_tilewise": "tilewise",
    "bound": "bound",
}


def density_tables(report: dict) -> list[Table]:
    """The densities and the cycles of a report, as tables."""
    settings = report["settings"]
    title = (
        f"{report['capture']}: tiles of {settings['tile_m']} x {settings['tile_k']}, K in {settings['k_order']} order"
    )
    densities = Table("layer", "rows x K", "bit density", "product density", "reduction", "exact matches", title=title)
    cycles = Table("layer", *CYCLES.values(), title=f"cycles, {settings['lanes']} lanes")
    for one in report["layers"]:
        counts = one["counts"]
        densities.add_row(
            one["name"],
            f"{counts['rows']} x {counts['depth']}",
            _percent(one["bit_density"]),
            _percent(one["product_density"]),
            _times(one["reduction"]),
            f"{counts['exact_matches']:,}",
        )
        cycles.add_row(one["name"], *(f"{one['cycles'][key]:,}" for key in CYCLES))
    total = report["total"]
    densities.add_section()
    densities.add_row(
        "total", "", _percent(total["bit_density"]), _percent(total["product_density"]), _times(total["reduction"]), ""
    )
    cycles.add_section()
    cycles.add_row("total", *(f"{total['cycles'][key]:,}" for key in CYCLES))
    return [_right(densities), _right(cycles)]


def sweep_table(points: list[dict]) -> Table:
    """Product density and the bound of our processor, tile_m down and tile_k across."""
    tile_ks = sorted({p["tile_k"] for p in points})
    table = Table("tile_m", *(f"{k} bits" for k in tile_ks), title="product density / bound in cycles, by tile size")
    for tile_m in sorted({p["tile_m"] for p in points}):
        row = {p["tile_k"]: p for p in points if p["tile_m"] == tile_m}
        cells = (f"{_percent(row[k]['product_density'])} / {row[k]['cycles']['bound']:,}" for k in tile_ks)
        table.add_row(str(tile_m), *cells)
    return _right(table)


def _right(table: Table) -> Table:
    for column in table.columns[1:]:
        column.justify = "right"
    return table


@app.command()
def density(
    capture: Annotated[
        Path | None, typer.Argument(help=".npz of recorded layer inputs, its YAML beside it; default: the sample")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="the layers' YAML, if it does not lie beside the capture")] = None,
    config: Config = "paper",
    change: Set = None,
    k_order: Annotated[
        Literal["ckk", "kkc"], typer.Option(help="bits of a row: published (ckk) or hardware (kkc) order")
    ] = "ckk",
    sweep: Annotated[bool, typer.Option("--sweep", help="also every tile size")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw them: a .png or .svg")] = None,
) -> None:
    """Densities and cycles of spikes recorded from a network."""
    from ..estimate.density import density_report, density_sweep
    from ..estimate.plots import check_plot_path, draw_density
    from ..model.files.capture import SAMPLE, load_capture

    console = Console()
    try:
        if plot is not None:
            check_plot_path(plot)
        _, hardware, _ = configuration(config, change)
        loaded = load_capture(capture or SAMPLE, spec)
        report = density_report(loaded, hardware, k_order)
        if sweep:
            report["sweep"] = density_sweep(loaded, hardware, k_order)
    except ValueError as error:
        raise fail(error) from None
    for table in density_tables(report):
        console.print(table)
    if sweep:
        console.print(sweep_table(report["sweep"]))
    try:
        if json_out is not None:
            json_out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            console.print(f"figures: {json_out}")
        if plot is not None:
            draw_density(report, plot)
            console.print(f"plot: {plot}")
    except OSError as error:
        raise fail(OSError(f"{error.filename}: cannot be written: {error.strerror}")) from None


@app.command()
def estimate(
    file: Annotated[str, typer.Argument(help="network file (.yaml) or preset of configs/networks")],
    config: Annotated[str, typer.Option(help="hardware preset or YAML file")] = "paper",
    images: Annotated[int, typer.Option(min=1, help="images of the batch")] = 1,
    clock_mhz: Annotated[float, typer.Option(min=0.001, help="clock at which times are stated, MHz")] = 80.0,
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
) -> None:
    """Cycles of a network on the accelerator, layer by layer, without simulating RTL."""
    # These know hardware and network files; the model itself does not.
    from ..estimate.network import estimate as estimate_network
    from ..export.find import choose_images, find_network
    from ..hw.arch.config import HardwareConfig

    console = Console()
    if not console.is_terminal:  # a pipe has no width of its own
        console = Console(width=120)
    try:
        hardware = HardwareConfig.load(config)
        network_file, _ = find_network(file, hardware)
        batch = choose_images(network_file, images, 0)
        with console.status("estimating") as status:
            report = estimate_network(
                network_file.network,
                hardware,
                batch.images,
                progress=lambda layer: status.update(f"estimating {layer}"),
            )
    except (ValueError, OSError) as error:
        raise fail(error) from None
    columns = ("cycles", "bound", "weights", "im2col", "neurons", "published", "bit_sparse", "dense")
    table = Table("layer", *columns, title=f"{report['network']} on {config}, {images} image(s): estimated cycles")
    for column in table.columns[1:]:
        column.justify, column.overflow = "right", "fold"
    for layer in [*report["layers"], {"name": "total", **report["total"]}]:
        table.add_row(layer["name"], *(f"{layer[key]:,}" for key in columns))
    console.print(table)
    rate = images * clock_mhz * 1e6 / report["total"]["cycles"]
    console.print(f"{rate:,.1f} frames per second if clocked at {clock_mhz:g} MHz")
    if json_out is not None:
        json_out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        console.print(f"figures: {json_out}")
