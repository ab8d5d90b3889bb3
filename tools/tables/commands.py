"""The reference of the command ``reprise``, from the application itself: what ``--help`` says of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from reprise.cli.app import app

from . import markdown


def leaves(group: TyperGroup, name: str = "reprise") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its whole name, in the order of the help."""
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from leaves(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _option(param: Any, context: typer.Context) -> tuple[str, str]:
    """Return how an option or argument is written, with what it takes, and what it means."""
    names, meaning = param.get_help_record(context)
    return f"`{names}`".replace("|", "\\|"), meaning.replace("|", "\\|")


def _section(name: str, command: Any) -> list[str]:
    """Return the lines that describe a command."""
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = [_option(param, context) for param in command.params]
    lines = [f"## {name}", "", " ".join((command.help or "").split()), "", f"    {usage}", ""]
    if rows:
        lines += [markdown(("option", "meaning"), rows), ""]
    return [*lines, (command.epilog or "").replace("Example: ", "Example: `") + "`", ""]


def table() -> str:
    """Make a section for each command."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return "\n".join(line for name, command in leaves(group) for line in _section(name, command))
