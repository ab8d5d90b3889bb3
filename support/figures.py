"""Figures by matplotlib, drawn without a screen: the same input gives the same bytes on every machine.

Matplotlib takes a second to import, so it is imported only when a figure is made.
"""

from __future__ import annotations

import io
import logging
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
INK = "#010203"
"""The colour of everything that is not data. In an inline SVG it becomes the page's text colour, light or dark."""


def style() -> AbstractContextManager[None]:
    """The settings within which a figure is drawn and written."""
    import matplotlib

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells that it looks for fonts
    return matplotlib.rc_context(
        {
            "svg.hashsalt": "reprise",  # references inside the file are the same in every run
            "svg.fonttype": "none",  # text stays text: small, sharp, and found by the browser's search
            "font.family": "sans-serif",
            "font.size": 9,
            "text.parse_math": False,  # a dollar sign in a name is a dollar sign
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches whose axes make room for their labels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, target: Path | io.BytesIO, kind: str, *, dpi: int = 72, transparent: bool = False) -> None:
    nothing = ("Creator", "Date", "Format", "Type") if kind == "svg" else ("Software",)
    figure.savefig(target, format=kind, metadata=dict.fromkeys(nothing), dpi=dpi, transparent=transparent)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the path's suffix, one of :data:`SUFFIXES`, says how."""
    _save(figure, path, path.suffix.lower().removeprefix("."), dpi=150)


def inline_svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element for a page: no background, text and axes in the page's text colour.

    Its groups carry no names, so that several figures may stand in
    one page.
    """
    buffer = io.BytesIO()
    _save(figure, buffer, "svg", transparent=True)
    text = buffer.getvalue().decode()
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text[text.index("<svg") :])
    return text.replace(INK, "currentColor")
