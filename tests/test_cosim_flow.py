"""`python -m cosim`: comparison, report, exit codes, and what happens on a mismatch."""

import io
import json
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from cosim import accelerator, command, job, soak
from cosim.__main__ import app
from cosim.command import Options, run_capture, run_network
from cosim.compare import compare, predictions
from cosim.failure import element_address, region, writing_run
from cosim.interpreter import Interpreter, interpret
from cosim.networks import choose_images
from cosim.svg import grouped, picture, png, stacked
from cosim.system import Mark, SystemBench, Traffic, flatten_bits
from export.network_file import load, save
from hw.compile import compile_network
from model.capture import SAMPLE
from model.runner import run
from tests.cosim_jobs import FILL, TINY, Job, small_network
from tests.random_networks import random_images, random_network

LAYER_FIELDS = {"name", "cycles", "bit_density", "product_density", "mismatches", "elements", "tiles", "counts"}


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    images = np.random.default_rng(4).integers(0, 8, (5, 1, 6, 6)).astype(np.uint8)
    path = tmp_path_factory.mktemp("network") / "small.yaml"
    save(small_network(), path, samples=(images, run(small_network(), images).predictions))
    return path


def options(network, out, **changes):
    given = dict(config="tiny", images=3, seed=0, waves=False, latency=20, stall=0.0, gap=0, clock_mhz=50.0)
    return Options(**{**given, "network": str(network), "engine": "interpreter", "data": None, "out": out, **changes})


def quiet():
    return Console(file=io.StringIO(), width=160)


# Comparison


@pytest.mark.parametrize("seed", range(6))
def test_one_wrong_element_is_named(seed):
    network, r = small_network(seed), np.random.default_rng(seed)
    one = Job.make(network, r.integers(0, 8, (2, 1, 6, 6)))
    memory = interpret(one.compiled, one.images, fill=FILL)
    assert not any(c.mismatches for c in compare(one.compiled, memory, one.expected))
    for entry in one.compiled.layers:
        f = one.compiled.features[entry.feature]
        values = one.compiled.read_feature_map(memory, entry.feature).astype(np.int64)
        place = tuple(int(r.integers(n)) for n in values.shape)
        values[place] = (values[place] + 1) % (f.levels + 1) if f.levels else values[place] + 1
        spoilt = memory.copy()
        if f.kind == "planes":
            spoilt[f.address : f.address + f.bytes] = np.frombuffer(f.pack(values), np.uint8)
        else:
            at = f.address + place[0] * f.image_bytes + 4 * place[2]
            spoilt[at : at + 4] = np.frombuffer(np.int32(values[place]).tobytes(), np.uint8)
        (wrong,) = [c for c in compare(one.compiled, spoilt, one.expected) if c.mismatches]
        d = wrong.first
        assert (wrong.mismatches, d.feature) == (1, entry.feature)
        assert (d.image, d.t, d.channel, d.y, d.x) == place and d.got == values[place] != d.expected


def test_unwritten_maps_are_mismatches():
    one = Job.make(small_network(), np.zeros((1, 1, 6, 6), int))
    checks = compare(one.compiled, one.memory(), one.expected)
    assert all(c.mismatches for c in checks)
    assert any(c.error for c in checks), "the filler pattern is no feature map"


def test_predictions_are_those_of_the_memory():
    one = Job.make(small_network(), np.random.default_rng(3).integers(0, 8, (3, 1, 6, 6)))
    memory = interpret(one.compiled, one.images, fill=FILL)
    assert np.array_equal(predictions(one.compiled, memory), one.expected.predictions)


class Tracer(Interpreter):
    """Notes which command wrote each byte."""

    def __init__(self, *args):
        super().__init__(*args)
        self.writer = np.full(len(self.memory), -1)

    def _write(self, address, data):
        super()._write(address, data)
        self.writer[address : address + len(data)] = self._at


