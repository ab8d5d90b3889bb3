"""Traces: the RTL's log and the cycle model's are the same, and a trace says what the report says."""

import io
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from reprise.compiler import compile_network
from reprise.cosim.bench.design import probes
from reprise.cosim.bench.system import Traffic
from reprise.cosim.capture import run_capture
from reprise.cosim.command import run_network
from reprise.cosim.jobs.figures import model_layers
from reprise.cosim.jobs.host import run_job
from reprise.cosim.options import Options
from reprise.cosim.trace import chrome, log
from reprise.cosim.trace.tiles import spans
from reprise.estimate.cycles.state import EVENTS
from reprise.estimate.network import Part, Recording
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE
from tests.support.benches import system_bench
from tests.support.cosim_jobs import FILL, TIMEOUT, TINY, save_small_network, small_network

TWICE = TINY.replace(queries=2, banks=2, bus_bits=128, neuron_lanes=8, weight_tiles=3)
"""Two rows at a time, as tests/estimate/test_cycles.py has it."""

BLOCKS = [
    "layers", "sequencer: commands", "sequencer: RUNs", "loads", "weights loader", "im2col", "detector and dispatcher",
    "processor, place 0", "processor, place 1", "PE array: tiles", "PE array: causes", "drain", "neurons",
    "output writer", "memory: reads", "memory: writes",
]  # fmt: skip


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    return save_small_network(tmp_path_factory.mktemp("network"))


def options(out, config="tiny", **changes):
    given = {"config": HardwareConfig.load(config), "config_name": config, "images": 3, "engine": "interpreter"}
    return Options(**{**given, "out": out, **changes})


def quiet():
    return Console(file=io.StringIO(), width=160)


def recorded(config, network, images, **memory):
    """What the cycle model says of every cycle, and the compiled job."""
    compiled, recording = compile_network(network, config, len(images), keep_features=True), Recording()
    parts = [Part.run(network, images)]
    figures, _ = model_layers(compiled, parts, fill=FILL, limits=False, recording=recording, **memory)
    return compiled, figures, recording


@pytest.mark.parametrize("config", [TINY, TWICE], ids=["tiny", "twice"])
def test_rtl_and_cycle_model_agree_in_every_event_of_every_cycle(config, tmp_path):
    network, images = small_network(), np.random.default_rng(1).integers(0, 8, (2, 1, 6, 6))
    memory = {"latency": 12, "gap": 1}
    compiled, figures, recording = recorded(config, network, images, **memory)
    bench, path = system_bench(config), tmp_path / "events"
    ran = run_job(bench, compiled, images, traffic=Traffic(**memory), fill=FILL, events=path, timeout=TIMEOUT)
    rtl, model = log.read_log(path, bench.event_bits, ran.start), log.joined(recording.log)
    assert ran.cycles == figures["total"]["cycles"]["cycle_model"]
    assert set(EVENTS) - set(bench.event_bits.values()) == ({"reuse1"} if config.banks == 1 else set())
    for event in EVENTS:
        seen, expected = (log.times(one, event, ran.cycles) for one in (rtl, model))
        assert np.array_equal(seen, expected), event
        assert len(seen) or event in ("reuse1", "stall_hazard", "stall_reuse", "stall_lead", "stall_drain"), event


def slices(path):
    """The slices of a trace by job and track, after all that viewers need has been checked."""
    trace = json.loads(path.read_text())
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"} and trace["displayTimeUnit"] == "ns"
    assert all(isinstance(value, str) for value in trace["otherData"].values())
    names, processes, found = {}, {}, defaultdict(list)
    for one in trace["traceEvents"]:
        assert isinstance(one["pid"], int) and isinstance(one["tid"], int) and isinstance(one["args"], dict)
        if one["ph"] == "M":
            assert one["name"] in ("process_name", "thread_name", "thread_sort_index")
            if one["name"] == "thread_name":
                names[one["pid"], one["tid"]] = one["args"]["name"]
            if one["name"] == "process_name":
                processes[one["pid"]] = one["args"]["name"]
            continue
        assert one["ph"] == "X" and isinstance(one["name"], str) and isinstance(one["cat"], str)
        assert isinstance(one["ts"], int) and isinstance(one["dur"], int) and one["ts"] >= 0 and one["dur"] > 0
        assert all(isinstance(value, int | str) for value in one["args"].values())
        found[processes[one["pid"]], names[one["pid"], one["tid"]]].append(one)
    for track in found.values():
        assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in pairwise(track)), "slices overlap"
    return trace["otherData"], found


