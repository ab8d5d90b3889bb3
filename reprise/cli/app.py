"""The command ``reprise``: all commands, and the one place where a mistake becomes a message and an exit code."""

from __future__ import annotations

import dis
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from ..support.errors import RepriseError, SimulationError, missing_package
from ..support.presets import PACKAGE
from . import area, cosim, density, estimate, fpga, importers, train, verilog
from .options import commands, example

EQUAL, MISMATCH, MISTAKE, SIMULATION, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all is well; something differs from the model or the baseline; a user's mistake; a simulation that
failed; Ctrl-C."""

RESUME = "interrupted: start the same command again; training goes on from its last epoch, and what was built is kept"

app = commands()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"reprise {version('reprise')}")
        raise typer.Exit


@app.callback(epilog=example("reprise cosim digits --config tiny"), context_settings={"max_content_width": 100})
def _reprise(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which it is")
    ] = False,
) -> None:
    """Spiking-neural-network accelerators, bit-exact from PyTorch to Verilog."""


app.registered_commands += train.app.registered_commands
app.add_typer(importers.app, name="import")
for part in (density, estimate, area, cosim, verilog):
    app.registered_commands += part.app.registered_commands
app.add_typer(fpga.app, name="fpga")


def _raised_by_us(error: BaseException) -> bool:
    """Whether a ``raise`` statement of this package raised the error: its text was then written for the user."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None:
        return False
    code = at.tb_frame.f_code
    return code.co_filename.startswith(str(PACKAGE)) and dis.opname[code.co_code[at.tb_lasti]] == "RAISE_VARARGS"


def explanation(error: Exception) -> list[str] | None:
    """The lines that tell a user what he did wrong: one that begins with ``error:`` for each problem.

    None if the error is no user's mistake: then its traceback is what helps. A plain ValueError counts as told to the
    user if this package raised it on purpose; one that NumPy raises somewhere inside is a fault of ours.
    """
    if isinstance(error, ImportError):
        error = missing_package(error) or error
    if isinstance(error, RepriseError):
        return [*(f"error: {problem}" for problem in error.problems), *error.detail.splitlines()]
    if isinstance(error, OSError):
        named = error.filename is not None and error.strerror
        return [f"error: {error.filename}: {error.strerror}" if named else f"error: {error}"]
    if isinstance(error, SimulationError) or (isinstance(error, ValueError) and _raised_by_us(error)):
        return f"error: {error}".splitlines()
    return None


def _usage(error: TyperException) -> list[str]:
    """One line for a wrong option or argument: what was wrong, the value if it is known, where help is."""
    text = " ".join(error.format_message().split())
    found = getattr(error.__cause__, "errors", None)  # pydantic's, of an option's value
    if found is not None:
        text += f", not {found()[0]['input']!r}"
    context = getattr(error, "ctx", None)
    return [f"error: {text}" + (f" (see {context.command_path} --help)" if context else "")]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (``sys.argv`` if none is given); its exit code. Mistakes are told on stderr."""
    code, lines = EQUAL, None
    try:
        code = get_command(app).main(arguments, prog_name="reprise", standalone_mode=False) or EQUAL
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if context is not None and error.message == context.get_help():  # a group alone: that asks for its help
            typer.echo(error.message)
        else:
            code, lines = MISTAKE, _usage(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        lines = explanation(error)
        if lines is None:
            raise
        code = SIMULATION if isinstance(error, SimulationError) else MISTAKE
    if code == INTERRUPTED:
        lines = [RESUME]
    for line in lines or []:
        typer.echo(line, err=True)
    return code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
