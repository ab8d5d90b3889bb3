"""Draws a network as SVG: a box for each layer in the order of its data flow, with shapes, kernels and levels.

What the layer before reads goes straight down. What skips layers (residual connections, branches) goes around them in
lanes at the right, so that it crosses no box. Colours follow the page, light or dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

from ..model.network.network import Network
from .limits import named
from .report.shapes import with_shapes

LINE, PAD, GAP = 17, 10, 34
"""Pixels of a line of text, of the margin around a box's text, and between boxes."""

CHARACTER = 7.2
"""Pixels that a character takes at most on average, in the font's size of 12."""

LANE, TURN = 20, 8
"""Pixels between lanes, and of the radius of their turns."""

STYLE = """
.net{font:12px system-ui,sans-serif;--net-line:#888;--net-ink:#222;--net-conv:#e3eef8;--net-linear:#fdeedd;
--net-product:#f0e4f5;--net-out:#e4f3ea;--net-in:#f0f0ee;--net-bar:#D55E00}
@media (prefers-color-scheme:dark){.net{--net-line:#999;--net-ink:#ddd;--net-conv:#1f3346;--net-linear:#45331d;
--net-out:#1e3b2a;--net-in:#2b2e30;--net-product:#39263f}}
@media print{.net{--net-line:#888;--net-ink:#000;--net-conv:#e3eef8;--net-linear:#fdeedd;--net-out:#e4f3ea;
--net-in:#f0f0ee;--net-product:#f0e4f5}}
.net text{fill:var(--net-ink)}.net .name{font-weight:600}.net .soft{opacity:.75}
.net .edge{fill:none;stroke:var(--net-line);stroke-width:1.5}.net .tip{fill:var(--net-line)}
.net rect{stroke:var(--net-line)}.net .convolution{fill:var(--net-conv)}.net .linear{fill:var(--net-linear)}
.net .product{fill:var(--net-product)}
.net .readout{fill:var(--net-out)}.net .input{fill:var(--net-in)}.net .bar{fill:var(--net-bar);stroke:none}
.net .plus{fill:var(--net-in);stroke:var(--net-line);stroke-width:1.5}
"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A layer, or the input.

    Members
    -------
    name, kind : its name, and what it is: input, convolution, linear, product or readout
    lines : of text below the name
    label : the shape of the feature map that it writes
    reads : the boxes that it reads, by their numbers
    share : of all cycles, from 0 to 1; None if nobody knows
    """

    name: str
    kind: str
    lines: tuple[str, ...]
    label: str
    reads: tuple[int, ...]
    share: float | None = None

    @property
    def height(self) -> int:
        """Pixels from its upper to its lower edge."""
        return 2 * PAD + LINE * (1 + len(self.lines))


