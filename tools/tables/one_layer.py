"""The blocks of :mod:`tools.one_layer`: one layer of digits in Amaranth's simulator of the RTL, box by box."""

from __future__ import annotations

import functools
from pathlib import Path

from tools.one_layer.blocks import BLOCKS
from tools.one_layer.walk import Walk, walk


@functools.cache
def walked() -> Walk:
    """Walk once through the layer; the walk compares RTL, interpreter and model, and fails where they differ."""
    return walk()


def table(name: str) -> str:
    """Tell what one box did."""
    return BLOCKS[name](walked())


def _draw(path: Path) -> None:
    from tools.one_layer.picture import draw

    draw(walked(), path)


PICTURES = {"one_layer.svg": _draw}