@pytest.mark.parametrize("seed", range(12))
def test_the_writing_run_is_found(seed):
    from cosim.compare import Difference

    config = TINY.replace(feature_words=128 if seed % 2 else 512)
    network = random_network(seed, config)
    images = random_images(seed, network, 2)
    try:
        compiled = compile_network(network, config, 2, keep_features=True)
    except ValueError:
        pytest.skip("the compiler refuses it")
    tracer = Tracer(compiled, compiled.initial_memory(images))
    tracer.run()
    r = np.random.default_rng(seed)
    for entry in compiled.layers:
        f = compiled.features[entry.feature]
        for _ in range(5):
            shape = (f.images, f.timesteps, f.channels, f.height, f.width)
            image, t, channel, y, x = (int(r.integers(n)) for n in shape)
            place = Difference(feature=entry.feature, image=image, t=t, channel=channel, y=y, x=x, got=0, expected=1)
            bits = 32 * f.timesteps if f.kind == "potentials" else 1
            first = x * f.block_channels * bits + (t * f.block_channels * 32 if f.kind == "potentials" else 0)
            assert writing_run(compiled, place) == tracer.writer[element_address(compiled, place) + first // 8]


def test_region_is_bounded():
    def mark(cycle):
        return Mark(cycle=cycle, start=True, end=False, beats_read=0, beats_written=0, counts={})

    assert region({3: (mark(100), mark(200))}, 3) == (36, 264)
    first, last = region({3: (mark(0), mark(10**6))}, 3)
    assert last - first == 60_000


# The command


def test_report_of_the_interpreter(network_file, tmp_path):
    assert run_network(options(network_file, tmp_path), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["mismatches"], report["images"], report["accuracy"]) == (0, 3, 100.0)
    assert {"rtl", "own_model", "published_model", "dense", "bit_sparse"} <= set(report["cycles"])
    assert report["cycles"]["rtl"] is None and report["cycles"]["own_model"] > 0
    assert [one["name"] for one in report["layers"]] == ["conv1", "conv2", "out"]
    for one in report["layers"]:
        assert set(one) >= LAYER_FIELDS
        assert 0 <= one["product_density"] <= one["bit_density"] <= 1
    assert {"verilator", "cocotb", "amaranth", "numpy"} <= set(report["versions"])
    assert report["configuration"] == TINY.to_dict() and report["seed"] == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == 3 and page.count("<svg") >= 2
    assert not re.findall(r'(?:src|href)="(?!data:)', page), "the page must need nothing else"


def test_report_of_the_rtl(network_file, tmp_path):
    assert run_network(options(network_file, tmp_path, engine="rtl", stall=0.2, seed=3), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    layers = report["layers"]
    assert 0 < sum(one["cycles"]["rtl"] for one in layers) <= report["cycles"]["rtl"]
    assert all(one["bytes_written"] > 0 and one["events"]["residual_bit"] > 0 for one in layers)
    assert sum(one["events"]["residual_bit"] for one in layers) == report["total"]["counts"]["residual_bits"]
    assert report["frames_per_second"] == pytest.approx(3 * 50e6 / report["cycles"]["rtl"])
    assert report["image_numbers"] != [0, 1, 2], "a seed chooses images"
    assert "RTL cycles by layer and cause" in (tmp_path / "report.html").read_text()


def test_mismatch_gives_exit_code_1(network_file, tmp_path, monkeypatch):
    right = job.model_layers

    def spoilt(compiled, *args, **kwargs):
        estimate, memory = right(compiled, *args, **kwargs)
        memory[compiled.features["conv2"].address] ^= 4
        return estimate, memory

    monkeypatch.setattr(job, "model_layers", spoilt)
    console = quiet()
    assert run_network(options(network_file, tmp_path), console) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] == 1 and report["differences"][0]["feature"] == "conv2"
    assert "first difference conv2: image 0, t 0, channel 2, y 0, x 0" in console.file.getvalue()


@pytest.mark.slow
def test_mismatch_in_rtl_gives_a_waveform(network_file, tmp_path, monkeypatch):
    right = accelerator.run_job

    def spoilt(bench, compiled, *args, **kwargs):
        ran = right(bench, compiled, *args, **kwargs)
        ran.memory[compiled.features["conv2"].address] ^= 4
        return ran

    monkeypatch.setattr(accelerator, "run_job", spoilt)
    console = quiet()
    assert run_network(options(network_file, tmp_path, engine="rtl"), console) == 1
    waves = json.loads((tmp_path / "report.json").read_text())["waves"]
    assert (tmp_path / "mismatch.fst").stat().st_size > 1000
    assert f"gtkwave {tmp_path / 'mismatch.fst'}" == waves["command"]
    assert waves["command"] in console.file.getvalue().replace("\n", "")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["run", "--config", "huge"], "config must be a preset"),
        (["run", "--network", "unknown"], "network preset must be one of"),
        (["run", "--network", "FILE", "--images", "6"], "images must be 1..5, not 6"),
        (["capture", "missing.npz"], "missing.npz: must be a file"),
    ],
)
def test_mistakes_give_exit_code_2(arguments, message, network_file, tmp_path, capsys):
    arguments = [str(network_file) if a == "FILE" else a for a in arguments]
    extra = ["--engine", "interpreter", "--out", str(tmp_path)]
    if "--config" not in arguments:
        extra += ["--config", "tiny"]
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert result.exit_code == 2
    assert message in result.output + capsys.readouterr().err


