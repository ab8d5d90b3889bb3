"""Tables of densities and cycles of recorded spikes.

Those of the sample are computed. Those of the published LeNet-5 are in ``docs/measured/density_lenet5.json``, which
``reprise density lenet5_mnist.npz --sweep --json FILE`` writes.
"""

from __future__ import annotations

import functools
from pathlib import Path

from . import markdown, record

COLUMNS = {
    "dense": "dense",
    "bit_sparse": "bit-sparse",
    "published_model": "published model",
    "published_model_tilewise": "tile by tile",
    "bound": "bound",
}


@functools.cache
def report(name: str) -> dict:
    """Return the figures of a capture, with its sweep over tile sizes."""
    if name != "sample":
        return record(f"density_{name}")
    from reprise.estimate.density import density_report, density_sweep
    from reprise.hw.arch.config import HardwareConfig
    from reprise.model.files.capture import SAMPLE, load_capture

    capture, config = load_capture(SAMPLE), HardwareConfig.load("paper")
    return density_report(capture, config) | {"sweep": density_sweep(capture, config)}


def best(*names: str) -> str:
    """Say which ``tile_k`` is best for captures, in tiles of the paper's 256 rows."""
    said = []
    for name in names:
        rows = [row for row in report(name)["sweep"] if row["tile_m"] == 256]
        density = min(rows, key=lambda row: row["product_density"])
        cycles = min(rows, key=lambda row: row["cycles"]["bound"])
        said.append(
            f"`{name}` has the lowest product density at {density['tile_k']} bits and the lowest bound at"
            f" {cycles['tile_k']} bits ({cycles['cycles']['bound']:,} cycles)"
        )
    return f"In tiles of 256 rows, {', and '.join(said)}."


def table(name: str, *columns: str) -> str:
    """Make a table with a line for each layer and for the total, or with "best" the sentence of :func:`best`.

    ``columns`` names the cycles that are shown; without any, all are.
    """
    if name == "best":
        return best(*columns)
    found, shown = report(name), columns or tuple(COLUMNS)
    head = ("layer", "bit density", "product density", "reduction", *(COLUMNS[c] for c in shown))
    rows = [
        (
            one["name"],
            f"{one['bit_density']:.2%}",
            f"{one['product_density']:.2%}",
            f"{one['reduction']:.2f}x",
            *(f"{one['cycles'][c]:,}" for c in shown),
        )
        for one in (*found["layers"], found["total"] | {"name": "total"})
    ]
    return markdown(head, rows)


def _draw(name: str, path: Path) -> None:
    from reprise.estimate.plots import draw_density

    draw_density(report(name), path)


PICTURES = {f"density_{name}.svg": functools.partial(_draw, name) for name in ("sample", "lenet5")}
