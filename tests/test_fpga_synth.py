"""Synthesis when Yosys itself fails."""

import json

import pytest

from hw.config import HardwareConfig
from hw.fpga import synth, yosys


def fake(failures, seen):
    """A Yosys that fails with these messages, then writes an empty netlist."""
    left = list(failures)

    def run_script(lines, *, folder, name, what):
        seen.append(lines)
        if left:
            raise yosys.ToolError(left.pop(0))
        (folder / "netlist.json").write_text(json.dumps({"modules": {"core": {"cells": {}}}}))

    return run_script


def test_an_assertion_of_yosys_is_met_with_a_flattened_design(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(yosys, "run_script", fake(["failed\nERROR: Assert `a == b' failed in rtlil.cc"], seen))
    synth.synthesize(HardwareConfig.load("tiny"), name="tiny", build=tmp_path)
    first, second = seen
    assert "flatten" not in first and "flatten" in second
    assert [line for line in second if line not in ("hierarchy -top core", "flatten")] == first


@pytest.mark.parametrize("failures", [["no such command"], ["ERROR: Assert `a'", "ERROR: Assert `a'"]])
def test_other_failures_and_a_second_one_are_told(tmp_path, monkeypatch, failures):
    monkeypatch.setattr(yosys, "run_script", fake(failures, seen := []))
    with pytest.raises(yosys.ToolError, match=failures[-1]):
        synth.synthesize(HardwareConfig.load("tiny"), name="tiny", build=tmp_path)
    assert len(seen) == len(failures)
