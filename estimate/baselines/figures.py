"""Draws the published figures 7 and 8 of Prosperity from their tables, each marked *published*."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...support.figures import new_figure, style, write_figure
from . import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "Eyeriss": "#A6A6A6",
    "PTB": "#0072B2",
    "SATO": "#56B4E9",
    "MINT": "#009E73",
    "Stellar": "#CC79A7",
    "A100": "#E69F00",
    "Prosperity": "#D55E00",
}
"""The accelerators of figure 8, in its order. Eyeriss with other layers on it, ``Eyeriss_linear``, is left out."""

SWEEPS = {"tile_rows": "rows of a tile, of 16 bits", "tile_bits": "bits of a row in a tile, of 256 rows"}
QUANTITIES = {"relative_cycles": "cycles / bit sparsity", "product_density": "product density"}


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logarithms = [math.log(value) for value in values]
    return math.exp(math.fsum(logarithms) / len(logarithms))


def _bars(axis: Axes, table: dict[str, published.Values], title: str) -> None:
    names = list(table["Eyeriss"])
    places = [*range(len(names)), len(names) + 0.5]
    width = 0.8 / len(COLOURS)
    for number, (accelerator, colour) in enumerate(COLOURS.items()):
        ratios = {
            name: base / value
            for name, base in table["Eyeriss"].items()
            if base is not None and (value := table[accelerator].get(name)) is not None
        }
        at = [place for place, name in zip(places, names, strict=False) if name in ratios] + [places[-1]]
        left = [place + (number - len(COLOURS) / 2 + 0.5) * width for place in at]
        axis.bar(left, [*ratios.values(), mean(ratios.values())], width, color=colour, label=accelerator)
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    powers = [10.0**n for n in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    axis.set_yticks(powers, [f"{power:g}" for power in powers])
    axis.set_xticks(places, [*names, "geometric mean"], rotation=35, ha="right", fontsize=8)
    axis.set_ylabel("Eyeriss = 1")
    axis.set_title(title, fontsize=10)


def draw_figure8(path: Path) -> None:
    """Draw speed-up and saved energy over Eyeriss by network and accelerator."""
    with style():
        figure = new_figure(12, 7)
        speed, energy = figure.subplots(2, 1)
        _bars(speed, published.tables()["seconds"], "published: speed-up over Eyeriss (HPCA 2025, figure 8)")
        _bars(energy, published.tables()["energy_mj"], "published: energy of Eyeriss / energy (HPCA 2025, figure 8)")
        speed.legend(ncols=len(COLOURS), fontsize=8, loc="upper left")
        speed.margins(y=0.25)
        write_figure(figure, path)


def draw_figure7(path: Path) -> None:
    """Draw cycles and product density over the size of a tile: every network, and their geometric mean."""
    with style():
        figure = new_figure(10, 6)
        for axes, (quantity, label) in zip(figure.subplots(2, 2), QUANTITIES.items(), strict=True):
            for axis, (sweep, name) in zip(axes, SWEEPS.items(), strict=True):
                rows = published.tables()[sweep][quantity]
                part = 0 if sweep == "tile_rows" else 1
                sizes = [int(tile.split("x")[part]) for tile in rows]
                for network in next(iter(rows.values())):
                    axis.plot(sizes, [row[network] for row in rows.values()], color="#A6A6A6", linewidth=0.8)
                middle = [mean(row.values()) for row in rows.values()]
                axis.plot(sizes, middle, color="#D55E00", marker="o", markersize=3, label="geometric mean")
                axis.set_xscale("log", base=2)
                axis.set_xticks(sizes, [str(size) for size in sizes])
                axis.set_xlabel(name)
                axis.set_ylabel(label)
                axis.set_ylim(bottom=0)
                axis.set_title("published (HPCA 2025, figure 7)", fontsize=10)
        axis.legend(fontsize=8)
        write_figure(figure, path)
