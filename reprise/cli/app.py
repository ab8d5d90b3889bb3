"""The command ``reprise``: one application of all commands."""

from __future__ import annotations

import typer

from . import cosim, estimate, fpga, train, verilog

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _reprise() -> None:
    """Spiking-neural-network accelerators, bit-exact from PyTorch to Verilog."""


for part in (train, estimate, cosim, verilog):
    app.registered_commands += part.app.registered_commands
app.add_typer(fpga.app, name="fpga")


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="reprise")
