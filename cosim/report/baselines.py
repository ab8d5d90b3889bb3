"""Writes the page of published accelerators beside ours; ``baselines.html.j2`` is its template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...estimate.tables import Lines
from .html import templates

COLOURS = {"model": "#56B4E9", "published": "#E69F00", "measured": "#009E73"}
ORIGINS = {
    "model": "computed here, for this work, by the published formulas or by our exact cycle model",
    "published": "a figure of the published tables, for the published networks",
    "measured": "counted in the generated RTL, and energy from its switching",
}
ROOM = 70
"""Percent of the width that the longest bar takes; its figure stands behind it."""

NOT_MODELLED = ("Stellar", "A100")
"""Accelerators of which only published figures exist; their speed-up is that on the published networks."""

NOTES = (
    "The models are those of the published simulator of Prosperity (HPCA 2025, arXiv 2503.03379); they know no fill of "
    "pipelines, and but for PTB no memory. Ours contains every cycle from the start command to the interrupt.",
    "Cycles are compared at equal clocks. The published clock is 500 MHz in 28 nm; ours depends on the FPGA or chip.",
    "Accelerators of binary spikes run the planes of a level one after the other, as they do timesteps. Eyeriss "
    "multiplies, so that it takes all planes of a level at once.",
    "Stellar and the A100 are published and not modelled: their speed-up is that on the published networks.",
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar with its figure, and where that comes from."""

    name: str
    percent: float
    figure: str
    origin: str
    colour: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars below a heading."""

    title: str
    text: str
    bars: list[Bar]


def chart(title: str, text: str, values: Sequence[tuple[str, float, str, str]]) -> Chart:
    """Make a chart of (name, value, origin, what), whose values are ratios."""
    most = max(value for _, value, _, _ in values)
    bars = [
        Bar(
            name=name,
            percent=ROOM * value / most,
            figure=f"{value:.3g}x",
            origin=origin,
            colour=COLOURS[origin],
            title=what,
        )
        for name, value, origin, what in values
    ]
    return Chart(title=title, text=text, bars=bars)


def layer_lines(report: dict[str, Any]) -> Lines:
    """Return the cycles by layer and accelerator."""
    names = [row["name"] for row in report["accelerators"]]
    rows = []
    for layer in report["layers"]:
        cells = []
        for name in names:
            if name in layer["matrix_cycles"]:
                cells.append(f"{layer['matrix_cycles'][name]:,} + {layer['neuron_cycles'][name]:,}")
            else:
                cells.append(f"{layer['our_cycles'][name]:,}")
        rows.append((layer["name"], *cells))
    rows.append(("total", *(f"{row['cycles']:,}" for row in report["accelerators"])))
    return Lines(head=("layer", *names), rows=rows)


def fact_lines(report: dict[str, Any]) -> Lines:
    """Return what each accelerator is, its speed, time and energy."""
    head = ("accelerator", "origin", "cycles", "speed-up", "time at 500 MHz", "chip energy, no DRAM", "what it is")
    rows = []
    for row in report["accelerators"]:
        time = row.get("microseconds")
        energy, ours = row.get("chip_microjoules"), row.get("measured_microjoules")
        cells = [row["name"], row["origin"], f"{row['cycles']:,}"]
        cells.append(f"{row['speedup']:.2f}x" if row["speedup"] else "-")
        cells.append("-" if time is None else f"{time:,.1f} us")
        cells.append("-" if energy is None else f"{energy:,.2f} uJ")
        if ours is not None:
            cells[-1] = f"{ours:,.2f} uJ measured"
        rows.append((*cells, row["what"]))
    for one in report["published"]:
        if one["name"] in NOT_MODELLED:
            what = f"measured by others on {one['benchmarks']} of the published networks: geometric mean over Eyeriss"
            rows.append((one["name"], "published", "-", f"{one['speedup']:.2f}x", "-", "-", what))
    return Lines(head=head, rows=rows)


def _energies(rows: Sequence[dict[str, Any]]) -> Chart:
    """Make the chart of energies, if ours was measured."""
    base = rows[0]["chip_microjoules"]
    energies = [(row, row.get("chip_microjoules", row.get("measured_microjoules"))) for row in rows]
    values = [(row["name"], base / energy, row["origin"], row["what"]) for row, energy in energies if energy]
    text = (
        "Chip energy of Eyeriss divided by that of each, without DRAM: of models the published power in 28 nm times "
        "their time, and of ours what was measured in another process, with the limits named below."
    )
    return chart("Energy on this work", text, values)


def _charts(report: dict[str, Any]) -> list[Chart]:
    ours = [(row["name"], row["speedup"] or 0, row["origin"], row["what"]) for row in report["accelerators"]]
    found = [chart("Speed on this work", "Cycles of Eyeriss divided by those of each accelerator.", ours)]
    if any("measured_microjoules" in row for row in report["accelerators"]):
        found.append(_energies(report["accelerators"]))
    known = report["benchmark"]
    for key, title in (("seconds", "Speed"), ("energy_mj", "Energy")):
        if known and known[key].get("Eyeriss"):
            base = known[key]["Eyeriss"]
            rows = [(name, base / value, "published", f"{value:g}") for name, value in known[key].items()]
            found.append(chart(f"{title} as published for {known['name']}", "Eyeriss divided by each.", rows))
    for key, title in (("speedup", "Speed"), ("energy_saving", "Energy")):
        rows = [(one["name"], one[key], "published", f"{one['benchmarks']} benchmarks") for one in report["published"]]
        text = "Eyeriss divided by each, geometric means over those published networks for which both have figures."
        found.append(chart(f"{title} as published, on the published networks", text, rows))
    return found


def page(report: dict[str, Any]) -> str:
    """Return the page of a comparison (:class:`reprise.estimate.report.baseline_fields.Baselines`)."""
    images = "" if report["images"] == 1 else f", {report['images']} images"
    densities = (
        f"bit density {report['total']['bit_density']:.4%}, product density {report['total']['product_density']:.4%}"
    )
    notes = [*NOTES]
    if report["published_network"]:
        notes.append(f"The layers are those of the published {report['published_network']}, and so are its neurons.")
    notes += [f"Measured energy: {limit}" for limit in report["limits"]]
    content = {
        "report": report,
        "title": f"{report['subject']}{images}: published accelerators and ours",
        "subtitle": f"Ours is {report['configuration_name']}; {densities}",
        "charts": _charts(report),
        "origins": [(name, COLOURS[name], what) for name, what in ORIGINS.items()],
        "lines": layer_lines(report),
        "facts": fact_lines(report),
        "notes": notes,
    }
    return templates().get_template("baselines.html.j2").render(content).lstrip() + "\n"


def write_page(report: dict[str, Any], path: Path) -> None:
    """Write the page."""
    path.write_text(page(report), encoding="utf-8")
