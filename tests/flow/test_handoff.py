"""The hand-off folder: complete, hashed, and its testbench, FuseSoC core and wrappers work in open tools."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.cosim.bench.lint import lint
from reprise.cosim.bench.verilator import MAKE_VARIABLES, VERILATOR_ROOT
from reprise.flow.handoff.handoff import FILES, ONLY_FOR, write_handoff
from reprise.hw.arch.config import HardwareConfig

TINY = HardwareConfig.load("tiny")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_handoff("tiny", TINY, tmp_path_factory.mktemp("handoff") / "tiny")


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


def test_manifest_hashes(folder):
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    made = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"MANIFEST.json"}
    assert set(manifest["files"]) == made
    for path, digest in manifest["files"].items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest, path
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


def test_board(tmp_path):
    made = write_handoff("tiny", TINY, tmp_path / "one", targets=("ecp5",), board="ulx3s-85f")
    lpf = (made / "constraints" / "reprise_pins.lpf").read_text()
    assert 'FREQUENCY PORT "clk" 25 MHZ;\nLOCATE COMP "clk" SITE "G2";' in lpf
    with pytest.raises(ValueError, match="board must be one of configs/boards .*ulx3s-85f.*, not 'none'"):
        write_handoff("tiny", TINY, tmp_path / "two", board="none")


def spoil(folder, copy, region="out"):
    """A copy of the simulation folder with one wrong bit in the golden memory."""
    shutil.copytree(folder / "sim", copy / "sim")
    shutil.copytree(folder / "rtl", copy / "rtl")
    layout = json.loads((folder / "image" / "memory.json").read_text())
    words = (copy / "sim" / "golden.hex").read_text().split()
    at = (layout["features"][region]["address"] - layout["base"]) // (TINY.bus_bits // 8)
    words[at] = f"{int(words[at], 16) ^ 1:0{len(words[at])}x}"
    (copy / "sim" / "golden.hex").write_text("\n".join(words) + "\n")
    return copy


def test_testbench_in_icarus(folder, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed")
    work = tmp_path / "work"
    shutil.copytree(folder / "rtl", work / "rtl")
    shutil.copytree(folder / "sim", work / "sim")
    done = subprocess.run(["sh", work / "sim" / "run_icarus.sh"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "PASS", done.stdout + done.stderr
    again = ["vvp", "-n", work / "sim" / "reprise_tb.vvp"]
    done = subprocess.run(again, capture_output=True, text=True, cwd=spoil(folder, tmp_path) / "sim")
    assert "out: 1 of " in done.stdout and "FAIL: 2 errors" in done.stdout


def test_testbench_in_verilator(folder, tmp_path, environment):
    """Passes; with one wrong bit in the golden memory the same executable fails, in both jobs."""
    spoiled = spoil(folder, tmp_path)
    flags = " ".join([*MAKE_VARIABLES[:3], "CFG_CXXFLAGS_COROUTINES=-fcoroutines", "OPT_FAST=-O0", "OPT_GLOBAL=-O0"])
    good = tmp_path / "good"
    shutil.copytree(folder / "sim", good / "sim")
    shutil.copytree(folder / "rtl", good / "rtl")
    script = ["sh", good / "sim" / "run_verilator.sh", "-MAKEFLAGS", flags]
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    log = good / "sim" / "verilator_build.log"
    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()[-3000:]
    assert "PASS" in done.stdout.splitlines()
    executable = good / "sim" / "obj" / "Vreprise_tb"
    done = subprocess.run([executable], capture_output=True, text=True, cwd=spoiled / "sim")
    assert "out: 1 of " in done.stdout and "FAIL: 2 errors" in done.stdout


def test_wrappers_lint(folder):
    """The IP's top and the four-pin top: every port of the accelerator connected, no width mismatch."""
    waivers = folder / "sim" / "waivers.vlt"
    for top in ("reprise_ip", "reprise_pins"):
        lint([folder / "rtl" / "reprise.v", folder / "rtl" / f"{top}.v"], top, waivers=waivers)


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


@pytest.mark.parametrize("target", ["lint", "ecp5", "vivado", "quartus"])
def test_fusesoc(folder, tmp_path, environment, target):
    """FuseSoC runs the lint and sets the tools up: every file of the core exists and is known to its tool."""
    setup = [] if target == "lint" else ["--setup"]
    core = next(
        line.split()[1] for line in (folder / "reprise.core").read_text().splitlines() if line.startswith("name:")
    )
    command = ["fusesoc", "--cores-root", folder, "run", *setup, "--target", target, "--work-root", tmp_path, core]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "Makefile").is_file()
