"""Draws density reports as PNG or SVG, by the suffix of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..support.errors import RepriseError
from ..support.figures import SUFFIXES, new_figure, style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BIT, PRODUCT = "#9aa5b1", "#1f6f8b"
"""Colours of bit density and product density, in the report's charts too."""


def check_plot_path(path: Path) -> None:
    """Raise ValueError unless the suffix is one that can be drawn."""
    if path.suffix.lower() not in SUFFIXES:
        raise RepriseError(f"plot must end in one of {SUFFIXES}, not {path.name!r}")


def draw_density(report: dict, path: str | Path) -> None:
    """Draw the densities of every layer as bars and, if there is a sweep, the total over tile sizes as lines.

    Parameters
    ----------
    report : dict
        Of ``density.density_report``; "sweep", if it is there, holds what ``density.density_sweep`` gives.
    path : of a .png or .svg
    """
    path = Path(path)
    check_plot_path(path)
    sweep = report.get("sweep")
    with style():
        figure = new_figure(10 if sweep else 6, 4)
        axes = figure.subplots(1, 2 if sweep else 1, squeeze=False)
        _layer_bars(axes[0, 0], report)
        if sweep:
            _sweep_lines(axes[0, 1], sweep)
        write_figure(figure, path)


def _layer_bars(axis: Axes, report: dict) -> None:
    names = [one["name"] for one in report["layers"]] + ["total"]
    figures = [*report["layers"], report["total"]]
    places = range(len(names))
    for offset, key, colour, label in (
        (-0.2, "bit_density", BIT, "bits"),
        (0.2, "product_density", PRODUCT, "products"),
    ):
        bars = axis.bar([p + offset for p in places], [100 * f[key] for f in figures], 0.4, color=colour, label=label)
        axis.bar_label(bars, fmt="%.1f", fontsize=7)
    axis.set_xticks(list(places), names, rotation=20 if len(names) < 8 else 90)
    axis.set_ylabel("density (% of all bits)")
    size = report["configuration"]
    axis.set_title(f"{report['capture']}, tiles of {size['tile_m']} x {size['tile_k']}", fontsize=10)
    axis.margins(y=0.18)  # room for the legend above the bars
    axis.legend(loc="upper right", ncols=2, fontsize=8)


def _sweep_lines(axis: Axes, sweep: list[dict]) -> None:
    for tile_k in sorted({point["tile_k"] for point in sweep}):
        points = sorted((p["tile_m"], 100 * p["product_density"]) for p in sweep if p["tile_k"] == tile_k)
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=f"{tile_k} bits")
    axis.set_xscale("log", base=2)
    ticks = sorted({point["tile_m"] for point in sweep})
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.set_xlabel("rows per tile (tile_m)")
    axis.set_ylabel("product density (% of all bits)")
    axis.set_ylim(bottom=0)
    axis.set_title("total over tile sizes", fontsize=10)
    axis.legend(title="tile_k", fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
