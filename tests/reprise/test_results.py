"""What the Python API returns shows itself: one line, a table in a notebook, a picture, the whole report."""

import io
import json
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import reprise as rp
from reprise import plots
from reprise.cosim.report import charts
from reprise.cosim.report.fields import Cosimulation
from reprise.cosim.report.tables import table_lines
from reprise.estimate.report.fields import Estimate, checked

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.ipynb"))
LAYERS = ("conv1", "a_layer.with.a.rather.long.name.that.must.stay.whole", "cost $1 & <more> $2")


@pytest.fixture(scope="module")
def digits():
    return rp.load("digits")


@pytest.fixture(scope="module")
def estimate(digits):
    return rp.estimate_cycles(digits, "tiny", images=2, clock_mhz=50)


@pytest.fixture(scope="module")
def result(digits):
    return rp.cosimulate(digits, "tiny", images=2, engine="interpreter")


def test_every_part_of_a_network_is_one_line(digits):
    network = digits.network
    assert repr(network) == "Network(digits-n4-t1: 4 layers, input 1x8x8 of 0..16, T=1)"
    first, last = network.layers[0], network.layers[-1]
    neuron = "Neuron(if, N=4, reset soft, 16 channels)"
    assert repr(first) == f"Layer(conv1: Source(input, weights 16x1x3x3), {neuron}, bitplane, max pool 2)"
    assert repr(last.neuron) == "Neuron(readout, 10 channels)"


def test_a_preset_by_its_name_and_images_by_their_number(digits):
    """The form in which people write it first."""
    found = rp.cosimulate(digits, "paper", images=8, engine="interpreter")
    assert found.report["configuration_name"] == "paper" and found.images == 8 and found.equal
    assert repr(found).endswith("elements equal the model, 8 images)") and "\n" not in repr(found)


def test_the_report_is_what_the_commands_write(estimate, result):
    for found, kind in ((estimate, Estimate), (result, Cosimulation)):
        copied = found.to_dict()
        checked(copied, kind)
        assert copied == found.report and copied is not found.report
        copied["layers"][0]["name"] = "spoilt"
        assert found.layers[0]["name"] == "conv1" and list(found.layers) == found.report["layers"]
        json.dumps(copied)
    assert estimate.report["speed"]["clock"] == {"mhz": 50.0, "source": "given"}
    assert estimate.frames_per_second() == pytest.approx(2 * 50e6 / estimate.cycles)
    assert result.frames_per_second(80) == pytest.approx(2 * 80e6 / result.report["speed"]["batch_cycles"])


def cells(html: str) -> list[list[str]]:
    table = ElementTree.fromstring(html[: html.index("</table>") + len("</table>")])
    return [["".join(cell.itertext()) for cell in row] for row in table]


def test_tables_in_a_notebook(estimate, result):
    head, *rows = cells(estimate._repr_html_())
    assert head[:3] == ["layer", "cycles", "bound"]
    assert [row[0] for row in rows] == ["conv1", "conv2", "fc1", "readout", "end of the job", "total"]
    assert rows[-1][1] == f"{estimate.cycles:,}"
    head, *rows = cells(result._repr_html_())
    assert [row[0] for row in rows] == [name for name, _ in table_lines(result.report)]
    assert rows[-1][-1] == f"0 of {result.elements:,}"
    assert f"<p>All {result.elements:,} elements equal the model</p>" in result._repr_html_()


def rows_of(kinds, seed=3, low=1, high=10_000):
    rng = np.random.default_rng(seed)
    return {layer: dict(zip(kinds, rng.integers(low, high, len(kinds)).tolist(), strict=True)) for layer in LAYERS}


