"""``reprise asic`` maps the accelerator to standard cells and tells its area and clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...support.command_line import INPUT_FILE, OUTPUT_FOLDER, POSITIVE, commands, example
from ..options import Config, Set, hardware, terminal, write_json, writing

app = commands()

Wire = Annotated[
    float | None,
    typer.Option(
        "--wire", metavar="FF", callback=POSITIVE, help="capacitance of the wire to a pin, fF", show_default="4"
    ),
]

Cells = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="FILE",
        callback=INPUT_FILE,
        help="a library of tools.distil.cells",
        show_default="IHP SG13G2",
    ),
]


@app.command(epilog=example("reprise asic --config tiny"))
def asic(
    config: Config = "paper",
    changes: Set = None,
    wire: Wire = None,
    cells: Cells = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="where to write it (default: build/asic/CONFIG)"),
    ] = None,
) -> None:
    """Map an accelerator to standard cells: area by block, memories, clock and leakage.

    Yosys takes a minute for tiny and several for paper, once.
    """
    from ...estimate.tables import text
    from ...flow.asic import page
    from ...flow.asic.fields import Asic
    from ...flow.asic.library import FILE, library
    from ...flow.asic.report import asic_report
    from ...flow.asic.synth import synthesize
    from ...flow.asic.timing import WIRE_FF
    from ...support.progress import Stages

    chosen, console, of = hardware(config, changes), terminal(), library(cells or FILE)
    folder = out or Path("build/asic") / chosen.name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with Stages(console) as stages:
        with stages.stage("map", f"Yosys, {chosen.name} (minutes the first time)"):
            mapped = synthesize(chosen.config, name=chosen.name, chosen=of)
        with stages.stage("timing", "area and static timing"):
            report = asic_report(chosen.config, chosen.name, mapped, wire or WIRE_FF)
    console.print(text(page.block_lines(report), f"{chosen.name}: area by block, {report['library']['name']}"))
    console.print(text(page.memory_lines(report), "memories"))
    for line in (page.total_line(report), page.clock_line(report), *(f"- {limit}" for limit in report["limits"])):
        console.print(line, highlight=False, markup=False)
    with writing(folder / "report.html"):
        (folder / "report.html").write_text(page.page(report), encoding="utf-8")
    console.print(f"page: {folder / 'report.html'}", highlight=False, markup=False)
    write_json(folder / "report.json", report, console, Asic)
