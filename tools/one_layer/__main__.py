"""``python -m tools.one_layer`` rewrites the blocks of docs/one-layer.md and its picture; ``--check`` only compares.

A block stands between ``<!-- table: python -m tools.one_layer NAME -->`` and ``<!-- end of table -->``; the names are
those of :data:`tools.one_layer.blocks.BLOCKS`. ``python -m tools.one_layer NAME`` prints one.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from .blocks import BLOCKS
from .walk import Walk, walk

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PICTURE = DOCS / "one-layer.md", DOCS / "img" / "one_layer.svg"
BEGIN, END = "<!-- table: python -m tools.one_layer {name} -->", "<!-- end of table -->"


def updated(page: str, found: Walk) -> str:
    """The page with all its blocks made anew.

    Raises
    ------
    ValueError
        The page lacks a block, or has one that nothing makes.
    """
    names = re.findall(re.escape(BEGIN).replace(r"\{name\}", r"(\w+)"), page)
    if sorted(names) != sorted(BLOCKS):
        raise ValueError(f"{PAGE.name} must have the blocks {sorted(BLOCKS)}, each once, not {sorted(names)}")
    for name in names:
        before, _, rest = page.partition(BEGIN.format(name=name))
        _, _, after = rest.partition(END)
        page = f"{before}{BEGIN.format(name=name)}\n\n{BLOCKS[name](found)}\n\n{END}{after}"
    return page


def picture(found: Walk) -> bytes:
    """The SVG of the waveform."""
    from .picture import draw

    with tempfile.TemporaryDirectory() as folder:
        draw(found, path := Path(folder) / PICTURE.name)
        return path.read_bytes()


def main(arguments: list[str]) -> int:
    """Rewrite page and picture, tell with ``--check`` whether they are up to date (1: not), or print a block."""
    found = walk()
    if arguments and arguments[0] in BLOCKS:
        print(BLOCKS[arguments[0]](found))
        return 0
    page = PAGE.read_text()
    new, drawn = updated(page, found), picture(found)
    if arguments == ["--check"]:
        return int(new != page or not PICTURE.exists() or drawn != PICTURE.read_bytes())
    PAGE.write_text(new)
    PICTURE.write_bytes(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
