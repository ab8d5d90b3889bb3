"""docs/one-layer.md says what happens: its blocks and its picture are made anew, by the RTL in Amaranth's simulator."""

from __future__ import annotations

import pytest

from tools.one_layer.__main__ import PAGE, PICTURE, picture, updated
from tools.one_layer.blocks import BLOCKS
from tools.one_layer.walk import Walk, walk


@pytest.fixture(scope="module")
def found() -> Walk:
    """The walk itself compares RTL, interpreter and model, and fails where they differ."""
    return walk()


def test_the_page_is_up_to_date(found):
    page = PAGE.read_text()
    assert updated(page, found) == page, "run python -m tools.one_layer"


def test_the_picture_is_up_to_date(found):
    assert picture(found) == PICTURE.read_bytes(), "run python -m tools.one_layer"


def test_the_page_shows_what_it_explains(found):
    """The picks are worth following: sums of prefix and several weight rows, a level that is neither 0 nor N."""
    tile = found.tile
    assert tile.prefix[found.row] >= 0 and bin(tile.residual[found.row]).count("1") > 1
    assert tile.exact[found.exact] and tile.rows[found.exact] == tile.rows[tile.prefix[found.exact]]
    level = found.trace.levels[found.position, 0, found.channel]
    assert 0 < level < found.layer.neuron.levels and level < found.window[:, found.channel].max()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_missing_block_is_named(found, name):
    page = PAGE.read_text().replace(f"one_layer {name} -->", "one_layer -->")
    with pytest.raises(ValueError, match=f"'{name}'"):
        updated(page, found)
