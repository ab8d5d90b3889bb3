"""reprise.cosim.report: the page says what its figures are, bars are as long as they, and it needs nothing else."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from reprise.cosim.command import prepare_folder, run_network
from reprise.cosim.options import Options
from reprise.cosim.report import charts, html, pictures, tables
from reprise.estimate.area.parts import LARGEST_ECP5
from reprise.estimate.cycles.parameters import IDEAL
from reprise.estimate.limits import MEANINGS, NAMES, named
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.shipped import shipped

LAYERS = ("conv1", "a_layer.with.a.rather.long.name.that.must.stay.whole", "cost $1 & <more> $2")
VOID = ("meta", "img", "path", "circle", "use")


class Page(HTMLParser):
    """A page as text, with what stands in every element; elements that are not closed are an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.elements = [], [], []
        self.feed(text)
        assert self.open == [], "elements that were never closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), [name for name, _ in self.open]))
        if tag not in VOID:
            self.open.append((tag, len(self.elements) - 1))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), [name for name, _ in self.open]))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if data.strip() and self.open and self.open[-1][0] != "style":
            self.texts.append(" ".join(data.split()))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with counters as the RTL has them; the interpreter counts nothing, so causes are put in."""
    out = tmp_path_factory.mktemp("report")
    options = Options(
        config=HardwareConfig.load("tiny").replace(max_levels=9),
        config_name="tiny-max_levels9",
        preset={"max_levels": 7},
        images=2,
        engine="interpreter",
        out=out,
    )
    from rich.console import Console

    assert run_network(str(shipped("digits")), options, Console(file=io.StringIO())) == 0
    found = json.loads((out / "report.json").read_text())
    rng = np.random.default_rng(7)
    for one in (*found["layers"], found["rest"], found["total"]):
        cycles = one["cycles"]["rtl"] = one["cycles"]["cycle_model"]
        cuts = np.sort(rng.integers(0, cycles + 1, len(charts.CAUSES) - 1))
        shares = np.diff([0, *cuts, cycles]).tolist()
        one["cause_cycles"] = dict(zip(charts.CAUSES, shares, strict=True))
    for name, layer in zip(LAYERS, found["layers"], strict=False):
        layer["name"] = name
    return found


def test_the_page_needs_nothing_else_and_is_whole(report):
    text = html.page(report)
    assert text == html.page(report)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text) and "http" not in text and "@import" not in text
    page = Page(text)
    assert set(LAYERS) <= set(page.texts), "long names stay whole, and special characters are what they are"
    names = re.findall(r' id="([^"]*)"', text)
    assert len(set(names)) == len(names) and set(re.findall(r'href="#([^"]*)"', text)) <= set(names)
    assert "The layers, from the input to the readout" in page.texts and "linear 64 to 10" in page.texts
    assert ("viewport" in text) and "prefers-color-scheme:dark" in text and "@media print" in text


def test_the_first_screen_answers_what_people_ask(report):
    text = html.page(report)
    page = Page(text)
    speed, area = report["speed"], report["area"]
    assert "All 916 elements equal the model." in page.texts
    for heading, value in (
        ("Exact", "yes"),
        ("Accuracy", "2 of 2"),
        ("Cycles", f"{report['total']['cycles']['rtl']:,}"),
        ("Latency of one image", f"{speed['image_microseconds']:,.1f} us"),
        ("Frames per second", f"{speed['frames_per_second']:,.0f}"),
        ("FPGA", "fits LFE5U-25k"),
    ):
        assert page.texts[page.texts.index(heading) + 1] == value
    assert (
        f"at {LARGEST_ECP5.mhz} MHz, assumed" in page.texts
        and f"{area['luts']:,} LUT4s" in text
        and "estimated" in text
    )


def test_configuration_network_and_origin_are_on_the_page(report):
    page = Page(html.page(report))
    fields = page.texts[page.texts.index("The hardware: tiny-max_levels9") :]
    for name, value in report["configuration"].items():
        shown = f"{value} (preset: 7)" if name == "max_levels" else str(value)
        assert fields[fields.index(name) + 1] == shown
    changed = [attributes for _, attributes, _ in page.elements if attributes.get("class") == "changed"]
    assert len(changed) == 1
    head = fields = page.texts[page.texts.index("The network") + 1 :]
    columns = len(head[: head.index(LAYERS[0])])
    row = head[columns : 2 * columns]
    assert row == "conv1|convolution, max pool 2|input|16x1x3x3|9|2 of 8 bits|16|16x4x4|if|4|1|bitplane|5".split("|")
    made = " ".join(page.texts[page.texts.index("How this report was made") :])
    assert report["date"] in made and "numpy" in made and "seed 0" in made
    assert "by a Python program" in made and report["command"] is None
    assert "<code>reprise cosim x</code>" in html.page(report | {"command": "reprise cosim x"})


def test_a_mismatch_is_said_first(report):
    wrong = report | {"mismatches": 3, "first_mismatch": "conv2: image 0", "differences": []}
    page = Page(html.page(wrong))
    assert page.texts.index("3 of 916 elements differ from the model.") < page.texts.index("Exact")
    assert page.texts[page.texts.index("Exact") + 1] == "NO" and "The first difference: conv2: image 0" in page.texts


def test_bars_of_causes_are_as_long_as_their_shares(report):
    """Widths are read back from the page: every row fills the axis, cut at the shares, in the causes' colours."""
    text = html.page(report)
    chart = text[text.index("Where the cycles go") : text.index("What limits each layer")]
    tracks = re.findall(r'<div class="track">(.*?)</div>', chart)
    lines = tables.table_lines(report)
    assert len(tracks) == len(lines)
    for track, (_, one) in zip(tracks, lines, strict=True):
        pieces = re.findall(r'style="width:([\d.]+)%;background:(#\w+)" title="(\w+): ([\d,]+) cycles', track)
        causes = {name: count for name, count in one["cause_cycles"].items() if count}
        assert {name: int(count.replace(",", "")) for _, _, name, count in pieces} == causes
        for width, colour, name, _ in pieces:
            assert float(width) == pytest.approx(100 * causes[name] / sum(causes.values()), abs=1e-3)
            assert colour == charts.CAUSES[name]
    shown = re.findall(r'<div class="figure">([\d,]+)', chart)
    assert shown == [f"{one['cycles']['rtl']:,}" for _, one in lines]


