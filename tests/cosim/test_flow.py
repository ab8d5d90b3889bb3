"""`reprise`: report, exit codes, what happens on a mismatch, captures."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reprise.cosim import command
from reprise.cosim.capture import run_capture
from reprise.cosim.command import run_network
from reprise.cosim.jobs import host
from reprise.cosim.jobs import run as job
from reprise.cosim.options import Options
from reprise.cosim.report.tables import table_lines
from reprise.estimate.report.speed import area_line, speed_lines
from reprise.export.find import choose_images
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.csr.register_map import COUNTERS
from reprise.model.files.capture import SAMPLE
from reprise.model.files.network_file import load
from tests.reprise.command import reprise
from tests.support.cosim_jobs import TINY, save_small_network

LAYER_FIELDS = {"name", "cycles", "bit_density", "product_density", "mismatches", "elements", "tiles", "counts"}


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    return save_small_network(tmp_path_factory.mktemp("network"))


def options(out, config="tiny", **changes):
    given = dict(config=HardwareConfig.load(config), config_name=config, images=3, clock_mhz=50.0)
    return Options(**{**given, "engine": "interpreter", "out": out, **changes})


def quiet():
    return Console(file=io.StringIO(), width=160)


def test_report_of_the_interpreter(network_file, tmp_path):
    assert run_network(str(network_file), options(tmp_path), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["mismatches"], report["images"], report["accuracy_percent"]) == (0, 3, 100.0)
    assert {"rtl", "cycle_model", "published_model", "dense", "bit_sparse"} <= set(report["total"]["cycles"])
    assert report["total"]["cycles"]["rtl"] is None and report["total"]["cycles"]["cycle_model"] > 0
    assert [one["name"] for one in report["layers"]] == ["conv1", "conv2", "out"]
    for one in report["layers"]:
        assert set(one) >= LAYER_FIELDS
        assert 0 <= one["product_density"] <= one["bit_density"] <= 1
    assert {"verilator", "cocotb", "amaranth", "numpy"} <= set(report["versions"])
    assert report["configuration"] == TINY.to_dict() and report["seed"] == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == 3 and page.count("<svg") >= 2
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page), "the page must need nothing else"


def test_limits_are_left_out_if_nobody_wants_them(network_file, tmp_path):
    for limits in (True, False):
        assert run_network(str(network_file), options(tmp_path, limits=limits), quiet()) == 0
        network = json.loads((tmp_path / "report.json").read_text())
        assert run_capture(SAMPLE, options(tmp_path, config="small", limits=limits), quiet()) == 0
        capture = json.loads((tmp_path / "report.json").read_text())
        for report in (network, capture):
            assert all(("limits" in one) == limits for one in (*report["layers"], report["total"]))
        if limits:
            saved = [one["limits"]["saved_cycles"]["neurons"] for one in (*capture["layers"], capture["total"])]
            assert sum(saved[:-1]) == saved[-1] > 0


def test_the_table_of_the_readme(tmp_path):
    """Its figures are those of the shipped network; the RTL's cycles are those of the cycle model, which is exact."""
    assert run_network("digits", options(tmp_path, config="paper", images=8, clock_mhz=None), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    text = (Path(__file__).parents[2] / "README.md").read_text()
    shown = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[:1] == "│"]
    assert [name for name, *_ in shown] == [*(one["name"] for one in report["layers"]), "end of the job", "total"]
    for row, (name, one) in zip(shown, table_lines(report), strict=True):
        cycles = [one["cycles"].get(key) for key in ("published_model", "bit_sparse", "dense")]
        model = f"{one['cycles']['cycle_model']:,}"
        figures = [
            name,
            model,
            model,
            "+0.0 %",
            *("-" if c is None else f"{c:,}" for c in cycles),
        ]
        assert row == [*figures, f"0 of {one['elements']:,}" if "elements" in one else "-"]
    for line in (*speed_lines(report["speed"], 8), area_line(report["area"])):
        assert line in " ".join(text.split())
    assert f"the network's: {report['network_accuracy']['integer_percent']:.2f} % on 360 images of digits" in text


