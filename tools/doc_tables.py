"""Makes the tables and pictures of the pages from what they tell about.

``make docs`` writes them anew, and a test compares them.

In a page a table stands between two comments::

    <!-- table: NAME WORD... -->

    | ... |

    <!-- end of table -->

It is what ``table("WORD", ...)`` of the module ``tools/tables/NAME.py`` returns; a hyphen of NAME is an underscore
there. What is slow to measure comes from a record in ``docs/measured``, and the docstring of the module says which
command writes that. A module may also have ``PICTURES``, which are functions that write a file of ``docs/img`` to a
path, by the names of these files, and ``FILES``, which are functions that return the text of a file, by its path in the
repository.

``python -m tools.doc_tables --write [PAGE...]`` writes the given pages, or all of them. Without ``--write`` it writes
nothing, says what differs, and ends with exit code 1 if anything does.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from reprise.support.command_line import INPUT_FILE, Write, commands, example, main
from reprise.support.errors import RepriseError

NAME = "python -m tools.doc_tables"
ROOT = Path(__file__).resolve().parents[1]
MAKERS = ROOT / "tools" / "tables"
IMAGES = ROOT / "docs" / "img"
BEGIN, END = re.compile(r"<!-- table: ([\w-]+)((?: [\w./=-]+)*) -->\n"), "<!-- end of table -->"

app = commands()


class TableError(RepriseError):
    """The marks of a page are not as they must be."""


def pages() -> list[Path]:
    """Return all pages that may hold tables."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])


def maker(name: str) -> ModuleType:
    """Return the module that makes the tables called ``name``.

    Raises
    ------
    TableError
        There is no such module.
    """
    module = name.replace("-", "_")
    if not (MAKERS / f"{module}.py").is_file():
        raise TableError(f"a table must be made by a module of tools/tables, and tools/tables/{module}.py is none")
    return importlib.import_module(f"tools.tables.{module}")


def marked(page: str) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """Yield the tables of a page: maker, its words, and where the text between the marks begins and ends.

    Raises
    ------
    TableError
        A table has no end.
    """
    for found in BEGIN.finditer(page):
        end = page.find(END, found.end())
        inside = BEGIN.search(page, found.end())
        if end < 0 or (inside and inside.start() < end):
            raise TableError(f"{found[0].strip()} must be followed by {END}")
        yield found[1], tuple(found[2].split()), found.end(), end


def made(name: str, words: Sequence[str]) -> str:
    """Return what must stand between the marks of a table."""
    return f"\n{maker(name).table(*words).strip()}\n\n"


def updated(page: str, only: Callable[[str], bool] = lambda name: True) -> str:
    """Return a page whose tables are made anew, or only those of the makers that ``only`` takes."""
    for name, words, begin, end in reversed(list(marked(page))):
        if only(name):
            page = page[:begin] + made(name, words) + page[end:]
    return page


def pictures() -> dict[str, Callable[[Path], None]]:
    """Return, for each picture that a maker draws, the function that writes it to a path, by the picture's name."""
    names = (path.stem for path in sorted(MAKERS.glob("*.py")) if path.stem != "__init__")
    return {name: draw for one in names for name, draw in getattr(maker(one), "PICTURES", {}).items()}


def texts() -> dict[str, Callable[[], str]]:
    """Return, for each text file that a maker writes, the function that returns its content, by the file's path."""
    names = (path.stem for path in sorted(MAKERS.glob("*.py")) if path.stem != "__init__")
    return {name: text for one in names for name, text in getattr(maker(one), "FILES", {}).items()}


def drawn(draw: Callable[[Path], None], name: str) -> bytes:
    """Return the content of a picture."""
    with tempfile.TemporaryDirectory() as folder:
        draw(path := Path(folder) / name)
        return path.read_bytes()


@app.command(epilog=example(f"{NAME} --write docs/core.md"))
def doc_tables(
    chosen: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PAGE", callback=INPUT_FILE, help="only these pages, and no pictures"),
    ] = None,
    write: Write = False,
) -> None:
    """Make the tables and pictures of the documentation anew; with --write, change the tracked files that differ."""
    stale = []
    for page in [path.resolve() for path in chosen or []] or pages():
        text = page.read_text()
        new = updated(text)
        if new != text:
            stale.append(page)
            if write:
                page.write_text(new)
    for name, draw in {} if chosen else pictures().items():
        new_bytes, path = drawn(draw, name), IMAGES / name
        if not path.is_file() or new_bytes != path.read_bytes():
            stale.append(path)
            if write:
                path.write_bytes(new_bytes)
    for name, text_of in {} if chosen else texts().items():
        new, path = text_of(), ROOT / name
        if not path.is_file() or new != path.read_text():
            stale.append(path)
            if write:
                path.write_text(new)
    for path in stale:
        print(f"{'written' if write else 'differs'}: {path.relative_to(ROOT)}")
    raise typer.Exit(int(bool(stale) and not write))


if __name__ == "__main__":
    main(app, NAME)
