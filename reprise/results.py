"""What the Python API returns: reports that print as a short text and show themselves in a notebook."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from .support.checks import require

if TYPE_CHECKING:
    from .plots import Plot

PARTS = ("weights", "im2col", "neurons")
"""Parts of the accelerator whose time alone a table shows."""


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """What estimates and co-simulations have in common.

    Members
    -------
    network : the name of the network.
    images : the number of images of the batch.
    layers : a dictionary for each layer, whose fields docs/report-json.md describes.
    report : everything, as the commands of ``reprise`` write it.
    """

    network: str
    images: int
    layers: tuple[dict[str, Any], ...]
    report: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole report, as the commands of ``reprise`` write it in JSON."""
        return copy.deepcopy(self.report)

    def plot(self) -> Plot:
        """Return a picture, which a notebook shows and ``save(path)`` writes.

        With the RTL it shows where the cycles of every layer go, and else the cycles beside those of other machines.
        """
        from .plots import plot_of

        return plot_of(self.report)

    def frames_per_second(self, clock_mhz: float | None = None) -> float:
        """Return the images per second at a clock in MHz, or else at the clock of the report."""
        if clock_mhz is None:
            return float(self.report["speed"]["frames_per_second"])
        require(clock_mhz > 0, "clock_mhz", "above 0", clock_mhz)
        return self.images * clock_mhz * 1e6 / int(self.report["speed"]["batch_cycles"])


def _table(head: tuple[str, ...], rows: list[list[str]], lines: list[str]) -> str:
    """Return a table as HTML, with lines of text below it."""
    shown = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    shown += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table>{''.join(shown)}</table>" + "".join(f"<p>{escape(line)}</p>" for line in lines)


@dataclass(frozen=True, kw_only=True, repr=False)
class Estimate(Result):
    """What :func:`reprise.estimate_cycles` returns. When it is printed, it is a table by layer.

    Members
    -------
    network, images, layers, report : as in :class:`Result`.
    cycles : the cycles of the RTL for the whole batch, from the start command to the interrupt.
    """

    cycles: int

    def __repr__(self) -> str:
        return f"Estimate({self.network}: {self.cycles:,} cycles for {_images(self.images)})"

    def _lines(self) -> tuple[tuple[str, ...], list[list[str]]]:
        """Return the head and the rows of the table; the last row is the sum of the others."""
        rows = []
        for row in [*self.layers, self.report["rest"], {"name": "total", **self.report["total"]}]:
            alone = row.get("alone_cycles", {})
            cycles = (row["cycles"]["cycle_model"], row["cycles"].get("bound"), *(alone.get(part) for part in PARTS))
            rows.append([row["name"], *("-" if value is None else f"{value:,}" for value in cycles)])
        return ("layer", "cycles", "bound", *(f"{part} alone" for part in PARTS)), rows

    def __str__(self) -> str:
        head, rows = self._lines()
        width = max(len(row[0]) for row in rows)
        lines = [[head[0], *(column.removesuffix(" alone") for column in head[1:])], *rows]
        return "\n".join(f"{name:{width}}" + "".join(f"{cell:>13}" for cell in cells) for name, *cells in lines)

    def _repr_html_(self) -> str:
        from .estimate.report.speed import area_line, memory_line, speed_lines

        said = [memory_line(self.report), *speed_lines(self.report["speed"], self.images)]
        said += [area_line(self.report["area"])] if "area" in self.report else []
        return _table(*self._lines(), [f"{self!r} on {self.report['configuration_name']}", *said])


@dataclass(frozen=True, kw_only=True, repr=False)
class Cosimulation(Result):
    """What :func:`reprise.cosimulate` returns.

    Members
    -------
    network, images, layers, report : as in :class:`Result`.
    elements, mismatches : how many elements of feature maps were compared with the model, and how many of them differ.
    first_mismatch : where the first mismatch is, in words; it is None if there is none.
    cycles : the cycles of the RTL from the start command to the interrupt; it is None in the interpreter.
    predictions : the class of each image, as the accelerator left it in memory.
    accuracy : how many of the images whose label is known are right, in percent; it is None if no label is known.
    """

    elements: int
    mismatches: int
    first_mismatch: str | None
    cycles: int | None
    predictions: tuple[int, ...]
    accuracy: float | None

    @property
    def equal(self) -> bool:
        """Tell whether every element of every feature map equals the model."""
        return self.mismatches == 0

    def __repr__(self) -> str:
        right = f"{self.elements - self.mismatches:,} of {self.elements:,} elements equal the model"
        cycles = "" if self.cycles is None else f", {self.cycles:,} cycles"
        return f"Cosimulation({self.network}: {right}{cycles}, {_images(self.images)})"

    def _repr_html_(self) -> str:
        from .cosim.report.tables import figure_lines, summary, verdict

        return _table(*figure_lines(self.report), [verdict(self.report).capitalize(), *summary(self.report)])
