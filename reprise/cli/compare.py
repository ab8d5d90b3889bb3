"""``reprise compare`` puts reports side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..support.command_line import OUTPUT_FILE, commands, example
from ..support.errors import RepriseError
from .options import Json, terminal, write_json, writing

if TYPE_CHECKING:
    from rich.console import Console

app = commands()

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", callback=OUTPUT_FILE, help="write the comparison as a page, too"),
]


@app.command(epilog=example("reprise compare build/before/report.json build/after/report.json"))
def compare(
    reports: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT...",
            help="report.json of cosim, or a file of estimate --json; the first is what the others are compared with",
            show_default=False,
        ),
    ],
    json_out: Json = None,
    html: Html = None,
) -> None:
    """Put reports side by side: cycles by layer, resources, clocks, and why something is slower."""
    if len(reports) < 2:
        raise RepriseError(field="REPORT", rule="two reports or more", value=reports[0])
    from ..estimate import comparison

    found = comparison.compare([read(path) for path in reports], reports)
    show(found, terminal(), json_out, html)


def read(path: str) -> dict[str, Any]:
    """Return a report that has the fields of its kind; a person may have changed it, or a disk."""
    from pydantic import ValidationError

    from ..cosim.report.fields import Cosimulation
    from ..estimate import comparison
    from ..estimate.report.fields import Estimate, checked
    from ..support.errors import explain

    report = comparison.read_report(path)
    try:
        return checked(report, Estimate if report["kind"] == "estimate" else Cosimulation)
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