def texts(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", ["causes", "cycles"])
def test_pictures_are_the_same_every_time_and_stand_in_any_page(kind):
    names, draw = {
        "causes": (charts.CAUSES, plots.causes_plot),
        "cycles": (charts.MODELS, plots.cycles_plot),
    }[kind]
    svg = draw(rows_of(names))._repr_svg_()
    assert svg == draw(rows_of(names))._repr_svg_()
    assert svg.startswith("<svg") and "currentColor" in svg and "#010203" not in svg
    assert not re.findall(r'(?:src|href)="(?!#)', svg)
    assert {*LAYERS, *names} <= set(texts(svg))


def test_bars_of_causes_are_as_long_as_their_shares():
    """The paths of a bar are read back: every row fills the axis, cut at the cumulated shares."""
    causes = {"a": {"adding": 30, "row": 50, "outside": 20}, "b": {"adding": 1000, "drain": 3000}}
    svg = plots.causes_plot(causes)._repr_svg_()
    widths = {}
    for path, colour in re.findall(r'<path d="([^"]*)" style="fill: (#[0-9a-f]{6})', svg):
        xs = [float(x) for x in re.findall(r"[ML] ([-\d.]+) ", path)]
        widths.setdefault(colour, []).append(max(xs) - min(xs))
    full = widths["#009e73"][0] / 0.3
    bars = {name: [w / full for w in widths[charts.CAUSES[name].lower()][:2]] for name in ("adding", "row", "drain")}
    assert bars["adding"] == pytest.approx([0.3, 0.25], abs=1e-3)
    assert bars["row"] == pytest.approx([0.5, 0], abs=1e-3) and bars["drain"] == pytest.approx([0, 0.75], abs=1e-3)
    assert {"30", "50", "20", "25", "75", "100", "4,000"} <= set(texts(svg))


def test_a_result_draws_what_it_knows(estimate, result, tmp_path):
    for found in (estimate, result):  # the interpreter counts no causes
        plot = found.plot()
        assert repr(plot) == "Plot(cycles of every layer beside those of other machines; save(path) writes it)"
        assert {"conv1", "total", "accelerator", "published model"} <= set(texts(plot._repr_svg_()))
    counted = {"cause_cycles": {"adding": 3, "row": 1}}
    report = {"layers": [{"name": "only", **counted}], "total": counted}
    assert {"only", "adding", "75"} <= set(texts(plots.plot_of(report)._repr_svg_()))
    picture = estimate.plot().save(tmp_path / "cycles.png")
    with Image.open(io.BytesIO(picture.read_bytes())) as image:
        assert image.size[0] > 1000
    assert estimate.plot().save(str(tmp_path / "cycles.svg")).read_text().count("<svg") == 1
    with pytest.raises(rp.RepriseError, match=r"path must be a file that ends in one of \.png, \.svg, not .*\.gif"):
        estimate.plot().save(tmp_path / "cycles.gif")


def test_area_is_estimated_only_if_asked(digits):
    """It takes longer than the cycles of a small network; a synthesis that is on record costs nothing."""
    assert rp.estimate_cycles(digits, "tiny").report["area"]["source"] == "synthesized"
    other = rp.HardwareConfig.load("tiny").replace(segments=256)
    bare, whole = (rp.estimate_cycles(digits, other, area=area) for area in (False, True))
    assert "area" not in bare.report and whole.report["area"]["source"] == "estimated"
    assert "ECP5: " not in bare._repr_html_() and "ECP5: " in whole._repr_html_()
    for found in (bare, whole):
        checked(found.to_dict(), Estimate)


def test_the_time_of_an_estimate_is_in_its_report(estimate):
    """Date and time in UTC: now, give or take this test."""
    made = time.strptime(estimate.report["date"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(made) - time.mktime(time.gmtime())) < 600


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_has(path, tmp_path, monkeypatch, capsys):
    """Its cells run in order, as in a kernel; what the last line of a cell gives must have a form that is shown."""
    book = json.loads(path.read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    shown = []
    for cell in book["cells"]:
        assert cell["cell_type"] in ("markdown", "code") and isinstance(cell["source"], list)
        if cell["cell_type"] == "markdown":
            continue
        assert cell["outputs"] == [] and cell["execution_count"] is None
        *lines, last = cell["source"]
        exec("".join(lines), names)
        try:
            shown.append(eval(last, names))
        except SyntaxError:
            exec(last, names)
    kinds = [type(one).__name__ for one in shown if one is not None]
    assert kinds == ["Network", "Estimate", "Plot", "dict", "Cosimulation", "Plot"]
    assert shown[[type(one).__name__ for one in shown].index("Cosimulation")].equal
    assert "takes" in capsys.readouterr().out
