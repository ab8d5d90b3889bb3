"""Shows the progress of a job on the terminal, and tells in the end where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Stages:
    """Named stages that follow each other, some beside others, each with a bar and its time.

    Parameters
    ----------
    console : where the bars are drawn
    quiet : draw nothing and only take the times

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
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet,
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
        """Show and time one stage, for as long as the context is open.

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
        try:
            yield one
        finally:
            self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start
        self._progress.update(task, total=total or 1, completed=total or 1)

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

    def advance(self, completed: int | None = None, note: str | None = None, total: int | None = None) -> None:
        """Set how many steps are done, the note behind the bar, or the total; what is None stays as it is."""
        changes: dict[str, Any] = {"completed": completed, "total": total, "note": note}
        self._stages._progress.update(self._task, **{k: v for k, v in changes.items() if v is not None})

    def remark(self, note: str) -> None:
        """Set a note that stands behind the bar and in the closing line as well."""
        self._stages.notes[self._name] = note
        self.advance(note=note)
