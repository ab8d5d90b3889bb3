"""The command ``reprise`` with all of its commands, and the one place where a mistake becomes a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..support import command_line
from ..support.collector import collect_rarely
from ..support.command_line import commands, example
from . import area, compare, cosim, density, estimate, fpga, image, importers, train, verilog
from .chip import asic, energy

RESUME = "interrupted: start the same command again; training goes on from its last epoch, and what was built is kept"

app = commands()


class _Group(TyperGroup):
    """The commands, whose list fills a screen: that ``--help`` shows it need not stand there."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.hidden = True
        return option


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"reprise {version('reprise')}")
        raise typer.Exit


@app.callback(
    cls=_Group, epilog=example("reprise cosim digits --config tiny"), context_settings={"max_content_width": 100}
)
def _reprise(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, hidden=True, help="show the version")
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option(command_line.TRACEBACK, hidden=True, help="show the traceback of an internal error, for a report"),
    ] = False,
) -> None:
    """Spiking-neural-network accelerators, bit-exact from PyTorch to Verilog."""


app.registered_commands += train.app.registered_commands
app.add_typer(importers.app, name="import")
app.add_typer(importers.out, name="export", hidden=True)  # the list fills a screen: the help of import names it
for part in (density, estimate, compare, area, cosim, asic, energy, verilog, image):
    app.registered_commands += part.app.registered_commands
app.add_typer(fpga.app, name="fpga")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (``sys.argv`` if none is given); its exit code. Mistakes are told on stderr."""
    return command_line.run(app, "reprise", arguments, interrupted=RESUME)


def main() -> None:
    """Entry point of the console script."""
    collect_rarely()
    command_line.main(app, "reprise", interrupted=RESUME)
