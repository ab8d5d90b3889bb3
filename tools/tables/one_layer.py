"""One layer of digits through the RTL in Amaranth's simulator, box by box: the blocks of :mod:`tools.one_layer`."""

from __future__ import annotations

import functools
from pathlib import Path

from tools.one_layer.blocks import BLOCKS
from tools.one_layer.walk import Walk, walk


@functools.cache
def walked() -> Walk:
    """The walk compares RTL, interpreter and model, and fails where they differ."""
    return walk()


def table(name: str) -> str:
    """What one box did."""
    return BLOCKS[name](walked())


def _draw(path: Path) -> None:
    from tools.one_layer.picture import draw

    draw(walked(), path)


PICTURES = {"one_layer.svg": _draw}
