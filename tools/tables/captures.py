"""Tables of recorded spikes: densities, cycles of models, and the cycles of the core in RTL by cause.

Those of the sample are computed. Densities of the published LeNet-5 are in ``docs/measured/density_lenet5.json``, which
``reprise density lenet5_mnist.npz --sweep --json FILE`` writes. The core's are in ``docs/measured/core.json``: ``make
replay CAPTURE=FILE JSON=docs/measured/core.json`` plays them through the RTL and writes that file. Published
accelerators are compared on LeNet-5 and VGG-9 in ``docs/measured/baselines_lenet5.json`` and ``baselines_vgg9.json``,
which ``reprise compare CAPTURE --json FILE`` writes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reprise.cosim.report.baselines import fact_lines, layer_lines
from reprise.estimate.area.netlist import is_earlier
from reprise.estimate.baselines import published
from reprise.estimate.baselines.figures import draw_figure7, draw_figure8
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.frontend import FrontEnd

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
    from reprise.estimate.density import density_report, density_sweep, of_capture
    from reprise.hw.arch.config import HardwareConfig
    from reprise.model.files.capture import SAMPLE, load_capture

    capture, config = load_capture(SAMPLE), HardwareConfig.load("paper")
    matrices = of_capture(capture)
    return density_report(capture.name, matrices, config) | {"sweep": density_sweep(matrices, config)}


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


def density(name: str, *columns: str) -> str:
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


def figures(report: dict) -> list[list[str]]:
    """Return the table of one configuration: its head, and lines with what was counted.

    The columns are the layers, the processor alone, and all layers together.
    """
    columns = [*report["layers"], *({"name": key, **report[key]} for key in ("unit", "together"))]
    rows = [["", *(c["name"] for c in columns)], ["tiles", *(f"{c['tiles']:,}" for c in columns)]]
    rows.append(["RTL cycles", *(f"{c['cycles']:,}" for c in columns)])
    rows.append(["bound", *(f"{c['bound']:,}" for c in columns)])
    rows.append(["over the bound", *(f"{c['cycles'] / c['bound'] - 1:+.2%}" for c in columns)])
    rows.append(["published model", *(f"{c['published_model']:,}" for c in columns)])
    for event in columns[0]["events"]:
        if event != "busy":
            rows.append([event, *(f"{c['events'][event]:,}" for c in columns)])
    return rows


def bound(config: str) -> str:
    """Say what the bound of the capture is on a configuration."""
    return f"On the preset `{config}` the bound of this capture is {record('core')[config]['unit']['bound']:,} cycles."


def fill(config: str) -> str:
    """Say how long it takes until the first row is processed."""
    c = HardwareConfig.load(config)
    return (
        f"On the preset `{config}`, the first tile comes in {c.tile_beats} beats, and its first row reaches the"
        f" processor {FrontEnd.latency(c)} cycles after the last of them."
    )


def core(config: str, what: str = "") -> str:
    """Make that table for a page, in which RTL cycles are bold, and events are shown as the names of counters.

    With ``what``, make a sentence instead: that of :func:`bound` or :func:`fill`.
    """
    if what:
        return {"bound": bound, "fill": fill}[what](config)
    report = record("core")[config]
    head, *rows = figures(report)
    shown = []
    for title, *values in rows:
        if title == "RTL cycles":
            title, *values = (f"**{cell}**" for cell in (title, *values))
        elif title in report["unit"]["events"]:
            title = f"`{title}`"
        shown.append([title, *values])
    return markdown(head, shown)


MEASURED = "energy_paper"
"""The record of the digits' energy on ``paper``."""


@functools.cache
def compared(name: str) -> dict[str, Any]:
    """Return published accelerators beside ours: on LeNet-5 or VGG-9 as recorded, and on one image of the digits."""
    if name in ("lenet5", "vgg9"):
        return dict(record(f"baselines_{name}"))
    from reprise.cosim.baselines import compare_network
    from reprise.export.find import choose_images, open_network

    config = HardwareConfig.load("paper")
    file = open_network(name, config)
    measured = record(MEASURED) | {"path": MEASURED}
    return compare_network(file.network, choose_images(file, 1, 0), config, "paper", measured, lambda what: None)


def baselines(name: str, what: str) -> str:
    """Make the table of cycles by ``layers``, or that of what the ``accelerators`` are."""
    lines = {"layers": layer_lines, "accelerators": fact_lines}[what](compared(name))
    earlier = name == "digits" and is_earlier(record(MEASURED))
    return markdown(lines.head, lines.rows) + "\n\nWhat was measured is of an earlier netlist." * earlier


def densities() -> str:
    """Make a table of published densities, and of ours rounded to as many digits."""
    rows = []
    for name in ("lenet5", "vgg9"):
        found = compared(name)
        for key in ("bit_density", "product_density"):
            own, known = found["total"][key], found["benchmark"][key]
            rows.append((found["subject"], key.replace("_", " "), f"{known:g}", f"{own:.6g}", f"{own!r}"))
    return markdown(("capture", "quantity", "published", "ours, rounded", "ours"), rows)


def means() -> str:
    """Make a table of the published speed and energy over Eyeriss."""
    rows = [
        (one["name"], "published", f"{one['speedup']:.2f}x", f"{one['energy_saving']:.2f}x", one["benchmarks"])
        for one in published.means()
    ]
    return markdown(("accelerator", "origin", "speed-up", "energy saved", "networks"), rows)


def table(kind: str, *words: str) -> str:
    """Make a table of one of the functions above."""
    makers: dict[str, Callable[..., str]] = {"density": density, "core": core, "baselines": baselines}
    makers |= {"densities": densities, "means": means}
    return makers[kind](*words)


def _draw(name: str, path: Path) -> None:
    from reprise.estimate.plots import draw_density

    draw_density(report(name), path)


PICTURES: dict[str, Callable[[Path], None]] = {
    f"density_{name}.svg": functools.partial(_draw, name) for name in ("sample", "lenet5")
}
PICTURES |= {"published_figure7.svg": draw_figure7, "published_figure8.svg": draw_figure8}
