"""How every command line of Reprise works: the command ``reprise``, and the programs ``python -m tools.NAME``.

They share the look of their help, the way in which a mistake is told, and the exit codes. A program with one command is

    app = commands()

    @app.command(epilog=example("python -m tools.NAME digits"))
    def program(network: str) -> None:
        ...

    if __name__ == "__main__":
        main(app, "python -m tools.NAME")

and its help, which does no work, ends with an example.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from .cache import root
from .errors import RepriseError, SimulationError, missing_package

EQUAL, MISMATCH, MISTAKE, SIMULATION, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all is well; something differs from the model or the baseline; a user's mistake; a simulation that
failed; Ctrl-C."""

INTERNAL = 1
"""The exit code of an internal error, that of Python for an exception that nobody catches."""

TRACEBACK = "--traceback"
"""The word of a command line that shows the traceback of an internal error at once."""

Write = Annotated[bool, typer.Option("--write", help="write them; without it, say what would differ (exit code 1)")]
"""The option of a program that makes files which the repository tracks: without it, none of them is touched."""


def commands(help: str | None = None, epilog: str | None = None) -> typer.Typer:
    """Return an application for some commands; its help is plain text, so that each command's fits on a screen."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    if help:
        app.info.help, app.info.epilog = help, epilog
    return app


def example(line: str) -> str:
    """Return the end of a command's help."""
    return f"Example: {line}"


def _named(param: typer.CallbackParam) -> str:
    """Return how a person knows an option or an argument: ``--images``, or ``CAPTURE``."""
    if param.param_type_name == "argument":
        return param.metavar or str(param.name).upper()
    return max(param.opts, key=len)


