"""Draws the charts of the report as inline SVG, and its pictures as PNG.

Every function returns a piece of HTML that needs nothing else. A colour means the same thing in every chart. The
palette is that of Okabe and Ito, whose colours people with any colour vision can tell apart.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...estimate.plots import BIT, PRODUCT
from ...support.figures import INK, inline_svg, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 8.6  # inches
CAUSES = {
    "adding": "#009E73",
    "row": "#56B4E9",
    "lead": "#CC79A7",
    "drain": "#E69F00",
    "weights": "#0072B2",
    "hazard": "#D55E00",
    "reuse": "#F0E442",
    "outside": "#A6A6A6",
}
"""The colour of every cause (:data:`reprise.cosim.report.tables.CAUSES`), in the order in which a bar shows them."""
MODELS = {
    "RTL": ("o", "#009E73"),
    "cycle model": ("x", INK),
    "bound": ("|", INK),
    "published model": ("D", "#E69F00"),
    "bit-sparse": ("^", "#CC79A7"),
    "dense": ("s", "#0072B2"),
}
"""The marker and the colour of each figure of cycles."""
DENSITIES = {"bits": BIT, "products": PRODUCT}
DARK = {"#0072B2", "#009E73", "#D55E00", PRODUCT}
"""The fills on which text is white."""


def causes_chart(rows: Mapping[str, Mapping[str, int]]) -> str:
    """Draw a bar for every row, cut into the shares of its causes, with the row's cycles behind it.

    Parameters
    ----------
    rows : the cycles of every cause of every layer

    Raises
    ------
    ValueError
        There is no colour for a cause.
    """
    unknown = {cause for row in rows.values() for cause in row} - set(CAUSES)
    if unknown:
        raise ValueError(f"causes must be some of {tuple(CAUSES)}, not {sorted(unknown)}")
    with style():
        figure = new_figure(WIDTH, 1.0 + 0.3 * len(rows))
        axes = figure.add_subplot()
        names = list(rows)
        totals = np.array([sum(row.values()) or 1 for row in rows.values()])
        left = np.zeros(len(rows))
        for cause, colour in CAUSES.items():
            share = 100 * np.array([row.get(cause, 0) for row in rows.values()]) / totals
            if not share.any():
                continue
            bars = axes.barh(names, share, left=left, height=0.72, color=colour, label=cause, clip_on=False)
            text = "white" if colour in DARK else "black"
            axes.bar_label(bars, [f"{s:.0f}" if s >= 4 else "" for s in share], label_type="center", color=text)
            left += share
        for place, total in enumerate(totals):
            axes.annotate(f"{total:,}", (100, place), (4, 0), textcoords="offset points", va="center")
        axes.set(xlim=(0, 100), xlabel="percent of the layer's cycles; behind the bars: cycles")
        _from_top(axes, names)
        return inline_svg(figure)


def cycles_chart(rows: Mapping[str, Mapping[str, int]]) -> str:
    """Draw a line for every row, with a marker for each figure, on a logarithmic axis.

    On that axis, a large layer does not push the others into a corner.

    Parameters
    ----------
    rows : the cycles of every layer, at least 1, by the names of :data:`MODELS`
    """
    with style():
        figure = new_figure(WIDTH, 1.1 + 0.3 * len(rows))
        axes = figure.add_subplot()
        for name, (marker, colour) in MODELS.items():
            points = [(row[name], place) for place, row in enumerate(rows.values()) if row.get(name)]
            if points:
                hollow: dict[str, Any] = {} if marker in "x|" else {"markerfacecolor": "none"}
                cycles, places = zip(*points, strict=True)
                axes.plot(
                    cycles, places, marker, color=colour, label=name, markersize=7, markeredgewidth=1.6,
                    clip_on=False, **hollow,
                )  # fmt: skip
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set(xscale="log", xlabel="cycles (logarithmic)")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(axis="x", which="major", color=INK, alpha=0.18)
        axes.grid(axis="y", color=INK, alpha=0.1)
        _from_top(axes, list(rows))
        return inline_svg(figure)


def densities_chart(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Draw a thin bar for both densities of every row, with the figure behind it.

    Parameters
    ----------
    rows : "bits" and "products" of every layer, in percent of all bits
    """
    with style():
        figure = new_figure(WIDTH, 1.1 + 0.42 * len(rows))
        axes = figure.add_subplot()
        for offset, (name, colour) in zip((-0.2, 0.2), DENSITIES.items(), strict=True):
            values = [row[name] for row in rows.values()]
            places = np.arange(len(rows)) + offset
            bars = axes.barh(places, values, height=0.36, color=colour, label=name, clip_on=False)
            axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=3)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set(xlabel="percent of all bits of the rows")
        axes.margins(x=0.08)
        _from_top(axes, list(rows))
        return inline_svg(figure)


def _from_top(axes: Axes, names: Iterable[str]) -> None:
    """Order the rows from the top down, without tick marks, and put the legend above them."""
    axes.set_ylim(len(list(names)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.figure.legend(loc="outside upper left", ncols=8, frameon=False, handlelength=1.2, columnspacing=1.4)


def png(pixels: np.ndarray) -> str:
    """Return a data URI of gray pixels uint8[H, W] or RGB pixels uint8[H, W, 3]."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def picture(image: np.ndarray, levels: int, signed: bool = False) -> str:
    """Return a data URI of an input (C, H, W), or (T, C, H, W), whose frames are averaged.

    Three channels are red, green and blue. Of any other number the first channel is shown, dark where levels are high.
    """
    image = np.asarray(image, float)
    if image.ndim == 4:
        image = image.mean(axis=0)
    if signed:
        image = image + 128
    scaled = np.clip(image * (255 / levels), 0, 255).astype(np.uint8)
    if len(scaled) == 3:
        return png(scaled.transpose(1, 2, 0))
    return png(255 - scaled[0])
