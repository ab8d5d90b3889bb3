"""reprise.cosim.report: charts say what their figures are, pictures hold their pixels, both need nothing else."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from reprise.cosim.report import charts, html, tables

LAYERS = ("conv1", "a_layer.with.a.rather.long.name.that.must.stay.whole", "cost $1 & <more> $2")


def rows(kinds, seed=3, low=1, high=10_000):
    rng = np.random.default_rng(seed)
    return {layer: dict(zip(kinds, rng.integers(low, high, len(kinds)).tolist(), strict=True)) for layer in LAYERS}


CHARTS = {
    "causes": lambda: charts.causes_chart(rows(charts.CAUSES)),
    "cycles": lambda: charts.cycles_chart(rows(charts.MODELS)),
    "densities": lambda: charts.densities_chart(rows(charts.DENSITIES, high=100)),
}


def texts(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", CHARTS)
def test_charts_are_the_same_every_time_and_stand_in_any_page(kind):
    svg = CHARTS[kind]()
    assert svg == CHARTS[kind]()
    assert svg.startswith("<svg") and "currentColor" in svg and "#010203" not in svg
    assert not re.findall(r'(?:src|href)="(?!#)', svg)
    names = re.findall(r' id="([^"]*)"', svg)
    assert len(set(names)) == len(names)
    # what stands in several charts of one page is the same thing
    assert all(re.fullmatch(r"[mpC][0-9a-f]{10}|C\w+", name) for name in names), names
    found = texts(svg)
    assert set(LAYERS) <= set(found)
    kinds = {"causes": charts.CAUSES, "cycles": charts.MODELS, "densities": charts.DENSITIES}[kind]
    assert set(kinds) <= set(found)


def test_bars_of_causes_are_as_long_as_their_shares():
    """The paths of a bar are read back: every row fills the axis, cut at the cumulated shares."""
    causes = {"a": {"adding": 30, "row": 50, "outside": 20}, "b": {"adding": 1000, "drain": 3000}}
    svg = charts.causes_chart(causes)
    widths = {}
    for path, colour in re.findall(r'<path d="([^"]*)" style="fill: (#[0-9a-f]{6})', svg):
        xs = [float(x) for x in re.findall(r"[ML] ([-\d.]+) ", path)]
        widths.setdefault(colour, []).append(max(xs) - min(xs))
    full = widths["#009e73"][0] / 0.3
    bars = {name: [w / full for w in widths[charts.CAUSES[name].lower()][:2]] for name in ("adding", "row", "drain")}
    assert bars["adding"] == pytest.approx([0.3, 0.25], abs=1e-3)
    assert bars["row"] == pytest.approx([0.5, 0], abs=1e-3) and bars["drain"] == pytest.approx([0, 0.75], abs=1e-3)
    assert {"30", "50", "20", "25", "75", "100", "4,000"} <= set(texts(svg))


def test_an_unknown_cause_has_no_colour():
    with pytest.raises(ValueError, match=r"causes must be some of .*, not \['sleeping'\]"):
        charts.causes_chart({"a": {"sleeping": 3}})


def test_one_vocabulary():
    """Charts, tables and explanations know the same causes and figures, and no colour stands for two causes."""
    assert list(charts.CAUSES) == list(tables.CAUSES)
    assert set(charts.MODELS) == set(html.CYCLES.values()) <= set(html.TERMS)
    assert set(charts.DENSITIES) <= set(html.TERMS)
    assert len(set(charts.CAUSES.values())) == len(charts.CAUSES)


def pixels(uri: str) -> np.ndarray:
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("shape", [(5, 7), (4, 6, 3)])
def test_png_holds_its_pixels(shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(pixels(charts.png(image)), image)


def test_pictures_of_inputs():
    gray = np.array([[[0, 4], [2, 1]]])
    assert pixels(charts.picture(gray, 4)).tolist() == [[255, 0], [128, 192]]  # high levels are dark
    frames = np.array([[[[0, 4]]], [[[4, 4]]]])  # two timesteps
    assert pixels(charts.picture(frames, 4)).tolist() == [[128, 0]]
    colour = np.arange(3).reshape(3, 1, 1)
    assert pixels(charts.picture(colour, 2)).tolist() == [[[0, 127, 255]]]
    signed = np.array([[[-128, 127]]])
    assert pixels(charts.picture(signed, 255, signed=True)).tolist() == [[255, 0]]