def check_against_report(found, report, job, bus_bytes, causes):
    """The slices of a job say the same as the report does of its layers."""
    of = {track: ones for (name, track), ones in found.items() if name == job}
    assert [*of] == BLOCKS
    parts = [*report["layers"], report["rest"]]
    key = "rtl" if report["engine"] == "rtl" else "cycle_model"
    assert [(one["name"], one["dur"]) for one in of["layers"]] == [(one["name"], one["cycles"][key]) for one in parts]
    assert sum(one["dur"] for one in of["PE array: causes"]) == report["total"]["cycles"][key]
    counted = Counter()
    for one in of["PE array: causes"]:
        counted[one["args"]["layer"], one["name"]] += one["dur"]
    if causes:
        wanted = {(one["name"], cause): n for one in parts for cause, n in one["cause_cycles"].items() if n}
        assert counted == wanted
    tiles = report["total"]["tiles"]
    assert len(of["im2col"]) == len(of["detector and dispatcher"]) == tiles
    assert len(of["processor, place 0"]) + len(of["processor, place 1"]) == tiles
    for field in ("residual_bits", "set_bits", "exact_matches"):
        assert sum(one["args"][field] for one in of["im2col"]) == report["total"]["counts"][field]
    bits = sum(one["args"]["residual_bits"] for one in of["PE array: tiles"])
    assert bits == report["total"]["counts"]["residual_bits"]
    for track, moved in (("memory: reads", "bytes_read"), ("memory: writes", "bytes_written")):
        assert sum(one["args"]["words"] for one in of[track]) * bus_bytes == report["total"][moved]
    for track in ("drain", "neurons"):  # every m tile of a RUN, once and in its order
        assert [one["args"]["m"] for one in of[track]] == [
            m for run in of["sequencer: RUNs"] for m in range(run["args"]["m_tiles"])
        ]
    assert len(of["sequencer: commands"]) == 1 + max(one["args"]["command"] for one in of["sequencer: commands"])
    assert of["sequencer: commands"][-1]["name"] == "END"


def test_trace_of_the_rtl(network_file, tmp_path):
    assert run_network(str(network_file), options(tmp_path, engine="rtl", stall=0.2, seed=3, trace=True), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    told, found = slices(tmp_path / "trace.json")
    assert "RTL" in told["source"] and "1 us is 1 clock cycle" in told["unit"] and "left out" not in told
    check_against_report(found, report, "small", TINY.bus_bits // 8, causes=True)
    page = (tmp_path / "report.html").read_text()
    pictures = re.findall(r'<div class="when">.*?\n</div>\n', page, re.DOTALL)
    assert len(pictures) == len(report["layers"]) and all(one.count("<svg") == 11 for one in pictures)
    for one, layer in zip(pictures, report["layers"], strict=True):
        told = re.search(r"cycles by cause: (.*?)</title>", one)[1]
        wanted = {cause: n for cause, n in layer["cause_cycles"].items() if n}
        assert {name: int(n.replace(",", "")) for name, n in re.findall(r"(\w+) ([\d,]+\d|\d)", told)} == wanted


def test_trace_without_rtl_is_of_the_cycle_model_and_goes_when_nobody_asks(network_file, tmp_path):
    assert run_network(str(network_file), options(tmp_path, limits=False, trace=True), quiet()) == 0
    told, found = slices(tmp_path / "trace.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert "no RTL was simulated" in told["source"]
    check_against_report(found, report, "small", TINY.bus_bits // 8, causes=False)
    assert run_network(str(network_file), options(tmp_path, limits=False), quiet()) == 0
    assert not (tmp_path / "trace.json").exists() and 'class="when"' not in (tmp_path / "report.html").read_text()


def test_layers_of_a_capture_follow_each_other(tmp_path):
    assert run_capture(SAMPLE, options(tmp_path, config="small", limits=False, trace=True), quiet()) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    told, found = slices(tmp_path / "trace.json")
    layers = {job: ones for (job, track), ones in found.items() if track == "layers"}
    assert [*layers] == [one["name"] for one in report["layers"]] and "jobs" in told
    starts = [ones[0]["ts"] for ones in layers.values()]
    ends = [ones[-1]["ts"] + ones[-1]["dur"] for ones in layers.values()]
    assert starts == [0, *ends[:-1]] and ends[-1] == report["total"]["cycles"]["cycle_model"]


def test_a_long_trace_leaves_out_slices_and_says_so(network_file, tmp_path, monkeypatch):
    monkeypatch.setattr(chrome, "MOST", 300)
    assert run_network(str(network_file), options(tmp_path, limits=False, trace=True), quiet()) == 0
    told, found = slices(tmp_path / "trace.json")
    until = int(re.search(r"from cycle ([\d,]+) on", told["left out"])[1].replace(",", ""))
    assert 200 < sum(map(len, found.values())) < 400
    for (_, track), ones in found.items():
        assert track.startswith(("layers", "sequencer")) or max(one["ts"] for one in ones) < until


def test_log_files(tmp_path):
    """Events of the processor come a cycle late in the profile; bits that no track needs are not read."""
    np.array([[10, 0b011, 0], [12, 0b101, 1], [13, 0, 0]], np.uint32).tofile(tmp_path / "log")
    bits = {0: "command", 1: "residual_bit", 2: "run_busy", 32: "psum_row"}
    found = log.read_log(tmp_path / "log", bits, start=10)
    assert log.times(found, "command", 100).tolist() == [0, 1, 2]
    assert log.times(found, "residual_bit", 100).tolist() == [-1, 0]
    assert log.times(found, "psum_row", 100).tolist() == [2]
    assert [part.tolist() for part in log.stretches(found, "command", 100)] == [[0], [3]]
    assert log.times(found, "command", 1).tolist() == [0], "nothing happens after the end"


def test_the_nth_event_belongs_to_a_known_tile():
    which, begin, end = spans(np.array([3, 4, 8, 20, 21]), np.array([2, 0, 1, 2]))
    assert (which.tolist(), begin.tolist(), end.tolist()) == ([0, 2, 3], [3, 8, 20], [5, 9, 22])
    assert spans(np.array([3, 4]), np.array([2, 1])) is None


def test_probes_that_are_not_in_the_design_are_left_out():
    text = "\nmodule \\reprise.datapath.core.processor.issue (take, clk);\n  output [1:0] take;\nendmodule\n"
    assert probes(text) == {"reuse0": "dut.datapath.core.processor.issue.take[0]"}
    assert probes(text.replace("take", "taken")) == {}
