"""Options that several commands share."""

from __future__ import annotations

import typer
from rich.console import Console

from ..hw.arch.config import ConfigError, HardwareConfig


def load(name: str) -> HardwareConfig:
    try:
        return HardwareConfig.load(name)
    except ConfigError as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
