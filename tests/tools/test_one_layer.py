"""docs/one-layer.md says what happens: every box has its block, and what it follows is worth following."""

from __future__ import annotations

from tools import doc_tables
from tools.one_layer.blocks import BLOCKS
from tools.tables.one_layer import walked

PAGE = doc_tables.ROOT / "docs" / "one-layer.md"


def test_the_page_has_every_block_once():
    """Whether they are up to date, tests/tools/test_doc_tables.py tells."""
    shown = [words for name, words, _, _ in doc_tables.marked(PAGE.read_text()) if name == "one-layer"]
    assert sorted(shown) == sorted((name,) for name in BLOCKS)


def test_the_page_shows_what_it_explains():
    """The picks are worth following: sums of prefix and several weight rows, a level that is neither 0 nor N."""
    found = walked()
    tile = found.tile
    assert tile.prefix[found.row] >= 0 and bin(tile.residual[found.row]).count("1") > 1
    assert tile.exact[found.exact] and tile.rows[found.exact] == tile.rows[tile.prefix[found.exact]]
    level = found.trace.levels[found.position, 0, found.channel]
    assert 0 < level < found.layer.neuron.levels and level < found.window[:, found.channel].max()
