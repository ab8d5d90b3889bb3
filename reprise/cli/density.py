"""``reprise density`` tells how much product sparsity spikes have, and ``reprise record`` records them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..support.command_line import INPUT_FILE, OUTPUT_FILE, at_least, commands, example, file_there
from .options import (
    Config,
    Data,
    Dataset,
    Factory,
    Images,
    Json,
    Scale,
    Set,
    Steps,
    Weights,
    hardware,
    left_out,
    needs,
    scale_of,
    terminal,
    write_json,
    writing,
)

if TYPE_CHECKING:
    from rich.table import Table

    from ..estimate.density import Matrix
    from ..hw.arch.config import HardwareConfig

app = commands()

CYCLES = {
    "dense": "dense",
    "bit_sparse": "bit-sparse",
    "published_model": "published model",
    "published_model_tilewise": "tile by tile",
    "bound": "bound",
}


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def density_tables(report: dict[str, Any]) -> list[Table]:
    """Return the densities and the cycles of a report as tables."""
    from ..support.terminal import Figures

    size = report["configuration"]
    title = f"{report['capture']}: tiles of {size['tile_m']} x {size['tile_k']}, K in {report['k_order']} order"
    densities = Figures(
        "layer", "rows x K", "bit density", "product density", "reduction", "exact matches", title=title
    )
    other = "" if report["k_order"] == "ckk" else "; the published model is for the order ckk, this is not it"
    cycles = Figures("layer", *CYCLES.values(), title=f"cycles, {size['lanes']} lanes{other}")
    for one in report["layers"]:
        counts = one["counts"]
        densities.add_row(
            one["name"],
            f"{counts['rows']} x {counts['depth']}",
            *_densities(one),
            f"{counts['exact_matches']:,}",
        )
        cycles.add_row(one["name"], *(f"{one['cycles'][key]:,}" for key in CYCLES))
    total = report["total"]
    densities.add_section()
    densities.add_row("total", "", *_densities(total), "")
    cycles.add_section()
    cycles.add_row("total", *(f"{total['cycles'][key]:,}" for key in CYCLES))
    return [densities, cycles, *_operator_tables(report)]


def _densities(one: dict[str, Any]) -> tuple[str, str, str]:
    from ..support.terminal import percent

    return percent(one["bit_density"]), percent(one["product_density"]), _times(one["reduction"])


def _operator_tables(report: dict[str, Any]) -> list[Table]:
    """Return the densities of a transformer by operator, beside those that were published of whole transformers."""
    from ..support.terminal import Figures

    if "operators" not in report:
        return []
    table = Figures("operator", "bit density", "product density", "reduction", title=f"{report['capture']}: operators")
    for one in report["operators"]:
        table.add_row(one["name"], *_densities(one))
    table.add_section()
    table.add_row("total", *_densities(report["total"]))
    table.add_section()
    for name, one in report["published"].items():
        reduction = one["bit_density"] / one["product_density"]
        table.add_row(f"{name}, published", *_densities({**one, "reduction": reduction}))
    return [table]


def sweep_table(points: list[dict[str, Any]]) -> Table:
    """Return a table of product density and bound, with tile_m down and tile_k across."""
    from ..support.terminal import Figures, percent

    tile_ks = sorted({p["tile_k"] for p in points})
    table = Figures("tile_m", *(f"{k} bits" for k in tile_ks), title="product density / bound in cycles, by tile size")
    for tile_m in sorted({p["tile_m"] for p in points}):
        row = {p["tile_k"]: p for p in points if p["tile_m"] == tile_m}
        cells = (f"{percent(row[k]['product_density'])} / {row[k]['cycles']['bound']:,}" for k in tile_ks)
        table.add_row(str(tile_m), *cells)
    return table


PUBLISHED = ("spikformer_", "sdt_", "spikebert_", "spikingbert_")
"""How the transformers of the published tables begin."""


@app.command(epilog=example("reprise density spikes.npz --sweep --plot figures.svg"))
def density(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="CAPTURE|NETWORK",
            help="recorded layer inputs (.npz, or .pkl of tensors), or a network",
            show_default="a sample",
        ),
    ] = "",
    spec: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=INPUT_FILE, help="the layers' YAML, if it is not beside the capture"),
    ] = None,
    config: Config = "paper",
    changes: Set = None,
    k_order: Annotated[
        Literal["ckk", "kkc"],
        typer.Option(help="order of the bits of a row: the published one (ckk) or the hardware's"),
    ] = "ckk",
    images: Images = 1,
    sweep: Annotated[bool, typer.Option("--sweep", help="try all tile sizes, too")] = False,
    json_out: Json = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=OUTPUT_FILE, help="draw the figures into a .png or .svg")
    ] = None,
) -> None:
    """Compute densities and cycles of spikes that were recorded from a network, or of a network's own."""
    from ..estimate.density import density_report, density_sweep
    from ..estimate.plots import check_plot_path, draw_density
    from ..estimate.report.density_fields import Density
    from ..estimate.report.head import head

    console = terminal()
    if plot is not None:
        check_plot_path(plot)
    chosen = hardware(config, changes).config
    name, matrices = _spikes(what, spec, images, chosen, context)
    report = density_report(name, matrices, chosen, k_order)
    if "operators" in report:
        report["published"] = _published()
    if sweep:
        report["sweep"] = density_sweep(matrices, chosen, k_order)
    for table in density_tables(report):
        console.print(table)
    if sweep:
        console.print(sweep_table(report["sweep"]))
    write_json(json_out, {**head("density"), **report}, console, Density)
    if plot is not None:
        with writing(plot):
            draw_density(report, plot)
        console.print(f"plot: {plot}", highlight=False, markup=False)


