"""What people see on a terminal, in a log or in a pipe: tables of figures at any width, numbers of things, characters.

A table never cuts a number, a heading or the name of a layer. What does not fit beside it follows below, in a further
table with the same lines.
"""

from __future__ import annotations

import copy
import os
import textwrap
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

PIPE_WIDTH = 120
"""Characters of a line where nobody says how wide it may be."""

LEAST_WIDTH = 20
"""What is shown on narrower terminals is as wide as this; of a width of 0, nothing at all would be seen."""

HEADING = 9
"""Characters that a heading may have in one line, even if all that stands below it is shorter."""

MARGIN = 3
"""Characters that a column takes beside its text: a blank at each side, and a line."""


def terminal() -> Console:
    """Return the console of tables and progress; a pipe gets lines of 120 characters, or of ``$COLUMNS``."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(width=PIPE_WIDTH)
    return console if console.width >= LEAST_WIDTH else Console(width=LEAST_WIDTH)


def figure(value: float | None) -> str:
    """Return a figure with commas between thousands, and a dash where there is none."""
    return "-" if value is None else f"{value:,.0f}"


def percent(fraction: float) -> str:
    """Return a fraction in percent, with two places."""
    return f"{100 * fraction:.2f} %"


def counted(count: int, thing: str) -> str:
    """Return a number of things: 1 image, 2 images, 3 mismatches, 1,000 bytes."""
    plural = f"{thing}es" if thing.endswith(("s", "x", "ch", "sh")) else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"


class Figures(Table):
    """A table whose first column names the lines, and whose other columns hold figures, all aligned at the right.

    Headings are wrapped between words. If the columns do not all fit into the width, the table is shown in parts, one
    below the other, and each has the first column. A column of ``words`` is aligned at the left, and the text in one of
    ``prose`` may be wrapped as well.
    The name in the first column is wrapped only if not even one figure fits beside it.

    Parameters
    ----------
    headings : of the columns; ``words(heading)`` and ``prose(heading)`` for those that hold no figures
    title, caption : above and below the table, as for ``rich.table.Table``
    """

    def __init__(self, *headings: str | Column, title: str | None = None, caption: str | None = None) -> None:
        super().__init__(*headings, title=title, caption=caption, caption_justify="left")
        for number, (heading, column) in enumerate(zip(headings, self.columns, strict=True)):
            column.no_wrap = column.min_width is None
            if number and isinstance(heading, str):
                column.justify = "right"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [self._narrow(console, options, column) for column in self.columns]
        widths = [self._width(console, options, column) for column in columns]
        room = options.max_width - 1  # the table's last line takes one
        longest = max(widths[1:], default=0)
        if widths[0] + longest > room:
            widths[0] = max(room - longest, MARGIN + 1)
            columns[0] = replace(columns[0], no_wrap=False, overflow="fold", max_width=widths[0] - MARGIN)
        parts = list(_groups(widths[1:], max(room - widths[0], 1)))
        for number, part in enumerate(parts):
            shown = copy.copy(self)
            shown.columns = [replace(columns[n], _index=place) for place, n in enumerate((0, *part))]
            shown.title = self.title if number == 0 else None
            shown.caption = self.caption if number == len(parts) - 1 else None
            yield from Table.__rich_console__(shown, console, options)

    def _narrow(self, console: Console, options: ConsoleOptions, column: Column) -> Column:
        """Return the column with a heading whose lines are no longer than its longest word or its longest cell."""
        cells = [Measurement.get(console, options, cell).maximum for cell in column._cells]
        words = [len(word) for word in str(column.header).split()]
        cells.append(column.min_width or 0)
        header = "\n".join(textwrap.wrap(str(column.header), max([*cells, *words, HEADING]), break_on_hyphens=False))
        return replace(column, header=header)

    def _width(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        """Return the characters that a column takes with its padding and the line at its left."""
        if column.min_width is not None:
            return column.min_width + MARGIN
        return self._measure_column(console, options.update(max_width=10_000), column).maximum + 1


def words(heading: str) -> Column:
    """Return a column of words that are not wrapped."""
    return Column(heading)


def prose(heading: str, least: int = 24) -> Column:
    """Return a column of text that may be wrapped, to no fewer characters than ``least``."""
    return Column(heading, min_width=least)


def _groups(widths: list[int], room: int) -> list[list[int]]:
    """Return which columns stand beside the first one in each part: few parts, which are about equally wide."""
    fewest = len(_filled(widths, room))
    for limit in range(sum(widths) // max(fewest, 1), room):
        if len(_filled(widths, limit)) == fewest:
            return _filled(widths, limit)
    return _filled(widths, room)


def _filled(widths: list[int], room: int) -> list[list[int]]:
    """Return the columns, counted from 1, in parts that are as full as ``room`` lets them be."""
    parts: list[list[int]] = []
    used = room + 1
    for number, width in enumerate(widths, 1):
        if used + width > room:
            parts.append([])
            used = 0
        parts[-1].append(number)
        used += width
    return parts
