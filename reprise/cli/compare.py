"""``reprise compare`` puts reports side by side, or published accelerators beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..support.command_line import INPUT_FILE, OUTPUT_FILE, commands, example
from ..support.errors import RepriseError
from .options import Config, Images, Json, Set, hardware, left_out, terminal, write_json, writing

if TYPE_CHECKING:
    from rich.console import Console

app = commands()

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", callback=OUTPUT_FILE, help="write the comparison as a page, too"),
]
OF_ONE = {"config": "--config", "changes": "--set", "images": "--images", "rtl": "--rtl", "csv": "--csv"}
"""Options that are for a network or a capture, and not for reports."""


@app.command(epilog=example("reprise compare digits --config paper --html digits.html"))
def compare(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK|CAPTURE|REPORT...",
            help="a network or recorded spikes (.npz); or reports to compare with the first",
            show_default=False,
        ),
    ],
    config: Config = "paper",
    changes: Set = None,
    images: Images = 1,
    rtl: Annotated[
        Path | None,
        typer.Option(
            metavar="REPORT",
            callback=INPUT_FILE,
            help="report.json of its co-simulation, or of reprise energy, shown as measured",
        ),
    ] = None,
    json_out: Json = None,
    html: Html = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", callback=OUTPUT_FILE, help="write the figures as CSV, too")
    ] = None,
) -> None:
    """Compare published accelerators with ours on a network or a capture; or reports with each other.

    Reports are report.json of cosim, and files of estimate --json.
    """
    if len(what) == 1 and Path(what[0]).suffix != ".json":
        _accelerators(what[0], config, changes, images, rtl, terminal(), json_out, html, csv, context)
        return
    left_out(context, OF_ONE, "left out beside reports")
    if len(what) < 2:
        raise RepriseError(field="REPORT", rule="two reports or more", value=what[0])
    from ..estimate import comparison

    found = comparison.compare([read(path) for path in what], what)
    show(found, terminal(), json_out, html)


def _accelerators(
    what: str,
    config: str,
    changes: list[str] | None,
    images: int,
    rtl: Path | None,
    console: Console,
    json_out: Path | None,
    html: Path | None,
    csv: Path | None,
    context: typer.Context,
) -> None:
    """Compare published accelerators with ours, print the figures and write the files."""
    from ..cosim import baselines
    from ..estimate.report.baseline_fields import Baselines
    from ..estimate.report.head import head
    from ..support.progress import doing

    chosen = hardware(config, changes)
    measured = {**read(str(rtl), ("cosimulation", "energy")), "path": str(rtl)} if rtl else None
    if Path(what).suffix == ".npz":
        left_out(context, {"images": "--images"}, "left out beside a capture, which holds one sample")
        with doing(console, f"{Path(what).stem} on {chosen.name}") as progress:
            found = baselines.compare_capture(Path(what), chosen.config, chosen.name, measured, progress.note)
    else:
        from ..export.find import choose_images, open_network

        file = open_network(what, chosen.config)
        batch = choose_images(file, images, 0)
        with doing(console, f"{file.network.name} on {chosen.name}") as progress:
            found = baselines.compare_network(file.network, batch, chosen.config, chosen.name, measured, progress.note)
    names = {"configuration_name": chosen.name, "configuration": chosen.config.to_dict()}
    report = {**head("baselines"), **found, **names}
    _print(report, console)
    for path, text in ((csv, baselines.csv_text), (html, _page)):
        if path is not None:
            with writing(path):
                path.write_text(text(report), encoding="utf-8")
            console.print(f"{'page' if path is html else 'table'}: {path}", highlight=False, markup=False)
    write_json(json_out, report, console, Baselines)


def _page(report: dict[str, Any]) -> str:
    from ..cosim.report.baselines import page

    return page(report)


def _print(report: dict[str, Any], console: Console) -> None:
    """Print the cycles by layer and the accelerators."""
    from ..cosim.report.baselines import fact_lines, layer_lines
    from ..support.terminal import Figures

    lines, facts = layer_lines(report), fact_lines(report)
    table = Figures(*lines.head, title=f"{report['subject']}: cycles, matrix product + neurons in models")
    for row in lines.rows[:-1]:
        table.add_row(*row)
    table.add_section()
    table.add_row(*lines.rows[-1])
    console.print(table)
    table = Figures(*facts.head[:-1], title="speed-up over Eyeriss; times and energies by published constants")
    for row in facts.rows:
        table.add_row(*row[:-1])
    console.print(table)
    for row in facts.rows:
        console.print(f"{row[0]}: {row[-1]}", highlight=False, markup=False)
    for limit in report["limits"]:
        console.print(f"measured energy: {limit}", highlight=False, markup=False)


def read(path: str, kinds: Sequence[str] = ("estimate", "cosimulation")) -> dict[str, Any]:
    """Return a report of one of some kinds that has its fields; a person may have changed it, or a disk."""
    from pydantic import ValidationError

    from ..cosim.report.fields import Cosimulation
    from ..estimate import comparison
    from ..estimate.report.fields import Estimate, Fields, checked
    from ..flow.energy.fields import Energy
    from ..support.errors import explain

    report = comparison.read_report(path, kinds)
    of: dict[str, type[Fields]] = {"estimate": Estimate, "cosimulation": Cosimulation, "energy": Energy}
    try:
        return checked(report, of[report["kind"]])
    except ValidationError as error:
        raise explain(path, error) from None


def show(found: dict[str, Any], console: Console, json_out: Path | None, html: Path | None) -> None:
    """Print a comparison and write its files."""
    from ..estimate import comparison
    from ..estimate.report.comparison_fields import Comparison
    from ..estimate.tables import comparison_lines, fact_lines, text

    base = found["columns"][0]
    console.print(text(comparison_lines(found), f"{base['subject']}: cycles, and how they differ from {base['name']}"))
    console.print(text(fact_lines(found)))
    for line in comparison.verdicts(found):
        console.print(line, highlight=False, markup=False, soft_wrap=False)
    if html is not None:
        from ..cosim.report.comparison import write_page

        with writing(html):
            write_page(found, html)
        console.print(f"page: {html}", highlight=False, markup=False)
    write_json(json_out, found, console, Comparison)
