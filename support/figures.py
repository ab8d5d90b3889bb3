"""Figures by matplotlib, drawn without a screen. The same input gives the same bytes on every machine.

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
    """Return the settings, as a context, within which every figure is drawn and written."""
    import matplotlib

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # users need not read that it looks for fonts
    return matplotlib.rc_context(
        {
            "svg.hashsalt": "reprise",  # references inside the file are the same in every run
            "svg.fonttype": "none",  # text stays text, which is small, sharp, and found by a browser's search
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
    """Make an empty figure of ``width`` x ``height`` inches, in which axes make room for their labels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, target: Path | io.BytesIO, kind: str, *, dpi: int = 72, transparent: bool = False) -> None:
    nothing = ("Creator", "Date", "Format", "Type") if kind == "svg" else ("Software",)
    figure.savefig(target, format=kind, metadata=dict.fromkeys(nothing), dpi=dpi, transparent=transparent)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the path's suffix, one of :data:`SUFFIXES`, names."""
    _save(figure, path, path.suffix.lower().removeprefix("."), dpi=150)


def inline_svg(figure: Figure) -> str:
    """Return the figure as an ``<svg>`` element for a page.

    It has no background, and its text and axes have the page's text colour. Its groups carry no names, so that several
    figures may stand in one page.
    """
    buffer = io.BytesIO()
    _save(figure, buffer, "svg", transparent=True)
    text = buffer.getvalue().decode()
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text[text.index("<svg") :])
    return text.replace(INK, "currentColor")