def test_report_of_the_rtl(network_file, tmp_path):
    assert run_network(str(network_file), options(tmp_path, engine="rtl", stall=0.2, seed=3), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    layers = report["layers"]
    for key in ("rtl", "cycle_model"):  # the rows of a table, the end of the job among them, add up to its total
        assert sum(one["cycles"][key] for one in (*layers, report["rest"])) == report["total"]["cycles"][key]
    for key in ("bytes_read", "bytes_written"):
        assert sum(one[key] for one in (*layers, report["rest"])) == report["total"][key]
    assert 0 < report["rest"]["cycles"]["rtl"] < 100
    assert set(report["total"]["counters"]) == {"run_end", "output_word", *(name.lower() for name in COUNTERS)}
    for event, key in (("read_beats", "bytes_read"), ("write_beats", "bytes_written")):
        beats = sum(one["counters"][event] for one in (*layers, report["rest"]))
        assert beats == report["total"]["counters"][event] and beats * TINY.bus_bits // 8 == report["total"][key]
    assert all(one["bytes_written"] > 0 and one["counters"]["residual_bits"] > 0 for one in layers)
    assert sum(one["counters"]["residual_bits"] for one in layers) == report["total"]["counts"]["residual_bits"]
    for one in (*layers, report["total"]):  # every cycle has one cause
        assert sum(one["cause_cycles"].values()) == one["cycles"]["rtl"] and min(one["cause_cycles"].values()) >= 0
    assert report["speed"]["frames_per_second"] == pytest.approx(3 * 50e6 / report["total"]["cycles"]["rtl"])
    assert report["image_numbers"] != [0, 1, 2], "a seed chooses images"
    assert "Where the cycles go" in (tmp_path / "report.html").read_text()


def test_mismatch_gives_exit_code_1(network_file, tmp_path, monkeypatch):
    right = job.model_layers

    def spoilt(compiled, *args, **kwargs):
        estimate, memory = right(compiled, *args, **kwargs)
        memory[compiled.features["conv2"].address] ^= 4
        return estimate, memory

    monkeypatch.setattr(job, "model_layers", spoilt)
    console = quiet()
    assert run_network(str(network_file), options(tmp_path), console) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] == 1 and report["differences"][0]["feature"] == "conv2"
    assert "first difference conv2: image 0, timestep 0, channel 2, y 0, x 0" in console.file.getvalue()


@pytest.mark.slow
def test_mismatch_in_rtl_gives_a_waveform(network_file, tmp_path, monkeypatch):
    right = host.run_job

    def spoilt(bench, compiled, *args, **kwargs):
        ran = right(bench, compiled, *args, **kwargs)
        ran.memory[compiled.features["conv2"].address] ^= 4
        return ran

    monkeypatch.setattr(host, "run_job", spoilt)
    console = quiet()
    assert run_network(str(network_file), options(tmp_path, engine="rtl"), console) == 1
    waves = json.loads((tmp_path / "report.json").read_text())["waveform"]
    assert (tmp_path / "mismatch.fst").stat().st_size > 1000
    assert f"gtkwave {tmp_path / 'mismatch.fst'}" == waves["viewer_command"]
    assert waves["viewer_command"] in console.file.getvalue().replace("\n", "")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--config", "huge"], "config must be a preset"),
        (["unknown"], "network preset must be one of"),
        (["FILE", "--images", "6"], "images must be 1..5, not 6"),
        (["--capture", "missing.npz"], "--capture must be a file that is there, not 'missing.npz'"),
    ],
)
def test_mistakes_give_exit_code_2(arguments, message, network_file, tmp_path):
    arguments = [network_file if a == "FILE" else a for a in arguments]
    extra = ["--engine", "interpreter", "--out", tmp_path]
    if "--config" not in arguments:
        extra += ["--config", "tiny"]
    done = reprise("cosim", *arguments, *extra)
    assert done.code == 2 and message in done.err


def test_images_by_seed(network_file):
    file = load(network_file)
    assert choose_images(file, 3, 0).numbers.tolist() == [0, 1, 2]
    chosen = choose_images(file, 4, 9)
    assert np.array_equal(chosen.images, file.images[chosen.numbers]) and len(set(chosen.numbers.tolist())) == 4
    assert np.array_equal(choose_images(file, 4, 9).numbers, chosen.numbers)
    bare = choose_images(replace(file, images=file.images[:0], labels=file.labels[:0]), 2, 1)
    assert bare.images.shape == (2, 1, 6, 6) and (bare.labels == -1).all()


