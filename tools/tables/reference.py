"""The references: of the command ``reprise`` from the application itself, of ``import reprise`` from its docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from copy import copy
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import reprise
from reprise.cli.app import app
from reprise.hw.arch.config import HardwareConfig

from . import markdown

VERBS = ("load", "quantize", "record", "estimate_cycles", "write_verilog", "cosimulate")
"""The functions, in the order in which they are used; the classes follow."""
SECTION = re.compile(r"^(\w+)\n-+\n", flags=re.MULTILINE)
ITEM = re.compile(r"^(\w[\w, ]*?)(?: :|\n   ) ?(.*(?:\n    .*)*)", flags=re.MULTILINE)


def leaves(group: TyperGroup, name: str = "reprise") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its whole name, in the order of the help."""
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from leaves(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _option(param: Any, context: typer.Context) -> tuple[str, str] | None:
    """Return how an option or argument is written, what it takes, and what it means.

    The text of a command may say that of an argument itself, which then is hidden and has no line. An option that the
    help leaves out, because a screen is full, has one.
    """
    shown = copy(param)
    shown.hidden = shown.hidden and shown.param_type_name == "argument"
    record = shown.get_help_record(context)
    if record is None:
        return None
    names, meaning = record
    return f"`{names}`".replace("|", "\\|"), meaning.replace("|", "\\|")


def _section(name: str, command: Any) -> list[str]:
    """Return the lines that describe a command."""
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = [row for param in command.params if (row := _option(param, context)) is not None]
    lines = [f"## {name}", "", " ".join((command.help or "").split()), "", f"    {usage}", ""]
    if rows:
        lines += [markdown(("option", "meaning"), rows), ""]
    return [*lines, (command.epilog or "").replace("Example: ", "Example: `") + "`", ""]


def command_line() -> str:
    """Make a section for each command."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return "\n".join(line for name, command in leaves(group) for line in _section(name, command))


def prose(text: str) -> str:
    """Return text of a docstring as Markdown."""
    text = re.sub(r":mod:`([^`]+)`", r"`\1`", text)
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def sections(doc: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a docstring: the first has no title."""
    pieces = SECTION.split(doc)
    yield "", pieces[0].strip()
    yield from zip(pieces[1::2], (piece.strip("\n") for piece in pieces[2::2]), strict=True)


def described(doc: str, skip: tuple[str, ...] = ()) -> list[str]:
    """Return a docstring as lines of Markdown."""
    lines = []
    for title, text in sections(doc):
        if title in skip:
            continue
        if not title:
            lines += [prose(text), ""]
            continue
        lines += [f"*{title}*", ""]
        lines += [f"- `{name.strip()}`: {prose(' '.join(words.split()))}" for name, words in ITEM.findall(text)]
        lines.append("")
    return lines


def signature(name: str, value: Any) -> str:
    """Return how a function is called, without types."""
    found = []
    star = False
    for one in inspect.signature(value).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not star:
            found.append("*")
            star = True
        found.append(one.name if one.default is one.empty else f"{one.name}={one.default!r}")
    return f"reprise.{name}({', '.join(found)})"


def _methods(value: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that a class has of its own."""
    for name, member in vars(value).items():
        inner = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(inner):
            yield (name if isinstance(member, property) else f"{name}()"), inner


def _described_class(name: str, value: type) -> list[str]:
    skip = ("Parameters",) if value is HardwareConfig else ()
    lines = [f"## {name}", "", *described(inspect.getdoc(value) or "", skip)]
    if skip:
        lines += ["Its fields are those of [configuration.md](configuration.md).", ""]
    methods = [(name, inspect.getdoc(one) or "") for name, one in _methods(value)]
    if methods:
        lines += ["*Methods and properties*", ""]
        lines += [f"- `{name}`: {prose(' '.join(doc.partition(chr(10) * 2)[0].split()))}" for name, doc in methods]
        lines.append("")
    return lines


def python() -> str:
    """Make a section for each name."""
    classes = [name for name in reprise.__all__ if name not in VERBS]
    lines = []
    for name in VERBS:
        value = getattr(reprise, name)
        lines += [f"## {name}", "", f"    {signature(name, value)}", "", *described(inspect.getdoc(value) or "")]
    for name in classes:
        lines += _described_class(name, getattr(reprise, name))
    return "\n".join(lines)


def table(kind: str) -> str:
    """Make one of the two references."""
    return {"command-line": command_line, "python": python}[kind]()
