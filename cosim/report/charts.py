"""The charts of the report, as numbers that the page's template draws with plain HTML.

Names wrap, bars take the width that there is, and everything follows the page's colours, light, dark or printed. A
colour means the same thing in every chart and every report. The palette is that of Okabe and Ito, whose colours people
with any colour vision can tell apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...estimate.plots import BIT, PRODUCT

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
BLOCKS = {
    "im2col": "#56B4E9",
    "detector": "#CC79A7",
    "PE array": "#009E73",
    "partial sums": "#E69F00",
    "neurons": "#D55E00",
    "weights": "#0072B2",
    "loads": "#F0E442",
    "memory": "#882255",
    "rest": "#A6A6A6",
}
"""The colour of every block (:data:`reprise.estimate.limits.NAMES`), and of what no block takes."""
MODELS = {
    "accelerator": "#009E73",
    "cycle model": "#D55E00",
    "bound": "#56B4E9",
    "published model": "#E69F00",
    "bit-sparse": "#CC79A7",
    "dense": "#0072B2",
}
"""The colour of each figure of cycles; the cycle model is drawn only where it differs from the RTL."""
DENSITIES = {"bit density": BIT, "product density": PRODUCT}
DARK = {"#0072B2", "#009E73", "#D55E00", "#882255", PRODUCT}
"""The fills on which text is white."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of a bar, or a mark on an axis.

    Members
    -------
    name : of what it shows
    value : how much of it there is
    percent : of the width of the axis: the length of a piece, or the place of a mark
    colour : of the fill
    """

    name: str
    value: float
    percent: float
    colour: str

    @property
    def light(self) -> bool:
        """Whether text on the piece is white: on stripes, if each of their colours asks for it."""
        return DARK.issuperset(re.findall(r"#\w{6}", self.colour))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a chart: its name, its pieces from left to right, and the total behind them."""

    name: str
    pieces: list[Piece]
    total: float


def causes_rows(layers: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Return a bar for every row, cut into the shares of its causes; a bar with any cycles is as long as the axis.

    Parameters
    ----------
    layers : the cycles of every cause of every layer

    Raises
    ------
    ValueError
        There is no colour for a cause.
    """
    unknown = {cause for causes in layers.values() for cause in causes} - set(CAUSES)
    if unknown:
        raise ValueError(f"causes must be some of {tuple(CAUSES)}, not {sorted(unknown)}")
    rows = []
    for name, causes in layers.items():
        total = sum(causes.values())
        pieces = [
            Piece(name=cause, value=causes[cause], percent=100 * causes[cause] / total, colour=colour)
            for cause, colour in CAUSES.items()
            if causes.get(cause)
        ]
        rows.append(Row(name=name, pieces=pieces, total=total))
    return rows


def limits_rows(layers: Mapping[str, tuple[Mapping[str, int], int]]) -> list[Row]:
    """Return a bar for every row, cut into what its blocks save one after the other, in that order, and the rest.

    Parameters
    ----------
    layers : the cycles that the blocks save, by the names of :data:`BLOCKS`, and the cycles of the layer
    """
    rows = []
    for name, (steps, total) in layers.items():
        values = {**steps, "rest": total - sum(steps.values())}
        pieces = [
            Piece(name=blocks, value=value, percent=100 * value / total, colour=_stripes(blocks.split(" + ")))
            for blocks, value in values.items()
            if value
        ]
        rows.append(Row(name=name, pieces=pieces, total=total))
    return rows


def _stripes(blocks: list[str]) -> str:
    """Return the colour of a block, or stripes of the colours of several that limit a layer together."""
    if len(blocks) == 1:
        return BLOCKS[blocks[0]]
    stops = (f"{BLOCKS[block]} {8 * n}px {8 * n + 8}px" for n, block in enumerate(blocks))
    return f"repeating-linear-gradient(135deg,{','.join(stops)})"


def around(smallest: float, largest: float) -> tuple[int, int]:
    """Return round numbers, 1, 2 or 5 times a power of ten, between which figures of at least 1 lie."""
    numbers = [factor * 10**n for n in range(16) for factor in (1, 2, 5)]
    low = max(number for number in numbers if number <= max(smallest, 1))
    return low, min(number for number in numbers if number >= max(largest, 2 * low))


def cycles_rows(layers: Mapping[str, Mapping[str, int | None]]) -> tuple[list[Row], list[Piece]]:
    """Return a line for every row, with a mark for each figure, and the ticks of their logarithmic axis.

    On that axis, a large layer does not push the others into a corner.

    Parameters
    ----------
    layers : the cycles of every layer by the names of :data:`MODELS`; what is None or 0 has no mark
    """
    values = [value for figures in layers.values() for value in figures.values() if value]
    low, high = around(min(values, default=1), max(values, default=1))

    def place(value: float) -> float:
        return 100 * math.log(value / low) / math.log(high / low)

    rows = []
    for name, figures in layers.items():
        found = [(key, value) for key in MODELS if (value := figures.get(key))]
        marks = [Piece(name=key, value=value, percent=place(value), colour=MODELS[key]) for key, value in found]
        rows.append(Row(name=name, pieces=marks, total=figures.get("accelerator") or 0))
    inside = [10**n for n in range(16) if low < 10**n < high and 16 < place(10**n) < 75]  # labels must not meet
    if len(inside) > 3:
        inside = inside[::2]
    return rows, [Piece(name="", value=value, percent=place(value), colour="") for value in (low, *inside, high)]


def densities_rows(layers: Mapping[str, Mapping[str, float]]) -> tuple[list[Row], list[Piece]]:
    """Return two bars for every row, and the ticks of their axis, which ends at a round number.

    Parameters
    ----------
    layers : both of :data:`DENSITIES` of every layer, in percent of all bits
    """
    largest = max((value for figures in layers.values() for value in figures.values()), default=0)
    end = next((end for end in (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 60, 80) if largest <= end), 100)
    rows = []
    for name, figures in layers.items():
        pieces = [
            Piece(name=key, value=figures[key], percent=100 * figures[key] / end, colour=colour)
            for key, colour in DENSITIES.items()
        ]
        rows.append(Row(name=name, pieces=pieces, total=figures["product density"]))
    ticks = [Piece(name="", value=end * n / 4, percent=25 * n, colour="") for n in range(5)]
    return rows, ticks
