"""Pictures for the report without a plotting library: stacked and grouped bars as SVG, gray images as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

COLOURS = ("#1f6f8b", "#e07a5f", "#f2cc8f", "#81b29a", "#6d597a", "#b56576", "#9aa5b1", "#577590", "#43aa8b", "#d9d9d9")
LEFT, WIDTH, ROW = 150, 560, 26


def _legend(names: Sequence[str], top: float) -> tuple[list[str], float]:
    parts, x, y = [], LEFT, top
    for n, name in enumerate(names):
        width = 28 + 7 * len(name)
        if x + width > LEFT + WIDTH and x > LEFT:
            x, y = LEFT, y + 18
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[n % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 17}" y="{y + 10}">{escape(name)}</text>')
        x += width
    return parts, y + 26


def _svg(parts: list[str], height: float) -> str:
    size = f'width="{LEFT + WIDTH + 110}" height="{height:.0f}" viewBox="0 0 {LEFT + WIDTH + 110} {height:.0f}"'
    style = 'font-family="sans-serif" font-size="12" fill="#222"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>'


def stacked(rows: Mapping[str, Mapping[str, float]], *, unit: str = "") -> str:
    """A horizontal bar per row, cut into the row's parts; one scale for all rows."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    most = max((sum(row.values()) for row in rows.values()), default=0) or 1
    parts, y = _legend(names, 4)
    for label, row in rows.items():
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        x = float(LEFT)
        for name, value in row.items():
            width = WIDTH * value / most
            colour = COLOURS[names.index(name) % len(COLOURS)]
            title = f"<title>{escape(f'{label}, {name}: {value:,.0f} {unit}')}</title>"
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="18" fill="{colour}">{title}</rect>')
            x += width
        parts.append(f'<text x="{x + 5:.1f}" y="{y + 14}">{sum(row.values()):,.0f}</text>')
        y += ROW
    return _svg(parts, y + 4)


def grouped(rows: Mapping[str, Mapping[str, float]], *, form: str = "{:,.0f}") -> str:
    """For every row, one thin horizontal bar per part."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    most = max((value for row in rows.values() for value in row.values()), default=0) or 1
    parts, y = _legend(names, 4)
    for label, row in rows.items():
        middle = y + 7 * len(row) + 4
        parts.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>')
        for name, value in row.items():
            width = WIDTH * value / most
            colour = COLOURS[names.index(name) % len(COLOURS)]
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="12" fill="{colour}"/>')
            parts.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + 10}" font-size="10">{form.format(value)}</text>')
            y += 14
        y += 8
    return _svg(parts, y + 4)


def png(pixels: np.ndarray) -> str:
    """A data URI of uint8[H, W] (gray) or uint8[H, W, 3] (RGB)."""
    pixels = np.ascontiguousarray(pixels, np.uint8)
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    blob = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(blob).decode()


def picture(image: np.ndarray, levels: int, signed: bool = False) -> str:
    """A data URI of an input (C, H, W) or (T, C, H, W): gray, or RGB of three channels; the frames are averaged."""
    image = np.asarray(image, float)
    if image.ndim == 4:
        image = image.mean(axis=0)
    if signed:
        image = image + 128
    scaled = np.clip(image * (255 / levels), 0, 255).astype(np.uint8)
    if len(scaled) == 3:
        return png(scaled.transpose(1, 2, 0))
    return png(255 - scaled[0])