def _spikes(
    what: str, spec: Path | None, images: int, config: HardwareConfig, context: typer.Context
) -> tuple[str, list[Matrix]]:
    """Return the name and the rows of a capture or, of some images, those of a network."""
    from ..estimate import density as densities
    from ..model.files.capture import PICKLES, SAMPLE, load_capture

    path = Path(what) if what else SAMPLE
    if path.suffix == ".npz" or path.suffix in PICKLES:
        left_out(context, {"images": "--images"}, "left out beside a capture, which holds one sample")
        file_there("CAPTURE", path)
        loaded = load_capture(path, spec)
        return loaded.name, densities.of_capture(loaded)
    from ..export.find import choose_images, open_network
    from ..model.inference.runner import run

    left_out(context, {"spec": "--spec"}, "left out beside a network")
    file = open_network(what, config)
    result = run(file.network, choose_images(file, images, 0).images, record=("features",))
    return file.network.name, densities.of_network(file.network, result.features)


def _published() -> dict[str, dict[str, float]]:
    """Return the published densities of whole transformers."""
    from ..estimate.baselines import published

    names = published.tables()["density"]["bit_density"]
    return {name: found for name in names if name.startswith(PUBLISHED) and (found := published.density(name))}


@app.command(epilog=example("reprise record mynets:make --timesteps 4 --input-scale 0.0625"))
def record(
    factory: Factory,
    weights: Weights = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", callback=OUTPUT_FILE, help="capture to write"),
    ] = None,
    dataset: Dataset = "digits",
    data: Data = None,
    image: Annotated[int, typer.Option(metavar="N", callback=at_least(0), help="number of the test image")] = 0,
    timesteps: Steps = 1,
    input_scale: Scale = None,
    time: Annotated[
        Literal["auto", "steps", "frames", "folded", "once"],
        typer.Option(metavar="HOW", help="how it takes timesteps: auto, steps, frames, folded or once"),
    ] = "auto",
) -> None:
    """Record the spikes that layers of any PyTorch network read, and write them as a capture."""
    needs("torch")
    from ..export.importers.factory import make
    from ..export.record import capture as recording
    from ..export.train import datasets
    from ..support.checks import require

    loaded = datasets.load(dataset, data)
    scale = scale_of(input_scale, loaded.levels)
    count = len(loaded.test_images)
    require(image < count, "--image", f"below {count}, the number of test images", image)
    found = recording.record(
        make(factory, weights),
        loaded.test_images[image],
        output or Path(f"{factory.split(':')[-1]}.npz"),
        timesteps=timesteps,
        scale=scale,
        time=time,
    )
    console = terminal()
    for name, said in found.layers.items():
        console.print(f"{name}: {said}", highlight=False, markup=False)
    for name, why in found.left_out.items():
        console.print(f"{name}: left out: {why}", highlight=False, markup=False)
    console.print(f"capture: {found.path}, layers: {found.layers_file}", highlight=False, markup=False)