def test_bars_of_limits_are_what_blocks_save_one_after_the_other(report):
    text = html.page(report)
    chart = text[text.index("What limits each layer") : text.index("Beside other machines")]
    tracks = re.findall(r'<div class="track">(.*?)</div>', chart)
    lines = [one for _, one in tables.table_lines(report) if "limits" in one]
    assert len(tracks) == len(lines) == len(report["layers"]) + 1
    for track, one in zip(tracks, lines, strict=True):
        pieces = re.findall(r'style="width:([\d.]+)%;background:[^"]+" title="([\w +]+): ([\d,]+) cycles', track)
        steps = [(named(step["blocks"]), step["saved_cycles"]) for step in one["limits"]["steps"]]
        shown = [(name, int(cycles.replace(",", ""))) for _, name, cycles in pieces]
        assert shown == [*steps, ("rest", one["limits"]["rest_cycles"])]
        assert sum(float(width) for width, *_ in pieces) == pytest.approx(100, abs=1e-3)
    without = json.loads(json.dumps(report))
    for one in (*without["layers"], without["total"]):
        del one["limits"]
    assert "What limits each layer" not in html.page(without)


def test_what_would_help_is_on_the_page_if_somebody_asked(report):
    assert "What would help" not in html.page(report)
    asked = json.loads(json.dumps(report))
    wider = {"change": {"bus_bits": 128}, "cycles": 9, "cycles_percent": -12.5}
    asked["total"]["helps"] = [
        wider | {"luts_percent": 3.25},
        {"change": {"banks": 4}, "refused": "banks must be 1..2"},
    ]
    for layer in asked["layers"]:
        layer["helps"] = [wider]
    page = Page(html.page(asked))
    at = page.texts.index("What would help")
    assert page.texts[at:].index("bus_bits 128") < page.texts[at:].index("-12%") < page.texts[at:].index("+3.2%")
    assert page.texts.count("bus_bits 128 -12%") == len(asked["layers"]) and "banks 4: banks must be 1..2" in page.texts


