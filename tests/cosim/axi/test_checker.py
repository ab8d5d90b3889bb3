"""The checker of AXI's rules finds every wrong traffic by its rule, finds nothing in what is right, and is complete."""

import json
import re
import shutil

import pytest
from cocotb_tools.runner import get_runner

from reprise.cosim.bench import verilator
from reprise.cosim.bench.design import RTL
from tests.cosim.axi.traffic import BAD, GOOD, QUIET, UNKNOWN

SOURCE = RTL / "axi_checker.v"
PLAY = "tests.cosim.axi.play_cocotb"
PARAMETERS = {"DATA": 64, "ADDRESS": 32, "ID": 1, "DEPTH": 4}
WRONG = {name: cycles for name, (_, cycles) in BAD.items()}


def scenarios(folder, chosen):
    """Write the scenarios to a file; the environment of the cocotb side, and where it writes what it found."""
    (folder / "scenarios.json").write_text(json.dumps({"quiet": QUIET, "scenarios": chosen}))
    found = folder / "found.json"
    return {"AXI_SCENARIOS": str(folder / "scenarios.json"), "AXI_FOUND": str(found)}, found


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the checker finds in Verilator."""
    folder = tmp_path_factory.mktemp("axi-checker")
    arguments = [f"-G{name}={value}" for name, value in PARAMETERS.items()]
    model = verilator.build({SOURCE.name: SOURCE.read_text()}, "axi_checker", arguments=arguments)
    env, out = scenarios(folder, GOOD | WRONG)
    verilator.run(model, PLAY, folder=folder / "run", env=env, log=folder / "log")
    text = (folder / "log").read_text()
    return json.loads(out.read_text()) | {"printed": text}


@pytest.mark.parametrize("name", GOOD)
def test_right_traffic(found, name):
    assert found[name]["rules"] == [] and found[name]["errors"] == 0


@pytest.mark.parametrize("name", BAD)
def test_wrong_traffic(found, name):
    rule = BAD[name][0]
    assert found[name]["rules"] == [rule] and found[name]["errors"] == 1
    assert f"axi breaks {rule} (time" in found["printed"]


def test_bursts_under_way_are_counted(found):
    assert found["a write and its answer"]["open"] == found["256 beats"]["open"] == 0
    assert found["a burst ends at 4 KiB"]["open"] == 1 and found["cacheable memory"]["open"] == 2


def test_every_rule_is_broken_by_some_traffic():
    """The texts in the checker, of which AW and AR are put into some, are those that the scenarios expect."""
    texts = re.findall(r'broken\(\{?"([^"]*)"(?:, channel(?:, "([^"]*)")?)?', SOURCE.read_text())
    written = {before + "A?" * (len(before) != len(before.rstrip()) or bool(after)) + after for before, after in texts}
    expected = {re.sub(r"\bA[RW](?=(SIZE|BURST|CACHE|$))", "A?", rule) for rule, _ in (BAD | UNKNOWN).values()}
    assert written == expected and len(written) > 30


def test_icarus_finds_the_same_and_unknown_bits(found, tmp_path):
    """Icarus Verilog, whose signals can be unknown, takes the checker as Verilog of 2005."""
    if not shutil.which("iverilog"):
        pytest.skip("no Icarus Verilog")
    env, out = scenarios(tmp_path, GOOD | WRONG | {name: cycles for name, (_, cycles) in UNKNOWN.items()})
    runner = get_runner("icarus")
    runner.build(
        sources=[SOURCE], hdl_toplevel="axi_checker", parameters=PARAMETERS, build_dir=tmp_path,
        build_args=["-g2005", "-Wall"], timescale=("1ns", "1ps"), log_file=tmp_path / "build.log",
    )  # fmt: skip
    runner.test(
        test_module=PLAY, hdl_toplevel="axi_checker", build_dir=tmp_path, test_dir=tmp_path, extra_env=env,
        log_file=tmp_path / "log",
    )  # fmt: skip
    seen = json.loads(out.read_text())
    for name in GOOD | WRONG:
        assert seen[name] == found[name], name
    for name, (rule, _) in UNKNOWN.items():
        assert seen[name]["rules"][:1] == [rule], name
