"""Writes ``report.html``, a page for a browser that refers to no other file. ``page.html.j2`` is its template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...estimate.limits import MEANINGS, NAMES, named
from ...estimate.picture import boxes, input_text, picture
from ...estimate.report.speed import area_line, area_source, clock_line, memory_text, too_small
from ...estimate.tables import (
    HELPS_NOTE,
    LIMITS_NOTE,
    helps_lines,
    helps_notes,
    layer_helps_lines,
    limits_lines,
    saved_lines,
)
from ...support.terminal import counted, figure
from ..trace.picture import pictures
from ..trace.timeline import Timeline
from . import charts
from .pictures import Inputs
from .tables import CAUSES, figure_lines, table_lines, verdict, what_ran

TERMS = {
    "accelerator": "cycles from the start command to the interrupt",
    "cycle model": "our model of the whole accelerator, where it differs: only random stalls are beyond it",
    "bound": "the fewest that this architecture can take for these tiles, if nothing else takes time",
    "published model": "the compute model of the published Prosperity simulator, without memory and neurons",
    "bit-sparse": "a machine that adds one set bit per cycle",
    "dense": "a machine that adds one bit per cycle, set or not",
}
"""What the chart of cycles shows."""
DENSITIES = {
    "bit density": "set bits, divided by all bits",
    "product density": "bits that product sparsity leaves to add, divided by all bits",
}
REST = "what is left then: at least a cycle for each row, the latencies of the pipeline, and other blocks"
WORDS = {
    "row": "the bits of one output position, timestep and plane along K: the inputs of an output",
    "tile": "up to tile_m rows by tile_k bits, which are searched for rows that contain each other",
    "exact match": "a row that equals another row of its tile: its sum is known, and nothing is added",
    "residual bit": "a bit of a row that the best row it contains has not: only these are added",
    "product sparsity": "reusing the finished sum of a row for every row that contains it",
    "plane": "one bit of the levels that a layer reads, as a binary map; N levels take several planes",
    "N, T, K": "the largest level that neurons fire, the timesteps, and the inputs of an output",
    "run": "a command that computes some lines of a block of output channels",
    "elements": "all values of all feature maps, each of which was compared with the model by ==",
    "latency": "from the start command to the interrupt; a batch computes a layer for all images before the next layer",
    "bytes": "what the commands of a layer move between the accelerator and its memory",
}


def _share(fraction: float) -> str:
    """Return a fraction in percent; what is more than nothing is not shown as 0."""
    percent = 100 * fraction
    return f"{percent:.0f}" if percent >= 1 or not percent else f"{percent:.1f}"


def _cards(report: dict) -> list[tuple[str, str, str]]:
    """Return what the first screen shows: heading, figure, and a line below it."""
    total, speed, area = report["total"]["cycles"], report.get("speed"), report["area"]
    ours = total["rtl"] or total["cycle_model"]
    equal = report["elements"] - report["mismatches"]
    of_all = f"of {report['elements']:,} elements of all feature maps equal the model"
    cards = [("Exact", "yes" if not report["mismatches"] else "NO", f"{equal:,} {of_all}")]
    if report.get("accuracy_percent") is not None:
        right = sum(p == n for p, n in zip(report["predictions"], report["labels"], strict=True))
        found, known = report.get("network_accuracy"), sum(label is not None for label in report["labels"])
        whole = f"; {found['integer_percent']:.2f} % of {found['images']} by the network file" if found else ""
        cards.append(("Accuracy", f"{right} of {known}", f"{counted(known, 'image')}{whole}"))
    by = "counted in the RTL" if total["rtl"] else "by the exact cycle model"
    what = counted(report["images"], "image") if speed else f"all layers of the capture, {report['capture_program']}"
    cards.append(("Cycles", f"{ours:,}", f"{what}, {by}; {total['dense'] / ours:.1f}x fewer than dense"))
    if speed:
        one = f"{speed['image_cycles']:,} cycles"
        if report["images"] > 1:
            one += f"; the batch of {report['images']}: {speed['batch_microseconds']:,.1f} us"
        cards.append(("Latency of one image", f"{speed['image_microseconds']:,.1f} us", one))
        cards.append(
            (
                "Frames per second",
                f"{speed['frames_per_second']:,.0f}",
                f"at {speed['clock']['mhz']:g} MHz, {speed['clock']['source']}",
            )
        )
    bus, _, rest = memory_text(report["configuration"]["bus_bits"], report["memory"]).partition(", ")
    cards.append(("Memory", bus, rest))
    part = next((name for name, fits in area["fits"].items() if fits), None)
    resources = f"{area['luts']:,} LUT4s, {area['block_rams']:,} block RAMs, {area_source(area)}"
    fits = f"fits {part}" if part else f"fits no {area['family']}"
    cards.append(("FPGA", fits, resources if part else f"{resources}; {too_small(area)}"))
    return cards


def _pictures(report: dict, inputs: Inputs | None) -> list[tuple[str, str, bool]]:
    """Return each image with what was predicted, and whether that is right or nobody knows better."""
    if inputs is None:
        return []
    predicted = report["predictions"] or ["?"] * report["images"]
    found = []
    for uri, got, label in zip(inputs.pictures(), predicted, report["labels"], strict=True):
        right = label is None or label == got
        found.append((uri, str(got) if right else f"{got} (is {label})", right))
    return found


def _shapes(report: dict) -> tuple[tuple[str, ...], list[list[str]]]:
    head = ("layer", "kind", "reads", "weights", "K", "K tiles", "channels", "output", "neuron")
    rows = []
    for layer in report["layers"]:
        shape = layer["shape"]
        pool = f", max pool {shape['pool']}" if shape["pool"] > 1 else ""
        weights = " + ".join("x".join(map(str, one)) for one in shape["weights"])
        cells = [layer["name"], shape["kind"] + pool, " + ".join(shape["reads"]), weights, shape["k"]]
        cells += [
            f"{layer['k_tiles']} of {counted(layer['tile_depth'], 'bit')}",
            shape["channels"],
            "x".join(map(str, shape["output"])),
            shape["neuron"],
            shape["levels"],
            shape["timesteps"],
        ]
        rows.append([str(cell) for cell in (*cells, shape["encoding"], shape["planes"])])
    return (*head, "N", "T", "encoding", "planes"), rows


def _picture(report: dict, inputs: Inputs | None) -> str:
    """Return the picture of the network; the layers of a capture are not connected, so there is none."""
    if "capture" in report:
        return ""
    shape = None if inputs is None else inputs.images.shape[-3:]
    levels = "" if inputs is None else f"{input_text(inputs.levels, inputs.signed)}, "
    told = f"{levels}T={report['layers'][0]['shape']['timesteps']}"
    title = f"The layers of {report['network']} and their shapes"
    return picture(boxes(report["layers"], shape, told), title, inline=True)


def _cycles(report: dict) -> tuple[list[charts.Row], list[charts.Piece]]:
    """Return the chart of cycles; the cycle model has a mark only where the RTL was run and differs from it."""
    layers = {}
    for name, one in table_lines(report):
        figures = one["cycles"]
        if "dense" not in figures:
            continue
        ours = figures["rtl"] or figures["cycle_model"]
        shown = {"accelerator": ours, "bound": figures["bound"], "published model": figures["published_model"]}
        shown |= {"bit-sparse": figures["bit_sparse"], "dense": figures["dense"]}
        layers[name] = shown | ({"cycle model": figures["cycle_model"]} if figures["cycle_model"] != ours else {})
    return charts.cycles_rows(layers)


def _limits(report: dict) -> dict[str, Any]:
    """Return what the page shows of the blocks that limit each layer; the end of the job has no such block."""
    lines = [(name, one) for name, one in table_lines(report) if "limits" in one]
    steps = {
        name: (
            {named(step["blocks"]): step["saved_cycles"] for step in one["limits"]["steps"]},
            one["cycles"]["cycle_model"],
        )
        for name, one in lines
    }
    shown = {block for blocks, _ in steps.values() for name in blocks for block in name.split(" + ")} | {"rest"}
    meanings = {NAMES[key]: meaning for key, meaning in MEANINGS.items()} | {"rest": REST}
    layers = report["layers"]
    return {
        "limits": charts.limits_rows(steps),
        "limit_legend": [(name, charts.BLOCKS[name], text) for name, text in meanings.items() if name in shown],
        "limits_note": LIMITS_NOTE,
        "limit_tables": [limits_lines(layers, report["total"]), saved_lines(layers, report["total"])] if lines else [],
    }


def _helps(report: dict) -> dict[str, Any]:
    """Return what the page shows of the changes of the configuration that would help, if somebody asked."""
    total = report["total"]
    if "helps" not in total:
        return {"helps": [], "helps_notes": []}
    return {
        "helps": [helps_lines(total), layer_helps_lines(report["layers"])],
        "helps_notes": [HELPS_NOTE, *helps_notes(total)],
    }


def _made(report: dict) -> str:
    """Return how the report was made, in one line."""
    memory = report["memory"]
    parts = [
        f"commit {report['commit']}" if "commit" in report else "an installed package",
        f"seed {report['seed']}",
        f"memory of {memory['latency_cycles']} cycles latency, {memory['gap_cycles']} idle cycles after a beat, "
        f"{100 * memory['stall_probability']:g} % stalls",
        ", ".join(f"{name} {version}" for name, version in report["versions"].items()),
    ]
    return "; ".join(parts) + "."


def templates(*folders: Path) -> Environment:
    """Return the environment of the pages' templates: nothing is left undefined, and all text is escaped.

    ``folders`` hold further templates, which may include those here.
    """
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).resolve().parent, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": figure, "share": _share}
    return environment


def page(report: dict, inputs: Inputs | None = None, timelines: Sequence[Timeline] = ()) -> str:
    """Return the page of a report (:class:`reprise.cosim.report.fields.Cosimulation`), its images and timelines."""
    lines = table_lines(report)
    causes = {name: one["cause_cycles"] for name, one in lines if sum(one.get("cause_cycles", {}).values())}
    legend = [(name, charts.CAUSES[name], meaning) for name, meaning in CAUSES.items()]
    cycles, ticks = _cycles(report)
    shown = {mark.name for row in cycles for mark in row.pieces}
    densities = {
        name: {"bit density": 100 * one["bit_density"], "product density": 100 * one["product_density"]}
        for name, one in lines
        if "bit_density" in one
    }
    total = report["total"]["cycles"]
    shape_head, shape_rows = _shapes(report)
    figure_head, figure_rows = figure_lines(report)
    ran = f"capture {report['capture']}" if "capture" in report else report["network"]
    content: dict[str, Any] = {
        "report": report,
        "title": f"{ran} on the accelerator {report['configuration_name']}",
        "subtitle": f"Co-simulation of {what_ran(report)}, {'in RTL' if total['rtl'] else 'in the interpreter'}",
        "verdict": verdict(report).capitalize() + ".",
        "cards": _cards(report),
        "ours": total["rtl"] or total["cycle_model"],
        "causes": charts.causes_rows(causes),
        "cause_legend": [entry for entry in legend if any(entry[0] in one for one in causes.values())],
        "timelines": pictures(timelines),
        "all_causes": legend,
        "cycles": (cycles, ticks),
        "cycle_legend": [(name, charts.MODELS[name], text) for name, text in TERMS.items() if name in shown],
        "densities": charts.densities_rows(densities),
        "density_legend": [(name, charts.DENSITIES[name], meaning) for name, meaning in DENSITIES.items()],
        "figure_head": figure_head,
        "figure_rows": figure_rows,
        "pictures": _pictures(report, inputs),
        "picture": _picture(report, inputs),
        "shape_head": shape_head,
        "shape_rows": shape_rows,
        "area": area_line(report["area"]),
        "clock": clock_line(report["speed"]) if "speed" in report else "",
        "fields": [
            (field, value, report["configuration_preset"].get(field))
            for field, value in report["configuration"].items()
        ],
        **_limits(report),
        **_helps(report),
        "words": list(WORDS.items()),
        "made": _made(report),
    }
    return templates().get_template("page.html.j2").render(content).lstrip() + "\n"


def write_html(report: dict, path: Path, inputs: Inputs | None = None, timelines: Sequence[Timeline] = ()) -> None:
    """Write the page of a report and, if there are any, of the images and timelines."""
    path.write_text(page(report, inputs, timelines), encoding="utf-8")
