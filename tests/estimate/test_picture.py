"""The picture of a network holds every box, shape and connection, and no line runs through a box or another line."""

import re
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from reprise.cosim.jobs.random_networks import random_network
from reprise.estimate.picture import GAP, PAD, boxes, lanes, picture, picture_of
from reprise.estimate.report.shapes import with_shapes
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.reprise.command import reprise

SVG = "{http://www.w3.org/2000/svg}"
TINY = HardwareConfig.load("tiny")


def weights(outputs, inputs, kernel):
    return np.ones((outputs, inputs, kernel, kernel), np.int8)


def residual_network(blocks: int) -> Network:
    """A stem, blocks of two convolutions whose second one also reads the block's input, and a readout."""
    neuron = Neuron.uniform(4, threshold=3, levels=2)
    layers = [Layer(name="stem", sources=(Source(feature="input", weight=weights(4, 3, 3), padding=1),), neuron=neuron)]
    last = "stem"
    for n in range(blocks):
        first = Source(feature=last, weight=weights(4, 4, 3), padding=1)
        layers.append(Layer(name=f"<block {n}> & first", sources=(first,), neuron=neuron))
        main = Source(feature=layers[-1].name, weight=weights(4, 4, 3), padding=1)
        shortcut = Source(feature=last, weight=weights(4, 4, 1))
        last = f"block{n}.join"
        layers.append(Layer(name=last, sources=(main, shortcut), neuron=neuron))
    full = Source(feature=last, weight=weights(10, 4 * 36, 1), flatten=True)
    layers.append(Layer(name="readout", sources=(full,), neuron=Neuron.readout(10)))
    return Network(name="residual", input_shape=(3, 6, 6), input_levels=15, timesteps=2, layers=tuple(layers))


def drawn(svg: str):
    """The boxes (left, top, right, bottom) and the texts of a picture, in order, and its lines as lists of points."""
    root = Xml.fromstring(svg)
    rects = [one.attrib for one in root.iter(f"{SVG}rect") if one.get("class") != "bar"]
    found = []
    for one in rects:
        x, y, width, height = (float(one[key]) for key in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    lines = [
        points(one.get("d")) for one in root.iter(f"{SVG}path") if one.get("class") == "edge" and "q" in one.get("d")
    ]
    return root, found, texts, lines


def points(path: str) -> list[tuple[float, float]]:
    """The corners of a line that goes around boxes; its rounded turns count as corners."""
    (right, start), (lane,), (end,) = (
        [float(n) for n in re.search(pattern, path).groups()]
        for pattern in (r"M([\d.]+) ([\d.]+)H", r"H([\d.]+)q", r"V([\d.]+)q")
    )
    turn = float(re.search(r"q([\d.]+) 0", path)[1])
    return [(right, start), (lane + turn, start), (lane + turn, end + turn), (right, end + turn)]


def test_every_layer_shape_and_connection_is_drawn():
    network = residual_network(2)
    root, rects, texts, lines = drawn(picture_of(network))
    names = [text for text in texts if text in {"input", *(layer.name for layer in network.layers)}]
    assert names == ["input", *(layer.name for layer in network.layers)] and len(rects) == len(names)
    assert [text for text in texts if re.fullmatch(r"\d+x\d+x\d+", text)] == [
        "3x6x6",
        *("x".join(map(str, network.feature_shape(layer.name))) for layer in network.layers),
    ]
    assert texts[1] == "levels 0..15, T=2, repeat"
    assert "convolution 3x3, 4 to 4 + 1x1, 4 to 4" in texts and "linear 144 to 10" in texts
    assert "if, levels 0..2; reads 2 planes (bitplane)" in texts and "does not fire; reads 2 planes (bitplane)" in texts
    assert len(lines) == 2, "the shortcut of each block"
    assert len(root.findall(f"{SVG}circle")) == 2, "the sign of each join"
    straight = [one.get("d") for one in root.iter(f"{SVG}path") if re.fullmatch(r"M[\d.]+ [\d.]+V[\d.]+", one.get("d"))]
    assert len(straight) == len(network.layers)


@pytest.mark.parametrize("network", [residual_network(10), *(random_network(seed, TINY) for seed in range(6))])
def test_no_line_runs_through_a_box_or_along_another_one(network):
    """Also with 22 layers: lines leave from the box that they read, and end at the box that reads."""
    root, rects, _, lines = drawn(picture_of(network))
    numbers = {name: n for n, name in enumerate(["input", *(layer.name for layer in network.layers)])}
    wanted = sorted(
        (numbers[source.feature], n)
        for n, layer in enumerate(network.layers, start=1)
        for source in layer.sources
        if numbers[source.feature] != n - 1
    )
    found = []
    for (x, start), (lane, _), _, (_, end) in lines:
        assert x == rects[0][2] and lane > x
        found.append(tuple(next(n for n, one in enumerate(rects) if one[1] < y < one[3]) for y in (start, end)))
    assert sorted(found) == wanted
    for n, (_, (lane, start), (_, end), _) in enumerate(lines):
        for m in range(n):
            _, (other, top), (_, bottom), _ = lines[m]
            assert lane != other or start == top or end < top or bottom < start, "two lines in one lane overlap"
    for above, below in zip(rects, rects[1:], strict=False):
        assert below[1] - above[3] == GAP and above[0] == PAD
    width, height = float(root.get("width")), float(root.get("height"))
    assert max(corner[0] for line in lines for corner in line) < width if lines else True
    assert rects[-1][3] < height


def test_lanes_by_hand():
    """A long edge lies outside of two short ones, which share a lane since one ends where the other begins."""
    assert lanes([(0, 6), (1, 3), (3, 5)]) == {(1, 3): 0, (3, 5): 0, (0, 6): 1}
    assert lanes([(0, 2), (1, 3)]) == {(0, 2): 0, (1, 3): 1}
    assert lanes([(0, 2), (0, 4), (1, 3)])[0, 4] in (0, 2) and lanes([]) == {}


def test_cycles_are_shown_where_they_are_known():
    network = residual_network(1)
    layers = with_shapes([{"name": layer.name} for layer in network.layers], network)
    for one, cycles in zip(layers, (100, 300, 500, 100), strict=True):
        one |= {
            "cycles": {"cycle_model": 7, "rtl": cycles},
            "limits": {"blocks": ["pe_array", "psum"] if cycles == 500 else []},
        }
    found = boxes(layers, None)
    assert (
        found[3].lines[-1] == "500 cycles, 50 %, limited by PE array + partial sums"
        and found[1].lines[-1] == "100 cycles, 10 %"
    )
    svg = picture(found, "title")
    bars = [one for one in Xml.fromstring(svg).iter(f"{SVG}rect") if one.get("class") == "bar"]
    whole = float(next(Xml.fromstring(svg).iter(f"{SVG}rect")).get("width"))
    assert [float(bar.get("width")) / whole for bar in bars] == pytest.approx([0.1, 0.3, 0.5, 0.1], abs=1e-3)


def test_the_command_draws_it(tmp_path):
    done = reprise("show", "digits", "--picture", tmp_path / "digits.svg")
    assert done.code == 0 and "picture: " in done.out
    _, _, texts, _ = drawn((tmp_path / "digits.svg").read_text())
    assert "convolution 3x3, 16 to 32, max pool 2" in texts or any("16 to 32" in text for text in texts)
    wrong = reprise("show", "digits", "--picture", tmp_path / "no" / "digits.svg")
    assert wrong.code == 2 and "no" in wrong.err
