"""The tables of a co-simulation on the terminal, and the lines below them."""

from __future__ import annotations

from rich.table import Table

from ...estimate.report.speed import area_line, memory_line, speed_lines
from ...support.terminal import Figures, counted, figure, percent, prose

CAUSES = {
    "adding": "a residual bit was added",
    "row": "no row had come",
    "lead": "the result buffer was still in use",
    "drain": "sums of an earlier m tile were still being drained",
    "weights": "weights had not come",
    "hazard": "the same sum was being updated",
    "reuse": "exact matches went first",
    "outside": "no tile was in the processor",
}
"""What the adders did in a cycle, of which every cycle has one cause."""
CAUSES_NOTE = "Every cycle has one cause. " + "; ".join(f"{name}: {what}" for name, what in CAUSES.items()) + "."

CYCLES = {
    "rtl": "RTL",
    "cycle_model": "cycle model",
    "bound": "bound",
    "published_model": "published model",
    "bit_sparse": "bit-sparse",
    "dense": "dense",
}
"""How tables call the fields of ``cycles``."""


def _causes(figures: dict, most: int = 5) -> str:
    """Return what the adders did, in percent of the cycles, the most frequent first."""
    cycles = figures["cycles"]["rtl"] or 1
    found = sorted(figures.get("cause_cycles", {}).items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * n / cycles:.0f}" for name, n in found[:most] if 200 * n >= cycles) or "-"


def what_ran(report: dict) -> str:
    """Return the name of the network with its number of images, or that of the capture with how its layers were run."""
    if "capture" in report:
        return f"capture {report['capture']} ({report['capture_program']})"
    return f"{report['network']}, {counted(report['images'], 'image')}"


def table_lines(report: dict) -> list[tuple[str, dict]]:
    """Return the layers, the rest that no layer has, and the total as lines of a table: the last is the others' sum."""
    total = dict(report["total"], mismatches=report["mismatches"], elements=report["elements"])
    return [
        *((one["name"], one) for one in report["layers"]),
        (report["rest"]["name"], report["rest"]),
        ("total", total),
    ]


def verdict(report: dict) -> str:
    """Say whether all elements equal the model."""
    wrong, elements = report["mismatches"], report["elements"]
    if wrong:
        return f"{wrong:,} of {elements:,} elements differ from the model"
    return f"all {elements:,} elements equal the model"


def figure_lines(report: dict) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the head and the rows of a table of all figures, as text; the last row is the total."""
    simulated = report["total"]["cycles"]["rtl"] is not None
    keys = (*(("rtl",) if simulated else ()), "cycle_model", "bound", "published_model", "bit_sparse", "dense")
    head = ("layer", *(CYCLES[key] for key in keys), "bit density", "product density", "read", "written", "mismatches")
    rows = []
    for name, one in table_lines(report):
        row = [name, *(figure(one["cycles"].get(key)) for key in keys)]
        row += [percent(one[key]) if key in one else "-" for key in ("bit_density", "product_density")]
        row += [_bytes(one.get(key)) for key in ("bytes_read", "bytes_written")]
        rows.append([*row, f"{one['mismatches']:,} of {one['elements']:,}" if "elements" in one else "-"])
    return head, rows


def cycle_table(report: dict) -> Table:
    """Make the table of the cycles of every layer, and of whether every element was right."""
    title = f"{what_ran(report)} on {report['configuration_name']}, {report['engine']}: cycles"
    columns = ("layer", "RTL", "cycle model", "error", "published model", "bit-sparse", "dense", "mismatches")
    table = Figures(*columns, title=title)
    for name, one in table_lines(report):
        if name == "total":
            table.add_section()
        cycles, wrong, error = one["cycles"], one.get("mismatches"), one.get("model_error_fraction")
        table.add_row(
            name,
            *(figure(cycles[key]) for key in ("rtl", "cycle_model")),
            "" if error is None else f"{100 * error:+.1f} %",
            *(figure(cycles.get(key)) for key in ("published_model", "bit_sparse", "dense")),
            "-" if wrong is None else f"[{'red' if wrong else 'green'}]{wrong:,} of {one['elements']:,}[/]",
        )
    return table


def density_table(report: dict) -> Table:
    """Make the table of densities, of the bytes moved, and of the causes of cycles."""
    columns = ("layer", "bit density", "product density", "read", "written")
    causes = prose("causes of the RTL cycles, percent")
    table = Figures(*columns, causes, caption=CAUSES_NOTE if report["total"]["cycles"]["rtl"] else None)
    for name, one in table_lines(report):
        if name == "total":
            table.add_section()
        densities = (percent(one[key]) if key in one else "-" for key in ("bit_density", "product_density"))
        moved = (_bytes(one.get(key)) for key in ("bytes_read", "bytes_written"))
        table.add_row(name, *densities, *moved, _causes(one))
    return table


def _bytes(value: int | None) -> str:
    if value is None:
        return "-"
    shown = float(value)
    for unit in ("B", "kB", "MB"):
        if shown < 10_000:
            return f"{shown:,.0f} {unit}"
        shown /= 1000
    return f"{shown:,.0f} GB"


def summary(report: dict) -> list[str]:
    """Return the lines below the tables: speed-ups, the memory, frames per second, and accuracy."""
    cycles = report["total"]["cycles"]
    ours = cycles["rtl"] or cycles["cycle_model"]
    what = "RTL" if cycles["rtl"] else "cycle model"
    lines = [
        f"{what}: {ours:,} cycles; dense {cycles['dense']:,} ({cycles['dense'] / ours:.1f}x as many), bit-sparse "
        f"{cycles['bit_sparse']:,} ({cycles['bit_sparse'] / ours:.1f}x), published model "
        f"{cycles['published_model']:,} ({cycles['published_model'] / ours:.2f}x, without memory and neurons)",
        memory_line(report),
    ]
    if "speed" in report:
        lines += speed_lines(report["speed"], report["images"])
    lines.append(area_line(report["area"]))
    if report.get("accuracy_percent") is not None:
        right = sum(p == n for p, n in zip(report["predictions"], report["labels"], strict=True))
        known = f"accuracy {report['accuracy_percent']:.1f} % ({right} of {counted(report['images'], 'image')})"
        of_file = report.get("network_accuracy")
        if of_file:
            known += (
                f"; the network's: {of_file['integer_percent']:.2f} % on {counted(of_file['images'], 'image')} of "
                f"{of_file['dataset']}"
            )
        lines.append(known)
    return lines
