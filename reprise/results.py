"""What the Python API returns: figures that print as a short text, and the whole report behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .support.checks import require

PARTS = ("weights", "im2col", "neurons")
"""Parts of the accelerator whose time alone a table shows."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Estimate:
    """What :func:`reprise.estimate_cycles` returns. When it is printed, it is a table by layer.

    Members
    -------
    network : the name of the network.
    images : the number of images of the batch.
    cycles : the cycles of the RTL for the whole batch, from the start command to the interrupt.
    layers : a dictionary for each layer, whose fields docs/report-json.md describes.
    report : everything, as ``reprise estimate --json`` writes it.
    """

    network: str
    images: int
    cycles: int
    layers: tuple[dict[str, Any], ...]
    report: dict[str, Any]

    def frames_per_second(self, clock_mhz: float | None = None) -> float:
        """Return the images per second at a clock in MHz, or else at the clock of the report."""
        if clock_mhz is None:
            return float(self.report["speed"]["frames_per_second"])
        require(clock_mhz > 0, "clock_mhz", "above 0", clock_mhz)
        return self.images * clock_mhz * 1e6 / self.cycles

    def __repr__(self) -> str:
        return f"Estimate({self.network}: {self.cycles:,} cycles for {self.images} image(s))"

    def __str__(self) -> str:
        rows = [*self.layers, {"name": "total", **self.report["total"]}]
        width = max(len(row["name"]) for row in rows)
        lines = [f"{'layer':{width}}" + "".join(f"{column:>13}" for column in ("cycles", "bound", *PARTS))]
        for row in rows:
            shown = (row["cycles"]["cycle_model"], row["cycles"]["bound"], *(row["alone_cycles"][p] for p in PARTS))
            lines.append(f"{row['name']:{width}}" + "".join(f"{cycles:13,}" for cycles in shown))
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, repr=False)
class Cosimulation:
    """What :func:`reprise.cosimulate` returns.

    Members
    -------
    network : the name of the network.
    images : the number of images of the batch.
    elements, mismatches : how many elements of feature maps were compared with the model, and how many of them differ.
    first_mismatch : where the first mismatch is, in words; it is None if there is none.
    cycles : the cycles of the RTL from the start command to the interrupt; it is None in the interpreter.
    predictions : the class of each image, as the accelerator left it in memory.
    accuracy : how many of the images whose label is known are right, in percent; it is None if no label is known.
    report : everything, as ``reprise cosim`` writes it to ``report.json``.
    """

    network: str
    images: int
    elements: int
    mismatches: int
    first_mismatch: str | None
    cycles: int | None
    predictions: tuple[int, ...]
    accuracy: float | None
    report: dict[str, Any]

    @property
    def equal(self) -> bool:
        """Tell whether every element of every feature map equals the model."""
        return self.mismatches == 0

    def __repr__(self) -> str:
        right = f"{self.elements - self.mismatches:,} of {self.elements:,} elements equal the model"
        cycles = "" if self.cycles is None else f", {self.cycles:,} cycles"
        return f"Cosimulation({self.network}: {right}{cycles}, {self.images} image(s))"
