"""Progress of a job on the terminal, and where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Stages:
    """Named stages, one after the other, each with a bar and its time.

    Members
    -------
    seconds : stage -> seconds, in order.
    notes : stage -> a word on it ("cached").
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self.notes: dict[str, str] = {}
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
    def stage(self, name: str, description: str, *, total: int | None = None, note: str = "") -> Iterator[Stage]:
        """Time a stage; ``total`` None: of unknown length."""
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
        return time.perf_counter() - self._start

    def closing(self) -> str:
        """Where the time went, longest first."""
        parts = sorted(self.seconds.items(), key=lambda item: -item[1])
        shown = [f"{name} {s:.1f} s" + (f" ({self.notes[name]})" if name in self.notes else "") for name, s in parts]
        rest = self.total - sum(self.seconds.values())
        return f"{self.total:.1f} s: " + ", ".join(s for s in shown) + f", start-up and rest {max(0, rest):.1f} s"


class Stage:
    """Handle of a running stage."""

    def __init__(self, stages: Stages, name: str, task: TaskID) -> None:
        self._stages, self._name, self._task = stages, name, task

    def advance(self, completed: int | None = None, note: str | None = None, total: int | None = None) -> None:
        """Set what is done, a note beside the bar, the total."""
        changes: dict[str, Any] = {"completed": completed, "total": total, "note": note}
        self._stages._progress.update(self._task, **{k: v for k, v in changes.items() if v is not None})

    def remark(self, note: str) -> None:
        """A word that also goes to the closing line."""
        self._stages.notes[self._name] = note
        self.advance(note=note)
