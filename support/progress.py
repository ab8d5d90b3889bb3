"""Shows the progress of a job, and tells in the end where its time went.

On a terminal there are bars. In a log or a pipe there is one plain line when a stage begins and one when it ends, so
that nobody waits in front of nothing. These lines go to standard error, and the results alone to standard output.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

EVERY = 30.0
"""Seconds between the lines that tell how far a long job is, where no bar can be drawn."""


class _Words:
    """As many words of a text as fit into one line; none is cut."""

    def __init__(self, text: str) -> None:
        self.words = text.split()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, len(" ".join(self.words))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = list(self.words)
        while shown and len(" ".join(shown)) > options.max_width:
            shown.pop()
        yield Text(" ".join(shown))


class _Note(ProgressColumn):
    """The note of a task, which gives way when the line is too narrow; nothing else in the line does."""

    def render(self, task: Task) -> RenderableType:
        return _Words(task.fields["note"])


def _fixed() -> Column:
    return Column(no_wrap=True, min_width=7)


def _description() -> TextColumn:
    return TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=24))


def _can_draw(console: Console) -> bool:
    return console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)


def _unicode(console: Console) -> bool:
    return console.encoding.startswith("utf")


def _line(console: Console, text: str) -> None:
    """Print a line beside the results: where these go to standard output, it goes to standard error.

    The line's end is not written apart from it, so that two threads that print at once give two lines.
    """
    if not console.quiet:
        print(f"{text}\n", end="", file=sys.stderr if console.file is sys.stdout else console.file, flush=True)


class Stages:
    """Named stages that follow each other, some beside others, each with a bar and its time.

    Parameters
    ----------
    console : where the bars are drawn, or the lines printed
    quiet : show nothing and only take the times

    Members
    -------
    seconds : the seconds that each stage took, in the order in which they began
    notes : a word on a stage, such as "cached", that is shown with its time
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self.notes: dict[str, str] = {}
        self._beside: set[str] = set()
        self._start = time.perf_counter()
        self._lines = not quiet and not _can_draw(console)
        unicode = _unicode(console)
        self._progress = Progress(
            SpinnerColumn("dots" if unicode else "line", finished_text=f"[green]{'✓' if unicode else '*'}[/]"),
            _description(),
            BarColumn(bar_width=12),
            TimeElapsedColumn(table_column=_fixed()),
            _Note(),
            console=console,
            disable=quiet or self._lines,
        )

    def __enter__(self) -> Stages:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(
        self, name: str, description: str, *, total: int | None = None, note: str = "", beside: bool = False
    ) -> Iterator[Stage]:
        """Show and time one stage, for as long as the context is open. What fails leaves no bar above its error.

        Parameters
        ----------
        name : under which its time is kept
        description : shown before the bar
        total : steps until the stage is done, or None if nobody knows
        note : shown behind the bar
        beside : it runs in another process or thread, at the same time as stages that are not ``beside``
        """
        if beside:
            self._beside.add(name)
        task = self._progress.add_task(description, total=total, note=note)
        start = time.perf_counter()
        one = Stage(self, name, task)
        one.note = note
        if self._lines:
            _line(self.console, f"{description}: {note or 'begins'}")
        try:
            yield one
        except BaseException:
            self._progress.remove_task(task)
            raise
        finally:
            took = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0) + took
        self._progress.update(task, total=total or 1, completed=total or 1)
        if self._lines:
            said = f", {one.note}" if one.note and one.note != note else ""
            _line(self.console, f"{description}: done in {took:.1f} s{said}")

    @property
    def total(self) -> float:
        """Seconds since this object was made."""
        return time.perf_counter() - self._start

    def closing(self) -> str:
        """Return one line that says where the time went, the longest stage first, and at last what ran meanwhile."""
        ordered = sorted(self.seconds, key=lambda name: (name in self._beside, -self.seconds[name]))
        shown = [f"{name.replace('_', ' ')} {self.seconds[name]:.1f} s" + self._note(name) for name in ordered]
        row = [name for name in ordered if name not in self._beside]
        rest = f"start-up and rest {max(0, self.total - sum(self.seconds[name] for name in row)):.1f} s"
        line = f"{self.total:.1f} s: " + ", ".join([*shown[: len(row)], rest])
        return line + (f"; meanwhile {', '.join(shown[len(row) :])}" if self._beside else "")

    def _note(self, name: str) -> str:
        return f" ({self.notes[name]})" if name in self.notes else ""


class Stage:
    """A running stage, through which whoever does the work tells how far it is."""

    def __init__(self, stages: Stages, name: str, task: TaskID) -> None:
        self._stages, self._name, self._task = stages, name, task
        self.note = ""

    def advance(self, completed: int | None = None, note: str | None = None, total: int | None = None) -> None:
        """Set how many steps are done, the note behind the bar, or the total; what is None stays as it is."""
        self.note = self.note if note is None else note
        changes: dict[str, Any] = {"completed": completed, "total": total, "note": note}
        self._stages._progress.update(self._task, **{k: v for k, v in changes.items() if v is not None})

    def remark(self, note: str) -> None:
        """Set a note that stands behind the bar and in the closing line as well."""
        self._stages.notes[self._name] = note
        self.advance(note=note)


class Doing:
    """A running thing of :func:`doing`, through which whoever does it tells how far it is."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note


@contextmanager
def doing(console: Console, what: str, note: str = "") -> Iterator[Doing]:
    """Show that one thing is being done: ``what``, and in ``note`` how long it takes, or how far it is."""
    start = time.perf_counter()
    if _can_draw(console):
        with console.status(_joined(what, note), spinner="dots" if _unicode(console) else "line") as status:
            yield Doing(lambda text: status.update(_joined(what, text)))
        return
    _line(console, f"{what}: {note or 'begins'}")
    yield Doing(lambda text: None)
    _line(console, f"{what}: done in {time.perf_counter() - start:.1f} s")


def _joined(what: str, note: str) -> str:
    return f"{what}: {note}" if note else what


class Count:
    """A running job of :func:`counting`, whose steps are counted."""

    def __init__(self, show: Callable[[int, str], object]) -> None:
        self._show, self.done = show, 0

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say that more steps are done, and what there is to note."""
        self.done += steps
        self._show(self.done, note)


@contextmanager
def counting(console: Console, what: str, total: int) -> Iterator[Count]:
    """Show a long job of many steps: a bar with the time that is left, or now and then a line."""
    start = last = time.perf_counter()
    if _can_draw(console):
        fixed = [MofNCompleteColumn(table_column=_fixed()), TimeElapsedColumn(table_column=_fixed())]
        left = TimeRemainingColumn(table_column=_fixed())
        with Progress(_description(), BarColumn(bar_width=12), *fixed, left, _Note(), console=console) as progress:
            task = progress.add_task(what, total=total, note="")
            yield Count(lambda done, note: progress.update(task, completed=done, note=note))
        return

    def show(done: int, note: str) -> None:
        nonlocal last
        if time.perf_counter() - last > EVERY and done < total:
            last = time.perf_counter()
            _line(console, f"{what}: {done} of {total}, {last - start:.0f} s" + (f", {note}" if note else ""))
        said[:] = [note]

    said = [""]
    _line(console, f"{what}: 0 of {total}")
    yield Count(show)
    _line(console, f"{what}: done in {time.perf_counter() - start:.1f} s" + (f", {said[0]}" if said[0] else ""))