def test_capture_in_the_interpreter(tmp_path):
    (tmp_path / "report.html").write_text("of yesterday")
    console = quiet()
    assert run_capture(SAMPLE, options(tmp_path, config="small"), console) == 0
    said = console.file.getvalue()
    assert f"{tmp_path / 'report.json'}, {tmp_path / 'report.html'}" in said.replace("\n", "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] == 0 and report["elements"] > 0
    assert report["total"]["cycles"]["dense"] == sum(one["cycles"]["dense"] for one in report["layers"])
    whole = f"all {report['elements']:,} elements equal the model"
    assert said.rstrip().endswith(whole) and whole.capitalize() in (tmp_path / "report.html").read_text()
    assert not {"speed", "labels", "image_numbers", "network"} & set(report) and report["capture"] == SAMPLE.stem
    assert "frames per second" not in said.lower()
    for key in ("cycle_model", "dense", "bound"):
        parts = [one["cycles"][key] for one in (*report["layers"], report["rest"]) if key in one["cycles"]]
        assert sum(parts) == report["total"]["cycles"][key]


def test_a_mismatch_in_a_capture_gives_exit_code_1(tmp_path, monkeypatch):
    right = job.model_layers

    def spoilt(compiled, *args, **kwargs):
        estimate, memory = right(compiled, *args, **kwargs)
        if "fc1" in compiled.features:
            memory[compiled.features["fc1"].address] ^= 4
        return estimate, memory

    monkeypatch.setattr(job, "model_layers", spoilt)
    console = quiet()
    assert run_capture(SAMPLE, options(tmp_path, config="small"), console) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] >= 1 and report["first_mismatch"].startswith("fc1: image 0")
    assert [one["mismatches"] > 0 for one in report["layers"]] == [one["name"] == "fc1" for one in report["layers"]]
    assert f"first difference {report['first_mismatch']}" in console.file.getvalue()


def test_a_capture_as_one_program_in_rtl(tmp_path):
    """A row for every layer, whose cycles the model tells exactly; the layers are followed by one end of the job."""
    console, capture = quiet(), tmp_path / "short.npz"
    with np.load(SAMPLE) as arrays:
        np.savez(capture, **{name: arrays[name][:4] for name in arrays})
    capture.with_suffix(".yaml").write_text(
        SAMPLE.with_suffix(".yaml").read_text().replace("timesteps: 16", "timesteps: 4")
    )
    assert run_capture(capture, options(tmp_path, engine="rtl", one_program=True), console) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["name"] for one in report["layers"]] == ["conv2", "conv3", "fc1", "fc2"]
    assert report["capture_program"] == "one program" and report["mismatches"] == 0
    for one in (*report["layers"], report["rest"], report["total"]):
        assert one["cycles"]["rtl"] == one["cycles"]["cycle_model"] > 0
    assert sum(one["cycles"]["rtl"] for one in (*report["layers"], report["rest"])) == report["total"]["cycles"]["rtl"]
    said, page = console.file.getvalue(), (tmp_path / "report.html").read_text()
    assert "capture short (one program)" in said and "capture short (one program)" in page
    assert run_capture(capture, options(tmp_path / "alone", limits=False), console) == 0
    alone = json.loads((tmp_path / "alone" / "report.json").read_text())
    assert alone["capture_program"] == "a job for each layer" and alone["elements"] == report["elements"]
    assert alone["total"]["cycles"]["cycle_model"] > report["total"]["cycles"]["cycle_model"]


@pytest.mark.parametrize("stall, gap", [(0.0, 0), (0.25, 2)])
def test_a_report_says_on_which_memory_its_cycles_depend(stall, gap, network_file, tmp_path):
    console = quiet()
    assert run_network(str(network_file), options(tmp_path, latency=33, gap=gap, stall=stall), console) == 0
    slow = ", 2 idle after every beat, 25 % stalled" if gap else ""
    assert f"memory: {TINY.bus_bits}-bit bus, latency of 33 cycles{slow}\n" in console.file.getvalue()
    card = f"<h3>Memory</h3><b>{TINY.bus_bits}-bit bus</b><span>latency of 33 cycles{slow}</span>"
    assert card in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["digits"], "NETWORK must be left out beside --capture, not 'digits'"),
        (["--images", "8"], "--images must be left out beside --capture, not 8: a capture holds one sample"),
        (["--clock-mhz", "50"], "--clock-mhz must be left out beside --capture, not 50.0: a capture holds some layers"),
        (["--data", "."], "--data must be left out beside --capture"),
        (["--helps"], "--helps must be left out beside --capture, not True: a capture holds some layers of a network"),
    ],
)
def test_what_a_capture_ignores_is_refused(arguments, message, tmp_path):
    done = reprise("cosim", "--capture", SAMPLE, *arguments, "--engine", "interpreter", "--out", tmp_path)
    assert done.code == 2 and message in done.err and not list(tmp_path.iterdir())
    done = reprise("cosim", "--one-program", "--engine", "interpreter", "--out", tmp_path)
    assert done.code == 2 and "--one-program must be left out without --capture" in done.err
    done = reprise("cosim", SAMPLE, "--engine", "interpreter", "--out", tmp_path)
    assert done.code == 2 and f"replayed by reprise cosim --capture {SAMPLE}" in done.err


def test_command_module_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, reprise.cosim.command, reprise.cosim.jobs.host; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert command is not None