def checked(check: Callable[[str, Any], None]) -> Callable[[typer.CallbackParam, Any], Any]:
    """Return the ``callback`` of an option or argument whose value is checked before any work begins.

    ``check`` takes the name and the value, or each of the values, and raises a RepriseError. It is not called for None.
    """

    def callback(param: typer.CallbackParam, value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                check(_named(param), one)
        return value

    return callback


def at_least(low: int) -> Callable[[typer.CallbackParam, Any], Any]:
    """Return the callback for an integer of at least ``low``."""

    def check(name: str, value: int) -> None:
        if value < low:
            raise RepriseError(field=name, rule=f"an integer of at least {low}", value=value)

    return checked(check)


def within(rule: str, holds: Callable[[float], bool]) -> Callable[[typer.CallbackParam, Any], Any]:
    """Return the callback for a number for which ``holds`` is true; ``rule`` says which these are."""

    def check(name: str, value: float) -> None:
        if not holds(value):
            raise RepriseError(field=name, rule=rule, value=value)

    return checked(check)


POSITIVE = within("above 0", lambda value: 0 < value < float("inf"))
"""The callback for a finite number above 0."""


def one_of(known: Callable[[], Iterable[str]]) -> Callable[[typer.CallbackParam, Any], Any]:
    """Return the callback for one of some words, which are found out when one is given."""

    def check(name: str, value: str) -> None:
        words = list(known())
        if value not in words:
            raise RepriseError(field=name, rule=f"one of {', '.join(words)}", value=value)

    return checked(check)


def file_there(name: str, value: Path) -> None:
    """Require that a file is there, as the argument or the option of that name."""
    if not value.is_file():
        what = "it is a folder" if value.is_dir() else "there is no such file"
        raise RepriseError(field=name, rule="a file that is there", value=str(value), remedy=what)


def _folder_there(name: str, value: Path) -> None:
    if not value.is_dir():
        what = "it is a file" if value.exists() else "there is no such folder"
        raise RepriseError(field=name, rule="a folder that is there", value=str(value), remedy=what)


def _can_be_written(name: str, value: Path) -> None:
    if not value.parent.is_dir():
        remedy = f"there is no folder {value.parent}"
    elif value.is_dir():
        remedy = "it is a folder"
    elif not os.access(value if value.exists() else value.parent, os.W_OK):
        remedy = "you may not write there"
    else:
        return
    raise RepriseError(field=name, rule="a file that can be written", value=str(value), remedy=remedy)


def _can_be_filled(name: str, value: Path) -> None:
    at = value
    while not at.exists() and at != at.parent:
        at = at.parent
    if at.is_dir() and os.access(at, os.W_OK):
        return
    remedy = "you may not write there" if at.is_dir() else f"{at} is a file"
    raise RepriseError(field=name, rule="a folder to write into", value=str(value), remedy=remedy)


INPUT_FILE, INPUT_FOLDER = checked(file_there), checked(_folder_there)
"""Callbacks for a file, or a folder, that must be there."""

OUTPUT_FILE, OUTPUT_FOLDER = checked(_can_be_written), checked(_can_be_filled)
"""Callbacks for a file in a folder that is there, and for a folder that is made if it is not there."""


def explanation(error: Exception) -> list[str] | None:
    """Return the lines that tell a user what he did wrong: one that begins with ``error:`` for each problem.

    None if the error is no user's mistake but an internal one. Of Python's own exceptions, only those of the operating
    system are told, such as a full disk, and that no memory is left.
    """
    if isinstance(error, ImportError):
        error = missing_package(error) or error
    if isinstance(error, RepriseError):
        return [*(f"error: {problem}" for problem in error.problems), *error.detail.splitlines()]
    if isinstance(error, OSError) and error.strerror:
        return [_of_the_system(error)]
    if isinstance(error, MemoryError):
        said = f" ({' '.join(str(error).split())})" if str(error) else ""
        return [f"error: the memory of this machine must be enough, and it is not{said}: take fewer images at a time"]
    return f"error: {error}".splitlines() if isinstance(error, SimulationError) else None


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the operating system says when a disk is full."""


def _written(error: OSError) -> list[str]:
    """Return the file that was being written; Python names it where opening fails, and not where writing does."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    writers = (Path.write_text.__code__, Path.write_bytes.__code__)
    return [str(frame.f_locals["self"]) for frame in frames if frame.f_code in writers][-1:]


def _of_the_system(error: OSError) -> str:
    """Return what the operating system refused, the file it was, and the remedy if there is a usual one."""
    names = [str(name) for name in (error.filename, error.filename2) if name] or _written(error)
    said = f"error: {': '.join([*names[:1], str(error.strerror)])}"
    if error.errno in FULL:
        where = "" if names else f" (the files lie in {root()}, unless they were asked for elsewhere)"
        return f"{said}{where}: free some space, or set REPRISE_CACHE to a folder on another disk"
    if error.errno == errno.EROFS:
        return f"{said}: choose another folder, or set REPRISE_CACHE to one"
    return said


def internal(error: Exception, *, show: bool) -> list[str]:
    """Return the lines that tell an error of Reprise itself, and keep its traceback in a file unless it is shown."""
    text = "".join(traceback.format_exception(error))
    at = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"internal error: {said} ({Path(at.filename).name}, line {at.lineno}): please report it with the traceback"
    kept = root() / "traceback.txt"
    if not show:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(f"{' '.join(sys.argv)}\n\n{text}", encoding="utf-8")
            return [f"{line} in {kept} (or shown with {TRACEBACK})"]
        except OSError:
            pass
    return [*text.splitlines(), line]


def _usage(error: TyperException) -> list[str]:
    """Return one line for a wrong option or argument: what was wrong, the value if it is known, where help is."""
    text = " ".join(error.format_message().split())
    found = getattr(error.__cause__, "errors", None)  # pydantic's, of an option's value
    if found is not None:
        given, text = repr(found()[0]["input"]), text.replace("Value error, ", "").rstrip(".")
        text += "" if given in text else f", not {given}"
    context = getattr(error, "ctx", None)
    return [f"error: {text}" + (f" (see {context.command_path} --help)" if context else "")]


def run(
    app: typer.Typer, name: str, arguments: Sequence[str] | None = None, *, interrupted: str = "interrupted"
) -> int:
    """Run a command line and return its exit code. Mistakes are told on stderr, and an internal error is raised.

    Parameters
    ----------
    app : of :func:`commands`
    name : how a person calls the program
    arguments : words of the command line, or None for those of the process
    interrupted : what is said after Ctrl-C
    """
    code, lines = EQUAL, None
    try:
        code = get_command(app).main(arguments, prog_name=name, standalone_mode=False) or EQUAL
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if context is not None and error.message == context.get_help():  # a group alone: that asks for its help
            typer.echo(error.message)
        else:
            code, lines = MISTAKE, _usage(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except typer.Abort as error:  # so an EOFError arrives here; nobody is asked anything, hence none is a person's
        raise (error.__cause__ or error) from None
    except Exception as error:
        lines = explanation(error)
        if lines is None:
            raise
        code = SIMULATION if isinstance(error, SimulationError) else MISTAKE
    if code == INTERRUPTED:
        lines = [interrupted]
    for line in lines or []:
        typer.echo(line, err=True)
    return code


def main(app: typer.Typer, name: str, *, interrupted: str = "interrupted") -> NoReturn:
    """Run the command line of this process as :func:`run` does, and end the process with its exit code.

    An internal error is told in one line, which says where its traceback is.
    """
    words = [word for word in sys.argv[1:] if word != TRACEBACK]
    for stream in (sys.stdout, sys.stderr):  # what an output cannot show becomes a question mark, and ends no run
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        code = run(app, name, words, interrupted=interrupted)
    except Exception as error:
        for line in internal(error, show=TRACEBACK in sys.argv):
            typer.echo(line, err=True)
        code = INTERNAL
    sys.exit(code)


def say(room: str, names: Mapping[str, str]) -> NoReturn:
    """Say on stderr what the old form ``python -m ROOM COMMAND`` is called now, and end with exit code 2.

    For one release the old forms say their new name and do nothing else. Their ``__main__.py`` files stand outside the
    package and import this by its full name.

    Parameters
    ----------
    room : the folder that was run
    names : the new command for every old one; under "" stands what is said for anything else
    """
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    known = given if given in names else ""
    old = f"python -m {room} {known}".rstrip()
    print(f"error: `{old}` is now `{names[known]}`", file=sys.stderr)
    sys.exit(MISTAKE)