def _lines(shape: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a box says of its layer."""
    kernels = [
        f"{'' if shape['kind'] == 'linear' else f'{h}x{w}, '}{inputs} to {outputs}"
        for outputs, inputs, h, w in shape["weights"]
    ]
    pool = f", max pool {shape['pool']}" if shape["pool"] > 1 else ""
    what = f"{shape['kind']} {' + '.join(kernels)}{pool}".rstrip()
    still = {"readout": "does not fire", "sum": "sums, does not fire"}
    fires = still.get(shape["neuron"]) or f"{shape['neuron']}, levels 0..{shape['levels']}"
    planes = f"{shape['planes']} plane{'' if shape['planes'] == 1 else 's'}"
    return what, f"{fires}; reads {planes} ({shape['encoding']})"


def boxes(layers: Sequence[Mapping[str, Any]], input_shape: Sequence[int] | None, input_text: str = "") -> list[Box]:
    """Return the boxes of a network: the input, and a box for each layer.

    Parameters
    ----------
    layers : each with ``name`` and ``shape`` (:class:`reprise.estimate.report.fields.Shape`), and, if they are known,
        its ``cycles`` and ``limits``, of which the box then tells
    input_shape : channels, height, width; None if nobody knows
    input_text : what the box of the input says beside its shape
    """
    known = "" if input_shape is None else "x".join(map(str, input_shape))
    found = [Box(name="input", kind="input", lines=(input_text,) if input_text else (), label=known, reads=())]
    number = {"input": 0}
    totals = [_cycles(one) for one in layers]
    whole = sum(total or 0 for total in totals)
    for one, cycles in zip(layers, totals, strict=True):
        shape, lines = one["shape"], _lines(one["shape"])
        if cycles is not None and whole:
            blocks = (one.get("limits") or {}).get("blocks")
            limited = f", limited by {named(blocks)}" if blocks else ""
            lines = (*lines, f"{cycles:,} cycles, {100 * cycles / whole:.0f} %{limited}")
        for name in (one["name"], one.get("feature", one["name"])):
            number.setdefault(name, len(found))
        found.append(
            Box(
                name=one["name"],
                kind="readout" if shape["neuron"] == "readout" else shape["kind"].split()[0],
                lines=lines,
                label="x".join(map(str, shape["output"])),
                reads=tuple(number[name] for name in shape["reads"]),
                share=None if cycles is None or not whole else cycles / whole,
            )
        )
    return found


def _cycles(layer: Mapping[str, Any]) -> int | None:
    cycles = layer.get("cycles")
    return None if cycles is None else int(cycles.get("rtl") or cycles["cycle_model"])


def lanes(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return a lane for every edge that goes around boxes, so that edges beside each other never share one.

    The shortest edges get the innermost lanes. Edges that leave the same box may share a lane, since they carry the
    same feature map; and so may one that ends at a box and one that leaves it, since it leaves further down.
    """
    found: dict[tuple[int, int], int] = {}
    for start, end in sorted(set(edges), key=lambda edge: (edge[1] - edge[0], edge)):
        taken = {lane for (a, b), lane in found.items() if a != start and max(a, start) < min(b, end)}
        found[start, end] = next(n for n in range(len(edges) + 1) if n not in taken)
    return found


def picture(found: Sequence[Box], title: str, *, inline: bool = False) -> str:
    """Return the SVG of boxes in the order of their data flow.

    Parameters
    ----------
    found : of :func:`boxes`; each reads boxes before it
    title : for people who do not see the picture
    inline : it will stand in a page of HTML, which needs no name space
    """
    width = max(CHARACTER * max(len(text) for text in (box.name, *box.lines)) for box in found) + 2 * PAD
    tops, at = [], PAD
    for box in found:
        tops.append(at)
        at += box.height + GAP
    around = lanes([(source, n) for n, box in enumerate(found) for source in box.reads if source != n - 1])
    right = PAD + width
    full = right + LANE * (2 + max(around.values(), default=-1)) + PAD
    size = {"width": f"{full:.0f}", "height": f"{at:.0f}", "viewBox": f"0 0 {full:.0f} {at:.0f}"}
    space = {} if inline else {"xmlns": "http://www.w3.org/2000/svg"}
    svg = Xml.Element("svg", {**space, "class": "net", "role": "img", **size})
    Xml.SubElement(svg, "title").text = title
    Xml.SubElement(svg, "style").text = STYLE
    for (source, n), lane in around.items():
        _around(svg, right, tops[source] + found[source].height - PAD, tops[n] + PAD, right + LANE * (lane + 1))
    for n, box in enumerate(found):
        _box(svg, box, tops[n], width)
        bottom, middle = tops[n] + box.height, PAD + width / 2
        if n + 1 < len(found) and n in found[n + 1].reads:
            _arrow(svg, f"M{middle:.1f} {bottom}V{bottom + GAP}", middle, bottom + GAP, down=True)
        _text(svg, middle + 8, bottom + GAP / 2 + 4, box.label, "soft")
        if len(box.reads) > 1:
            _plus(svg, right, tops[n] + PAD)
    return Xml.tostring(svg, encoding="unicode") + "\n"


def picture_of(network: Network) -> str:
    """Return the SVG of a network."""
    layers = with_shapes([{"name": layer.name} for layer in network.layers], network)
    told = f"{input_text(network.input_levels, network.input_signed)}, T={network.timesteps}, {network.input_mode}"
    return picture(boxes(layers, network.input_shape, told), f"The layers of {network.name} and their shapes")


def input_text(levels: int, signed: bool) -> str:
    """Return which levels an input has."""
    return "levels -128..127" if signed else f"levels 0..{levels}"


def _box(svg: Xml.Element, box: Box, top: float, width: float) -> None:
    at = {"x": str(PAD), "y": str(top), "width": f"{width:.1f}", "height": str(box.height), "rx": "4"}
    Xml.SubElement(svg, "rect", {"class": box.kind, **at})
    if box.share:
        place = {"x": str(PAD), "y": str(top + box.height - 4), "width": f"{width * box.share:.1f}", "height": "4"}
        Xml.SubElement(svg, "rect", {"class": "bar", **place})
    _text(svg, 2 * PAD, top + PAD + 12, box.name, "name")
    for n, line in enumerate(box.lines, start=1):
        _text(svg, 2 * PAD, top + PAD + 12 + LINE * n, line)


def _text(svg: Xml.Element, x: float, y: float, text: str, kind: str = "") -> None:
    Xml.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}"} | ({"class": kind} if kind else {})).text = text


def _arrow(svg: Xml.Element, path: str, x: float, y: float, *, down: bool) -> None:
    """Draw a line that ends in a tip at a point, which points down or to the left."""
    Xml.SubElement(svg, "path", {"class": "edge", "d": path})
    tip = f"M{x:.1f} {y}l-4-7h8z" if down else f"M{x:.1f} {y}l7-4v8z"
    Xml.SubElement(svg, "path", {"class": "tip", "d": tip})


def _around(svg: Xml.Element, right: float, start: float, end: float, lane: float) -> None:
    """Draw a line from the right side of a box, down a lane, to the right side of a lower box."""
    t = TURN
    path = f"M{right:.1f} {start}H{lane - t:.1f}q{t} 0 {t} {t}V{end - t}q0 {t} -{t} {t}H{right:.1f}"
    _arrow(svg, path, right, end, down=False)


def _plus(svg: Xml.Element, x: float, y: float) -> None:
    """Draw the sign of a join: its sources are added up."""
    place = {"cx": f"{x:.1f}", "cy": str(y), "r": "7"}
    Xml.SubElement(svg, "circle", {"class": "plus", **place})
    Xml.SubElement(svg, "path", {"class": "edge", "d": f"M{x - 4:.1f} {y}h8M{x:.1f} {y - 4}v8"})
