"""Pictures of reports, for notebooks and files: where cycles go, and cycles beside those of other machines.

The page of a co-simulation has the same charts, in the same colours (:mod:`reprise.cosim.report.charts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cosim.report.charts import CAUSES, DARK, MODELS
from .support.errors import RepriseError
from .support.figures import INK, SUFFIXES, inline_svg, new_figure, style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.6  # inches
MARKERS = {
    "accelerator": "o",
    "cycle model": "x",
    "bound": "|",
    "published model": "D",
    "bit-sparse": "^",
    "dense": "s",
}
"""The marker of each figure of cycles."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Plot:
    """A picture. A notebook shows it, and :meth:`save` writes it.

    Members
    -------
    name : what it shows, in words.
    figure : the figure of Matplotlib.
    """

    name: str
    figure: Figure

    def save(self, path: str | Path) -> Path:
        """Write the picture as .svg or .png, by the suffix of ``path``, and return the path.

        Raises
        ------
        RepriseError
            When the suffix is another one.
        """
        path = Path(path)
        if path.suffix.lower() not in SUFFIXES:
            raise RepriseError(field="path", rule=f"a file that ends in one of {', '.join(SUFFIXES)}", value=str(path))
        with style():
            write_figure(self.figure, path)
        return path

    def _repr_svg_(self) -> str:
        with style():
            return inline_svg(self.figure)

    def __repr__(self) -> str:
        return f"Plot({self.name}; save(path) writes it)"


def causes_plot(rows: Mapping[str, Mapping[str, int]]) -> Plot:
    """Draw a bar for every row, cut into the shares of its causes, with the row's cycles behind it.

    Parameters
    ----------
    rows : the cycles of every cause of every layer
    """
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
        axes.set(xlim=(0, 100), xlabel="percent of the row's cycles; behind the bars: cycles")
        _from_top(axes, names)
    return Plot(name="where the cycles of every layer go", figure=figure)


def cycles_plot(rows: Mapping[str, Mapping[str, int]]) -> Plot:
    """Draw a line for every row, with a marker for each figure, on a logarithmic axis.

    On that axis, a large layer does not push the others into a corner.

    Parameters
    ----------
    rows : the cycles of every layer, at least 1, by the names of :data:`MARKERS`
    """
    with style():
        figure = new_figure(WIDTH, 1.1 + 0.3 * len(rows))
        axes = figure.add_subplot()
        for name, marker in MARKERS.items():
            points = [(row[name], place) for place, row in enumerate(rows.values()) if row.get(name)]
            if points:
                hollow: dict[str, Any] = {} if marker in "x|" else {"markerfacecolor": "none"}
                cycles, places = zip(*points, strict=True)
                axes.plot(
                    cycles, places, marker, color=MODELS[name], label=name, markersize=7, markeredgewidth=1.6,
                    clip_on=False, **hollow,
                )  # fmt: skip
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set(xscale="log", xlabel="cycles (logarithmic)")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(axis="x", which="major", color=INK, alpha=0.18)
        axes.grid(axis="y", color=INK, alpha=0.1)
        _from_top(axes, list(rows))
    return Plot(name="cycles of every layer beside those of other machines", figure=figure)


def _from_top(axes: Axes, names: Iterable[str]) -> None:
    """Order the rows from the top down, without tick marks, and put the legend above them."""
    axes.set_ylim(len(list(names)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.figure.legend(loc="outside upper left", ncols=8, frameon=False, handlelength=1.2, columnspacing=1.4)


def plot_of(report: Mapping[str, Any]) -> Plot:
    """Draw where the cycles go if the report knows it, which needs the RTL, and else the cycles of every layer."""
    rows = {one["name"]: one for one in report["layers"]} | {"total": report["total"]}
    causes = {name: one["cause_cycles"] for name, one in rows.items() if "cause_cycles" in one}
    if causes:
        return causes_plot(causes)
    keys = {"accelerator": "cycle_model", "bound": "bound", "published model": "published_model"}
    keys |= {"bit-sparse": "bit_sparse", "dense": "dense"}
    return cycles_plot({name: {told: one["cycles"][key] for told, key in keys.items()} for name, one in rows.items()})
