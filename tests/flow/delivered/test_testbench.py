"""The delivered testbench: it passes, and fails with another exit status when anything that it checks is wrong."""

import json
import re
import shutil
import subprocess
import sys
import time

import pytest
from amaranth import Signal

from reprise.flow.handoff.bench.refused import REFUSED
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import COMMAND_BYTES
from reprise.hw.arch.rule_kinds import Range
from reprise.hw.arch.rules import rules
from reprise.hw.interface.checker import broken, raw_view
from tests.flow.delivered.known_faults import FOUND_BY_A_JOB, KNOWN
from tests.flow.delivered.verilog_mutants import build, known, play

TINY = HardwareConfig.load("tiny")


@pytest.fixture(scope="module")
def folder(handoff):
    return handoff


def deep_tile():
    """The fault that K tiles may have more bits than there are: the comparator of that rule is never true."""
    compared = [rule for rule in rules(TINY, "RUN") for _ in broken(rule, raw_view(Signal(COMMAND_BYTES * 8), "RUN"))]
    bit = next(n for n, rule in enumerate(compared) if isinstance(rule, Range) and rule.field == "tile_depth")
    return "datapath.fetch", "broken_run", f"{{}} & ~{len(compared)}'h{1 << bit:x}"


@pytest.fixture(scope="module")
def faults(folder):
    """The known ones, and last one that only a program at the boundary of a rule shows."""
    return known((folder / "rtl" / "reprise.v").read_text(), [*KNOWN, deep_tile()])


@pytest.fixture(scope="module")
def built(folder, faults, tmp_path_factory):
    """A copy of the folder, built by its own script; the Verilog holds all faults, of which none is live by itself."""
    copy = tmp_path_factory.mktemp("built") / "tiny"
    shutil.copytree(folder, copy)
    build(copy, faults)
    return copy


def simulate(built, work, *arguments, limit=120):
    """Run the built testbench in a folder; returns the exit status and the lines that it printed."""
    executable = built / "sim" / "obj" / "Vreprise_tb"
    done = subprocess.run([executable, *arguments], capture_output=True, text=True, cwd=work, timeout=limit)
    return done.returncode, done.stdout.splitlines()


def spoil(built, work, name, index, bit=0):
    """Copy the memories, and flip a bit of a word of one of them."""
    work.mkdir(exist_ok=True)
    for one in ("memory.hex", "golden.hex"):
        shutil.copyfile(built / "sim" / one, work / one)
    words = (work / name).read_text().split()
    words[index] = f"{int(words[index], 16) ^ (1 << bit):0{len(words[index])}x}"
    (work / name).write_text("\n".join(words) + "\n")
    return work


def test_all_is_compared(built, folder, tmp_path):
    """One wrong bit in the result, beside all feature maps, or in the weights: each fails, the first two by name."""
    layout, word = json.loads((folder / "image" / "memory.json").read_text()), TINY.bus_bits // 8
    at = {key: (f["address"] - layout["base"]) // word for key, f in layout["features"].items()}
    code, lines = simulate(built, spoil(built, tmp_path / "golden", "golden.hex", at["out"]))
    assert code and "FAIL: 2 errors" in lines and "out: 1 of" in "\n".join(lines)
    program = (layout["program"] - layout["base"]) // word
    code, lines = simulate(built, spoil(built, tmp_path / "stray", "golden.hex", program))
    assert code and any(line.startswith("whole memory: 1 of") for line in lines)
    weights = next(r for r in layout["regions"] if r["kind"] == "weights")
    index = (weights["address"] - layout["base"]) // word
    code, lines = simulate(built, spoil(built, tmp_path / "image", "memory.hex", index, bit=6))
    assert code and any(line.startswith("FAIL") for line in lines)


def test_missing_and_short_files_are_told_at_once(built, tmp_path):
    start = time.perf_counter()
    code, lines = simulate(built, tmp_path)
    assert code and "memory.hex cannot be opened: run the testbench in the folder where it lies" in lines
    work = spoil(built, tmp_path / "short", "golden.hex", 0)
    words = (work / "golden.hex").read_text().split()
    (work / "golden.hex").write_text("\n".join(words[:100]) + "\n")
    code, lines = simulate(built, work)
    assert code and f"golden.hex must have {len(words)} words of {TINY.bus_bits} bits, not 100" in lines
    assert time.perf_counter() - start < 30


def test_faults_in_the_verilog_are_found(built, faults):
    """All known ones, with two networks; those of bursts' attributes by name, and a design that hangs is given up.

    ``make handoff-faults`` plays random ones.
    """
    command = [str(built / "sim" / "obj" / "Vreprise_tb"), "+jobs=2"]
    good, *found = play(built / "sim", command, list(range(len(faults))), 300)
    assert not good["found"]
    for n, (fault, one) in enumerate(zip(faults[:-1], found, strict=True)):
        assert one["found"] and one["exit"], fault
        assert one["cpu"] < 2 * good["cpu"] + 1, fault
        if n < 4:
            assert "burst, size, cache, prot or id" in one["told"] or "breaks" in one["told"], (fault, one["told"])
        refusals = [line for line in one["lines"] if line.startswith("refused with code ")]
        assert n >= len(FOUND_BY_A_JOB) or not refusals, (fault, one["told"])
    assert any("no end of the job within" in line for one in found for line in one["lines"]), "one of them hangs"


def test_a_rule_that_allows_too_much_is_found(built, faults):
    """By a program in which this rule alone is broken. Nothing before shows the fault, so the whole run plays it."""
    (one,) = play(built / "sim", [str(built / "sim" / "obj" / "Vreprise_tb")], [len(faults)], 300)
    refusals = [line for line in one["lines"] if line.startswith("refused with code ")]
    assert one["exit"] and len(refusals) > REFUSED, one["told"]


def test_a_good_run_is_far_from_being_given_up(built):
    """The run that built it had every job, latency, stall and storm, and none took three quarters of what it may."""
    told = re.findall(r"no job took more than (\d+) %", (built / "sim" / "verilator.log").read_text())
    assert len(told) == 1 and 25 < int(told[0]) < 75


def test_in_icarus(folder, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog (iverilog) is not installed")
    work = tmp_path / "work"
    shutil.copytree(folder / "rtl", work / "rtl")
    shutil.copytree(folder / "sim", work / "sim")
    done = subprocess.run(["sh", work / "sim" / "run_icarus.sh", "+jobs=1"], capture_output=True, text=True)
    assert done.returncode == 0 and "PASS" in done.stdout.splitlines(), done.stdout + done.stderr
    (work / "sim" / "golden.hex").unlink()
    done = subprocess.run(["vvp", "-n", "reprise_tb.vvp"], capture_output=True, text=True, cwd=work / "sim")
    assert done.returncode and "golden.hex cannot be opened" in done.stdout


@pytest.mark.parametrize(
    "path", ["sim/golden.hex", "rtl/reprise.v", "image/memory.bin", "drivers/c/reprise_registers.h"]
)
def test_the_manifest_is_checked(folder, tmp_path, path):
    """The delivered script passes, and fails for each kind of file when a byte is another or the file is not there."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)

    def check():
        command = [sys.executable, copy / "check_manifest.py"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, done.stdout

    (copy / "sim" / "icarus.log").write_text("left by a simulation")
    assert check() == (0, "not listed: sim/icarus.log\nthe folder is as it was handed over\n")
    data = bytearray((copy / path).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / path).write_bytes(data)
    code, told = check()
    assert code == 1 and f"{path}: not the file that was handed over" in told
    (copy / path).unlink()
    code, told = check()
    assert code == 1 and f"{path}: missing" in told