def test_marks_of_cycles_lie_where_they_belong():
    layers = {"a": {"accelerator": 1000, "dense": 10_000, "bound": None}, "b": {"accelerator": 100, "dense": 0}}
    rows, ticks = charts.cycles_rows(layers)
    assert [(tick.value, tick.percent) for tick in ticks] == [(100, 0), (1000, pytest.approx(50)), (10_000, 100)]
    places = [{mark.name: mark.percent for mark in row.pieces} for row in rows]
    assert places == [{"accelerator": pytest.approx(50), "dense": 100}, {"accelerator": 0}]
    assert charts.around(143, 253_404) == (100, 500_000) and charts.around(1, 1) == (1, 2)


def test_the_cycle_model_has_a_mark_only_where_it_differs(report):
    text = html.page(report)
    assert 'href="#m-cycle-model"' not in text
    other = json.loads(json.dumps(report))
    other["layers"][1]["cycles"]["rtl"] += 5
    assert html.page(other).count('href="#m-cycle-model"') == 2, "the mark, and its meaning"


def test_density_bars_end_at_a_round_number():
    rows, ticks = charts.densities_rows({"a": {"bit density": 28.0, "product density": 7.0}})
    assert [tick.value for tick in ticks] == [0, 7, 14, 21, 28]
    assert [piece.percent for piece in rows[0].pieces] == [100, 25]
    assert charts.densities_rows({})[1][-1].value == 1


@pytest.mark.parametrize(
    ("colours", "light"),
    [(["#0072B2"], True), (["#F0E442"], False), (["#0072B2", "#009E73"], True), (["#0072B2", "#F0E442"], False)],
)
def test_text_on_a_piece_can_be_read(colours, light):
    piece = charts.Piece(name="x", value=1, percent=50, colour=f"stripes({','.join(colours)})")
    assert piece.light is light


def test_an_unknown_cause_has_no_colour():
    with pytest.raises(ValueError, match=r"causes must be some of .*, not \['sleeping'\]"):
        charts.causes_rows({"a": {"sleeping": 3}})


def test_one_vocabulary():
    """Charts, tables and explanations know the same causes and figures, and no colour stands for two causes."""
    assert list(charts.CAUSES) == list(tables.CAUSES)
    assert list(charts.BLOCKS) == [*NAMES.values(), "rest"] and list(MEANINGS) == list(NAMES) == list(IDEAL)
    assert list(charts.MODELS) == list(html.TERMS) and list(charts.DENSITIES) == list(html.DENSITIES)
    assert {*charts.MODELS} - {"accelerator"} == {*tables.CYCLES.values()} - {"RTL"}
    for colours in (charts.CAUSES, charts.BLOCKS, charts.MODELS, charts.DENSITIES):
        assert len(set(colours.values())) == len(colours)


def test_a_report_of_the_run_before_does_not_stay(tmp_path):
    for name in ("report.json", "report.html", "mismatch.fst", "notes.txt"):
        (tmp_path / name).write_text("old")
    prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    prepare_folder(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()


def pixels(uri: str) -> np.ndarray:
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("shape", [(5, 7), (4, 6, 3)])
def test_png_holds_its_pixels(shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(pixels(pictures.png(image)), image)


def test_pictures_of_inputs():
    gray = np.array([[[0, 4], [2, 1]]])
    assert pixels(pictures.picture(gray, 4)).tolist() == [[255, 0], [128, 192]]  # high levels are dark
    frames = np.array([[[[0, 4]]], [[[4, 4]]]])  # two timesteps
    assert pixels(pictures.picture(frames, 4)).tolist() == [[128, 0]]
    colour = np.arange(3).reshape(3, 1, 1)
    assert pixels(pictures.picture(colour, 2)).tolist() == [[[0, 127, 255]]]
    signed = np.array([[[-128, 127]]])
    assert pixels(pictures.picture(signed, 255, signed=True)).tolist() == [[255, 0]]
