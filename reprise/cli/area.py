"""``reprise area`` estimates what a configuration takes of an FPGA, without synthesis."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from ..support.command_line import commands, example
from .options import Config, Set, hardware, terminal

app = commands()

LABELS = {"lut": ("LUT4", "luts"), "ff": ("FF", "luts"), "ram": ("EBR", "rams"), "dsp": ("MULT18", "dsps")}
"""Resource -> its name on ECP5, and what a part has of it."""


def number(value: float) -> str:
    """Return a figure as tables show it."""
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


@app.command(epilog=example("reprise area --config paper --set banks=2 --block core"))
def area(
    config: Config = "paper",
    changes: Set = None,
    block: Annotated[
        Literal["core", "accelerator"], typer.Option(help="the block whose resources are wanted")
    ] = "accelerator",
    fit: Annotated[bool, typer.Option("--fit", help="fit the model to docs/measured/resources.json first")] = False,
) -> None:
    """Estimate the ECP5 resources of a configuration in seconds.

    Memories are counted, and logic is fitted to synthesized designs.
    """
    from ..estimate.area import model
    from ..flow.fpga.parts import ECP5_PARTS
    from ..support.terminal import Figures

    console = terminal()
    if fit:
        from ..flow.fpga import results

        model.COEFFICIENTS.write_text(json.dumps(model.calibrate(results.load()), indent=1) + "\n")
        console.print(f"wrote {model.COEFFICIENTS}", highlight=False, soft_wrap=True)
    chosen = hardware(config, changes)
    known = model.load()
    found = model.predict(chosen.config, known, block)
    columns = ("resource", "estimate", "mean error", "worst", *(f"% of {part}" for part in ECP5_PARTS))
    table = Figures(*columns, title=f"{chosen.name} {block}, ECP5")
    for resource, (label, key) in LABELS.items():
        error, value = known["error"][block][resource], found.resources[resource]
        shares = (f"{value / part[key]:.0%}" for part in ECP5_PARTS.values())
        table.add_row(label, number(value), f"{error['mean']:.1%}", f"{error['worst']:.1%}", *shares)
    table.add_row("fits", "", "", "", *("yes" if found.fits(part) else "[red]no[/]" for part in ECP5_PARTS.values()))
    console.print(table)
    for field, (value, least, most) in found.outside.items():
        known_range = f"{least} to {most}" if least < most else f"only {most}"
        console.print(f"[yellow]extrapolates:[/] {field}={value}: synthesized was {known_range}", highlight=False)
    designs = sum(row["block"] == block for row in known["left_out"])
    console.print(
        f"EBR and MULT18 are counted. LUT4 and FF are fitted: the errors are those of predicting each of {designs}"
        f" synthesized {block}s without it.",
        highlight=False,
        soft_wrap=True,
    )
