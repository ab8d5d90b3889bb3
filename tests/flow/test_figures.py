"""Resource counts, the estimator and the baseline against hand-made and committed figures."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from amaranth.back import rtlil

from reprise.estimate.area import model
from reprise.flow.fpga import baseline, parts, results
from reprise.flow.fpga.endpoints import ends_of
from reprise.flow.fpga.route import Route, critical_path, summary
from reprise.flow.fpga.synth import by_block, owner, ports_of, synthesize, with_harness
from reprise.flow.harness import BLOCKS, make_block
from reprise.flow.yosys import ToolError, cells_of, run
from reprise.hw.arch.config import HardwareConfig

ROOT = Path(__file__).resolve().parents[2]
RECORDS = results.load(ROOT / results.RESOURCES)


def test_count_by_hand():
    cells = {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "PFUMX": 5, "TRELLIS_FF": 7, "DP16KD": 1, "MULT18X18D": 4}
    assert parts.count(parts.TARGETS["ecp5"], cells) == {"lut": 28, "ff": 7, "ram": 1, "dsp": 4}
    cells = {"LUT6": 2, "LUT2": 1, "FDRE": 3, "FDSE": 1, "RAMB36E2": 1, "RAMB18E2": 1, "CARRY8": 9, "RAM32M": 1}
    assert parts.count(parts.TARGETS["xcup"], cells) == {"lut": 7, "ff": 4, "ram": 1.5, "dsp": 0}


def test_owner_and_blocks():
    known = {"frontend", "frontend.detector", "frontend.detector.cam", "a"}
    assert owner("frontend.detector.match_LUT4_Z_3", known, 3) == "frontend.detector"
    assert owner("frontend.detector.cam.field.x", known, 2) == "frontend.detector"
    assert owner("frontend.i__payload.tile_LUT4_Z", known, 3) == "frontend"
    assert owner("clk_LUT4_Z", known, 3) == ""
    assert owner("a.memory[3].q_TRELLIS_FF_Q", known, 3) == "a"
    cells = {"a.b.x": {"type": "LUT4"}, "a.y": {"type": "TRELLIS_FF"}, "z": {"type": "LUT4"}}
    cells |= {name: {"type": "$scopeinfo"} for name in ("a", "a.b")}
    found = by_block(parts.TARGETS["ecp5"], cells)
    assert found == {"a": {"lut": 1, "ff": 1, "ram": 0, "dsp": 0}, "a.b": {"lut": 1, "ff": 0, "ram": 0, "dsp": 0}}


def test_endpoints_by_block():
    """An endpoint belongs to the block of its register; paths from and to pins do not count."""

    def net(event, *found):
        return {"event": event, "endpoints": [{"cell": c, "delay": [0, d], "event": e} for c, d, e in found]}

    clock = "posedge clk"
    report = {
        "detailed_net_timings": [
            net(clock, ("dut.core.a", 14.0, clock), ("dut.core.b", 21.0, clock), ("dut.output.c", 13.0, clock)),
            net(clock, ("dut.output.pin", 99.0, "async"), ("dut.x", 17.0, clock)),
            net("async", ("dut.core.d", 99.0, clock)),
        ]
    }
    cells = {name: {"type": "$scopeinfo"} for name in ("dut", "dut.core", "dut.output")}
    found = ends_of(report, cells)
    assert [(one.block, one.worst, one.cell, one.count, one.late) for one in found] == [
        ("core", 21.0, "dut.core.b", 2, (1, 1, 2)),
        ("", 17.0, "dut.x", 1, (0, 1, 1)),
        ("output", 13.0, "dut.output.c", 1, (0, 0, 0)),
    ]


def test_critical_path_names_blocks():
    def step(kind, delay, cell):
        return {"type": kind, "delay": delay, "from": {"cell": ""}, "to": {"cell": cell}}

    slow = [step("clk-to-q", 0.5, "dut.processor.issue.q"), step("routing", 2.25, "dut.frontend.pruner.x_LUT4_Z")]
    fast = [step("clk-to-q", 0.5, "dut.neurons.q")]
    report = {
        "critical_paths": [
            {"from": "posedge clk", "to": "posedge clk", "path": fast},
            {"from": "posedge clk", "to": "posedge clk", "path": slow},
            {"from": "async", "to": "posedge clk", "path": slow * 3},
        ]
    }
    names = ("dut", "dut.processor", "dut.processor.issue", "dut.frontend", "dut.frontend.pruner")
    known = {name: {"type": "$scopeinfo"} for name in names}
    path = critical_path(report, known)
    assert [s["block"] for s in path] == ["processor.issue", "frontend.pruner"]
    assert summary(path).startswith("0.5 ns logic + 2.2 ns routing through processor.issue, frontend.pruner:")
    assert critical_path({"critical_paths": []}, known) == []
    slow.append(step("logic", 0.25, "dut.frontend.pruner.sum$7_CCU2C_S$CCU2_COMB1"))
    known |= {"dut.frontend.pruner.sum$7_CCU2C_S": {"type": "CCU2C"}, "dut.processor.issue.q": {"type": "TRELLIS_FF"}}
    path = critical_path(report, known)
    assert [s["element"] for s in path] == ["", "", "a carry chain"]
    assert summary(path).startswith("0.8 ns logic with a carry chain + 2.2 ns routing through processor.issue,")


def test_save_replaces_the_same_measurement(tmp_path):
    path = tmp_path / "report" / "resources.json"
    base = {"kind": "synthesis", "config": "a", "block": "core", "target": "ecp5"}
    for record in ({**base, "lut": 1}, {**base, "config": "b", "lut": 2}, {**base, "lut": 3}):
        results.save(record, path)
    assert [(r["config"], r["lut"]) for r in results.load(path)] == [("a", 3), ("b", 2)]


def test_a_record_says_how_it_was_placed():
    """What was placed for another clock, or without a floorplan, is a measurement of its own."""
    found = Route(
        part="85k", grade=6, seed=2, fmax=50.0, utilization={}, path=[], luts={}, seconds=1.0, tool="", goal=75.0
    )
    config = HardwareConfig.load("tiny")
    plain, free = (results.route_record("tiny", config, "core", found, "--config tiny", free=f) for f in (False, True))
    assert plain["command"].endswith("--seed 2 --goal 75") and free["command"].endswith("--goal 75 --free")
    assert results.key(plain) != results.key(free) != results.key({**free, "goal": 60.0})


def test_baseline_is_the_recorded_core():
    """``make fpga-check`` compares with the figures that the page shows; and the core still is about that large."""
    measured = json.loads((ROOT / baseline.BASELINE).read_text())
    wanted = {"config": "small", "block": "core", "target": "ecp5"}
    (core,) = [r for r in RECORDS if (wanted | {"kind": "synthesis"}).items() <= r.items()]
    routed = wanted | {"kind": "route", "part": "85k", "grade": 6, "seed": baseline.SEED, "ripup": False}
    (route,) = [r for r in RECORDS if routed.items() <= r.items()]
    assert {r: measured[r] for r in parts.RESOURCES} == {r: core[r] for r in parts.RESOURCES}
    assert measured["fmax"] == route["fmax"] and measured["seed"] == baseline.SEED
    now = model.predict(HardwareConfig.load("small"), model.load(), "core").resources
    assert (now["ram"], now["dsp"]) == (measured["ram"], measured["dsp"]), "reprise fpga check --update"
    for resource in ("lut", "ff"):
        assert now[resource] == pytest.approx(measured[resource], rel=0.1), "reprise fpga check --update"


def test_records_are_consistent():
    """Resources are what their cells count as; blocks are no larger than the whole; the configuration is valid."""
    synthesized = [r for r in RECORDS if r["kind"] == "synthesis"]
    assert {"small", "paper"} <= {r["config"] for r in synthesized}
    for r in synthesized:
        assert parts.count(parts.TARGETS[r["target"]], r["cells"]) == {k: r[k] for k in parts.RESOURCES}
        HardwareConfig.from_dict(r["configuration"])
        tops = [f for path, f in r["blocks"].items() if "." not in path]
        for resource in parts.RESOURCES:
            assert sum(f[resource] for f in tops) <= r[resource]


def test_baseline_compare():
    base = {"lut": 1000, "ff": 1000, "ram": 10, "fmax": 100.0}
    rows = {r["figure"]: r for r in baseline.compare(base, {"lut": 1029, "ff": 1031, "ram": 11, "fmax": 91.0})}
    assert [rows[f]["worse"] for f in ("lut", "ff", "ram", "fmax")] == [False, True, True, True]
    rows = baseline.compare(base, {"lut": 500, "ff": 1000, "ram": 10, "fmax": 93.0})
    assert not any(r["worse"] for r in rows) and rows[0]["change"] == -0.5
    assert "fmax" not in {r["figure"] for r in baseline.compare(base, {"lut": 1})}


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_can_be_taken_by_itself(block):
    """Constant ports (of streams that are always ready) are none of the synthesized module."""
    component = make_block(block, HardwareConfig.load("tiny"))
    text = rtlil.convert(component, name=block, ports=ports_of(component), emit_src=False)
    given = re.findall(rf"module \\{block}\n(.*?)\nend\n", text, re.DOTALL)[0]
    assert set(re.findall(r"(?:in|out)put \d+\s+\\(\S+)", given)) == {*ports_of(component), "clk", "rst"}


def test_harness_is_put_around_the_synthesized_block():
    """What is routed is the netlist whose figures are known, and a FF a port bit: nothing is optimized across."""
    config = HardwareConfig.load("tiny")
    design = synthesize(config, name="tiny", block="output")
    cells = cells_of(with_harness(config, design), "harness")
    inside = Counter(c["type"] for n, c in cells.items() if n.startswith("dut.") and c["type"] != "$scopeinfo")
    assert inside == {k: n for k, n in design.cells.items() if k != "$scopeinfo"}
    outside = Counter(c["type"] for n, c in cells.items() if not n.startswith("dut"))
    ports = json.loads(design.netlist.read_text())["modules"]["output"]["ports"]
    assert outside["TRELLIS_FF"] == sum(len(p["bits"]) for name, p in ports.items() if name not in ("clk", "rst"))


def test_a_tool_is_stopped_and_its_output_kept(tmp_path):
    """A router that circles for ever ends with an error that says what to do."""
    script = "import time; print('begun', flush=True); time.sleep(60)"
    with pytest.raises(ToolError, match=r"router did not end within 2 s: another --seed may; log: .*\nbegun"):
        run([sys.executable, "-c", script], log=tmp_path / "log", what="router", limit=2, hint=": another --seed may")
    with pytest.raises(ToolError, match=r"router failed \(exit 3\)"):
        run([sys.executable, "-c", "raise SystemExit(3)"], log=tmp_path / "log", what="router", limit=60)
