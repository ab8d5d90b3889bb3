"""The floorplan: every macro of a neuron's column has a site of its own, columns lie side by side."""

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from reprise.flow.fpga import floorplan
from reprise.flow.fpga.floorplan import plan_of
from reprise.flow.fpga.sites import sites
from reprise.flow.fpga.synth import synthesize
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.lib.fanout import parts

TINY = HardwareConfig.load("tiny")
SITE = re.compile(r"X(\d+)/Y(\d+)/(EBR|MULT18_)\d")


@pytest.fixture(scope="module")
def tiny():
    """The top module of the synthesized core."""
    design = synthesize(TINY, name="tiny", block="core")
    return json.loads(design.netlist.read_text())["modules"]["core"]


def test_macros_of_the_synthesized_core_get_sites(tiny):
    """Names of cells and nets come from synthesis: if they change, nothing would be placed any more."""
    found = sites(plan_of(TINY), tiny)
    memories = [
        name
        for name, cell in tiny["cells"].items()
        if cell["type"] == "DP16KD" and re.search(r"processor\.(bank|pe_array)", name)
    ]
    multipliers = [name for name, cell in tiny["cells"].items() if cell["type"] == "MULT18X18D"]
    assert memories and multipliers
    assert sorted(found) == sorted(memories + multipliers)
    assert len(set(found.values())) == len(found)
    assert all(SITE.fullmatch(site) for site in found.values())


def module_of(c: HardwareConfig) -> dict:
    """A netlist as synthesis names it: wide memories, and two multipliers for each neuron's potential."""
    cells, held = {}, list(range(c.membrane_bits * c.neuron_lanes))
    for memory, bits in (("bank0.memory", c.psum_bits), ("pe_array.results0_", c.result_bits)):
        for k, part in enumerate(floorplan.lane_parts(c.neuron_lanes, c.groups, bits)):
            for j in range(-(-len(part.bits) // floorplan.BLOCK_BITS)):
                cells[f"dut.processor.{memory}{k}.0.{j}"] = {"type": "DP16KD", "connections": {}}
    for n in range(c.neuron_lanes):
        for half in range(2):
            operand = {"A0": [n * c.membrane_bits + half], "B0": ["0"]}
            cells[f"multiplier{n}.{half}"] = {"type": "MULT18X18D", "connections": operand}
    return {"cells": cells, "netnames": {"dut.neurons.integrate.held0": {"bits": held}}}


@pytest.mark.parametrize("name", ["tiny", "small", "paper"])
def test_columns_lie_side_by_side_like_a_serpent(name):
    c = HardwareConfig.load(name)
    found = sites(plan_of(c), module_of(c))
    assert len(set(found.values())) == len(found) == len(module_of(c)["cells"])
    places = {cell: tuple(map(int, SITE.fullmatch(site).groups()[:2])) for cell, site in found.items()}
    rows = parts(c.neuron_lanes, max(floorplan.ROWS))
    psums = sorted((cell for cell in places if ".bank0." in cell), key=lambda cell: order(c, cell))
    turns = 0
    for one, other in pairwise(places[cell] for cell in psums):
        step = abs(one[0] - other[0])
        turns += one[1] != other[1]
        assert step <= 12 and abs(one[1] - other[1]) in (0, 12, 24), "neighbouring lanes are neighbours"
    assert turns == len(rows) - 1
    for neuron in range(c.neuron_lanes):
        one, other = places[f"multiplier{neuron}.0"], places[f"multiplier{neuron}.1"]
        assert one[1] == other[1] and abs(one[0] - other[0]) <= 11


def test_front_end_is_held_together_where_columns_are_many():
    for name, placed in (("small", 0), ("paper", 3)):
        c = HardwareConfig.load(name)
        module = module_of(c)
        rams = {f"dut.frontend.sorter.memory{k}.0.0": {"type": "DP16KD", "connections": {}} for k in range(3)}
        module["cells"] |= rams
        found = sites(plan_of(c), module)
        assert len(found.keys() & rams.keys()) == placed and len(set(found.values())) == len(found)


def order(c: HardwareConfig, cell: str) -> int:
    """Place of the middle of a block RAM of partial sums in the order of the lanes."""
    part, index = map(int, re.search(r"memory(\d+)\.0\.(\d+)$", cell).groups())
    bits = floorplan.lane_parts(c.neuron_lanes, c.groups, c.psum_bits)[part].bits[floorplan.BLOCK_BITS * index :]
    return bits[min(len(bits), floorplan.BLOCK_BITS) // 2]


def test_what_does_not_fit_is_left_to_the_placer():
    wide = HardwareConfig.load("paper").replace(lanes=512)
    assert sites(plan_of(wide), module_of(wide)) == {}


def test_the_delivered_script_gives_the_same_sites(tmp_path):
    """The file as a program, which the hand-off folder holds: it imports nothing of this project."""
    module = module_of(TINY)
    for name, content in (("plan", plan_of(TINY)), ("netlist", {"modules": {"top": module}})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    script = shutil.copyfile(Path(floorplan.__file__).with_name("sites.py"), tmp_path / "floorplan.py")
    command = [sys.executable, "-I", script, "plan.json", "netlist.json", "top", "out.json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    wanted = sites(plan_of(TINY), module)
    assert (done.returncode, done.stdout) == (0, f"floorplan: {len(wanted)} cells have sites\n"), done.stderr
    cells = json.loads((tmp_path / "out.json").read_text())["modules"]["top"]["cells"]
    assert {n: cell["attributes"]["BEL"] for n, cell in cells.items() if "attributes" in cell} == wanted