def test_images_by_seed(network_file):
    file = load(network_file)
    assert choose_images(file, 3, 0).numbers.tolist() == [0, 1, 2]
    chosen = choose_images(file, 4, 9)
    assert np.array_equal(chosen.images, file.images[chosen.numbers]) and len(set(chosen.numbers.tolist())) == 4
    assert np.array_equal(choose_images(file, 4, 9).numbers, chosen.numbers)
    bare = choose_images(replace(file, images=file.images[:0], labels=file.labels[:0]), 2, 1)
    assert bare.images.shape == (2, 1, 6, 6) and (bare.labels == -1).all()


def test_capture_in_the_interpreter(tmp_path):
    assert run_capture(options("", tmp_path, config="small"), SAMPLE, quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] == 0 and report["elements"] > 0
    assert report["cycles"]["dense"] == sum(one["cycles"]["dense"] for one in report["layers"])


# Soak


def test_soak_in_the_interpreter(tmp_path):
    arguments = dict(networks=8, seed=40, configs=4, processes=1, real=False, data=None, engine="interpreter")
    assert soak.run_soak(**arguments, out=tmp_path, console=quiet()) == 0
    verdicts = json.loads((tmp_path / "soak.json").read_text())["random"]
    assert [v["seed"] for v in verdicts] == list(range(40, 48))
    assert sum(v["status"] == "equal" for v in verdicts) >= 5
    assert {c.config_name for c in soak.cases(8, 40, 4, "rtl")} == {"tiny", "small", "random1", "random2"}


def test_soak_tells_a_failure_from_a_mismatch(monkeypatch):
    case = next(soak.cases(1, 41, 1, "interpreter"))

    def broken(*args, **kwargs):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("cosim.interpreter.interpret", broken)
    verdict = soak.play(case)
    assert verdict.status == "failed" and "broken on purpose" in verdict.detail


# Parts


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3)])
def test_png_is_read_by_others(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    data = png(pixels).removeprefix("data:image/png;base64,")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(b64decode(data)))), pixels)


def test_pictures_of_inputs():
    def read(uri):
        return np.asarray(Image.open(io.BytesIO(b64decode(uri.split(",")[1]))))

    assert read(picture(np.array([[[0, 16]]]), 16)).tolist() == [[255, 0]]
    assert read(picture(np.full((3, 1, 1), 255), 255)).tolist() == [[[255, 255, 255]]]
    assert read(picture(np.array([[[[0, 4]]], [[[4, 4]]]]), 4)).tolist() == [[128, 0]]
    assert read(picture(np.array([[[-128, 127]]]), 255, signed=True)).tolist() == [[255, 0]]


def test_bars_hold_every_name_and_value():
    rows = {"a<b": {"x": 3.0, "y": 0.0}, "c": {"x": 1.0}}
    for drawn in (stacked(rows), grouped(rows)):
        assert "a&lt;b" in drawn and "<script" not in drawn and drawn.count("<svg") == 1
    assert "<title>a&lt;b, x: 3" in stacked(rows)
    assert stacked({}) and grouped({"empty": {}})


@pytest.mark.parametrize("field, value", [("stall", 1.0), ("stall", -0.1), ("latency", 70_000), ("gap", 256)])
def test_wrong_traffic(field, value):
    with pytest.raises(ValueError, match=f"{field} must be 0.*not {value}"):
        Traffic(**{field: value})


def test_profile_bits_have_names():
    layout = {
        "width": 4,
        "fields": {"a": {"offset": 0, "width": 1}, "n": {"offset": 1, "width": 2}, "b": {"offset": 3, "width": 1}},
    }
    assert flatten_bits(layout) == {0: "a", 1: "n[0]", 2: "n[1]", 3: "b"}


def test_memory_larger_than_the_bench(monkeypatch):
    bench = object.__new__(SystemBench)
    bench.memory_bytes, bench.word = 64, 8
    with pytest.raises(ValueError, match="memory must be at most 64 bytes .the bench's., not 65"):
        bench._memory_file(np.zeros(65, np.uint8), None)


def test_command_module_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, cosim.command, cosim.accelerator; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert command is not None
