"""Cells, mapping, memories, static timing and the report of ``reprise asic``, on a small design."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reprise.flow.asic import netlist as netlists
from reprise.flow.asic import page
from reprise.flow.asic.fields import Asic
from reprise.flow.asic.library import library
from reprise.flow.asic.memories import build, of_macro
from reprise.flow.asic.netlist import Memory, Port
from reprise.flow.asic.report import asic_report
from reprise.flow.asic.timing import CLOCK_SLEW, WIRE_FF, Timing
from reprise.hw.arch.config import HardwareConfig
from tests.flow.chip.design import simulate, small, stimulus
from tests.reprise.command import reprise

SHARED = Path(__file__).resolve().parents[4] / "shared/data/asic"
CELLS = library()


@pytest.mark.skipif(not SHARED.exists(), reason="the Liberty file (../shared/data/asic) is absent")
def test_shipped_cells_are_those_of_the_liberty_file():
    from reprise.flow.asic.library import FILE
    from tools.distil.cells import distilled

    found = distilled(SHARED / "sg13g2_stdcell_typ_1p20V_25C.lib.gz", SHARED / "sg13g2_sram.csv")
    assert found == json.loads(FILE.read_text())


def test_a_few_figures_of_the_library():
    """As the Liberty file has them."""
    nand = CELLS.cells["sg13g2_nand2_1"]
    assert nand.area == 7.2576 == CELLS.gate_area and nand.outputs["Y"].function == "!(A*B)"
    assert (
        nand.outputs["Y"].arcs["A"].tables[0, 0, 0] == 0.02272 and nand.outputs["Y"].arcs["A"].tables[1, 1, 1] == 0.1656
    )
    flop = CELLS.cells[CELLS.flip_flop]
    assert flop.flip_flop and flop.area == 48.9888 and 0.1 < flop.setup_ns < 0.3 and flop.pins["D"] == 1.42
    assert not CELLS.cells[CELLS.clock_gate].flip_flop


def test_flip_flops_with_enables_get_clock_gates_and_are_reset_behind_closed_ones():
    """The oracle is what the Verilog says of its registers, cycle by cycle."""
    found, inputs = small().netlist, stimulus(200, seed=11)
    states = simulate(small(), inputs)
    at = {(found.signals[signal], bit): net for net, signal, bit in found.names.tolist()}
    assert (found.flop_gate >= 0).all() and len(found.gate_enable) == 2 and sorted(found.gate_block) == [0, 1]
    words = {
        name: states[:, [at[name, bit] for bit in range(width)]] @ (1 << np.arange(width))
        for name, width in (("walk", 10), ("held", 8), ("worker.sum", 16))
    }
    closed = 0
    for cycle, given in enumerate(inputs[:-1]):
        walk, following = int(words["walk"][cycle]), int(words["walk"][cycle + 1])
        if given["rst"]:
            closed += not given["go"]
            assert [int(word[cycle + 1]) for word in words.values()] == [1, 0, 0]
        else:
            stepped = (walk << 1 | (walk >> 9 ^ walk >> 6) & 1) & 1023
            assert following == (stepped if given["go"] else walk), f"cycle {cycle}"
    assert closed > 3


def test_mapping_keeps_flip_flops_and_memories():
    found = small().netlist
    signals = {(found.signals[signal], bit): net for net, signal, bit in found.names.tolist()}
    for name, width in (("walk", 10), ("held", 8), ("worker.sum", 16)):
        assert {signals[name, bit] for bit in range(width)} <= set(found.q.tolist())
    assert len(found.d) == 10 + 8 + 16 and found.blocks == ["", "worker"]
    owner = dict(zip(found.q.tolist(), found.flop_owner.tolist(), strict=True))
    assert {owner[signals["worker.sum", bit]] for bit in range(16)} == {1} and owner[signals["walk", 0]] == 0
    shapes = {(m.words, m.bits, tuple(p.clocked for p in m.reads)) for m in found.memories}
    assert shapes == {(16, 8, (False,)), (64, 8, (True,))}
    driven = [*found.gate_output.tolist(), *found.q.tolist()]
    assert len(driven) == len(set(driven))


def test_gates_come_after_what_they_read():
    found = small().netlist
    order, level = netlists.topological(found.gate_inputs, found.gate_output, found.nets)
    place = {int(found.gate_output[gate]): n for n, gate in enumerate(order)}
    for n, gate in enumerate(order):
        assert all(place.get(net, -1) < n for net in found.gate_inputs[gate].tolist())
    assert level.max() > 3
    loop = np.full((2, netlists.MOST_INPUTS), -1, np.int32)
    loop[:, 0] = 3, 2
    with pytest.raises(ValueError, match="loop"):
        netlists.topological(loop, np.array([2, 3]), 4)


def memory(words, bits, clocked=True, reads=1):
    port = Port(address=[2], data=[3] * bits, enable=[1], clocked=clocked)
    return Memory(name="m", words=words, bits=bits, reads=[port] * reads, writes=[port])


def test_memories_become_what_is_smallest():
    assert build(memory(4, 8), CELLS).kind == "latches"
    large = build(memory(1024, 32), CELLS)
    assert large.kind.startswith("RM_IHPSG13_2P_1024x32") and large.count == 1
    assert build(memory(1024, 32, clocked=False), CELLS).kind == "latches"
    for words, bits, reads in ((64, 22, 1), (200, 40, 1), (700, 100, 1), (512, 16, 2), (33, 9, 1)):
        made, wanted = build(memory(words, bits, reads=reads), CELLS), memory(words, bits, reads=reads)
        others = [found for macro in CELLS.macros if (found := of_macro(wanted, macro))]
        assert made.area_um2 <= min(found.area_um2 for found in others)
        if made.kind != "latches":
            macro = next(one for one in CELLS.macros if one.macro == made.kind)
            assert made.count * macro.words * macro.bits >= reads * words * bits
            assert made.read_pj == pytest.approx(macro.read_pj * bits / macro.bits)


def chain(kinds, opens=()):
    """A flip-flop, some cells of one input behind each other, and a flip-flop; the last net may open clock gates."""
    types = sorted({*kinds, CELLS.flip_flop})
    count = len(kinds)
    inputs = np.full((count, netlists.MOST_INPUTS), -1, np.int32)
    inputs[:, 0] = np.arange(2, 2 + count)
    return replace(
        small().netlist,
        nets=count + 4,
        types=types,
        gate_type=np.array([types.index(kind) for kind in kinds], np.int32),
        gate_inputs=inputs,
        gate_output=np.arange(3, 3 + count, dtype=np.int32),
        gate_owner=np.zeros(count, np.int32),
        d=np.array([2 + count], np.int32),
        q=np.array([2], np.int32),
        flop_type=np.array([types.index(CELLS.flip_flop)], np.int32),
        flop_owner=np.array([1], np.int32),
        flop_gate=np.array([-1], np.int32),
        gate_enable=np.array([2 + count for _ in opens], np.int32),
        gate_block=np.array(opens, np.int32),
        memories=[],
        memory_owner=np.zeros(0, np.int32),
        inputs={},
        outputs={},
    )


def read(table, slews, loads, slew, load):
    """A table's value, one axis after the other."""
    return np.interp(slew, slews, [np.interp(load, loads, row) for row in table])


def test_a_path_by_hand():
    """Two inverters: the period is clock-to-output, two delays at the slews and loads that there are, and the setup."""
    inverter, flop = CELLS.cells["sg13g2_inv_1"], CELLS.cells[CELLS.flip_flop]
    found = Timing(chain(["sg13g2_inv_1"] * 2), CELLS, []).longest()
    slews, q, y = CELLS.slews_ns, flop.outputs["Q"], inverter.outputs["Y"]
    load = inverter.pins["A"] + WIRE_FF
    ends = []
    for edge in (0, 1):  # of the flip-flop's output
        time = read(q.arcs["CLK"].tables[edge], slews, q.loads_ff, CLOCK_SLEW, load)
        slew = read(q.arcs["CLK"].tables[2 + edge], slews, q.loads_ff, CLOCK_SLEW, load)
        for n, end in enumerate((load, flop.pins["D"] + WIRE_FF)):
            out = 1 - edge if n == 0 else edge
            tables = y.arcs["A"].tables
            time += read(tables[out], slews, y.loads_ff, slew, end)
            slew = read(tables[2 + out], slews, y.loads_ff, slew, end)
        ends.append(time + flop.setup_ns)
    assert found.period_ns == pytest.approx(max(ends), rel=1e-9)
    assert found.nets == [2, 3, 4] and found.end == "worker"


def test_an_enable_must_be_there_in_time_and_loads_its_net():
    plain, gated = (Timing(chain(["sg13g2_inv_1"] * 2, opens), CELLS, []) for opens in ((), (0, 1)))
    gate, flop = CELLS.cells[CELLS.clock_gate], CELLS.cells[CELLS.flip_flop]
    assert gated.load[4] - plain.load[4] == pytest.approx(2 * (gate.pins["GATE"] + WIRE_FF))
    assert gate.setup_ns < flop.setup_ns and gated.longest().setup_ns == flop.setup_ns
    netlist = chain(["sg13g2_inv_1"] * 2, (1,))
    found = Timing(replace(netlist, d=np.array([3], np.int32)), CELLS, []).longest()
    assert (found.setup_ns, found.nets, found.end) == (gate.setup_ns, [2, 3, 4], "worker")


def test_longer_paths_and_longer_wires_are_slower():
    few, many = (Timing(chain(["sg13g2_inv_1"] * n), CELLS, []).longest().period_ns for n in (2, 8))
    assert many > few
    netlist, built = small().netlist, [build(one, CELLS) for one in small().netlist.memories]
    periods = [Timing(netlist, CELLS, built, wire).longest().period_ns for wire in (2, 4, 8)]
    assert periods == sorted(periods) and periods[0] < periods[2]


def test_a_net_that_no_cell_drives_gets_a_tree_of_buffers():
    lone = Timing(chain(["sg13g2_inv_1"]), CELLS, [])
    seen, delay = lone._tree(np.array([50.0, 299.0, 2000.0, 50_000.0]), 300.0)
    assert delay[:2].tolist() == [0, 0] and 0 < delay[2] < delay[3] and seen[3] < 300


def test_rectangles_fill_the_box_in_proportion():
    sizes = sorted(np.random.default_rng(3).integers(1, 500, 17).tolist(), reverse=True)
    found = page.squarified(sizes, (10, 20, 300, 200))
    assert [w * h for _, _, w, h in found] == pytest.approx([one * 300 * 200 / sum(sizes) for one in sizes])
    for n, (x, y, w, h) in enumerate(found):
        assert 10 - 1e-9 <= x and x + w <= 310 + 1e-9 and 20 - 1e-9 <= y and y + h <= 220 + 1e-9
        for a, b, c, d in found[:n]:
            assert min(x + w, a + c) - max(x, a) < 1e-6 or min(y + h, b + d) - max(y, b) < 1e-6


def test_the_report_adds_up_and_the_command_writes_it(monkeypatch, tmp_path):
    config = HardwareConfig.load("tiny")
    report = asic_report(config, "tiny", small())
    Asic.model_validate(report)
    for key in ("cells", "flip_flops", "logic_um2", "memory_um2"):
        assert report["total"][key] == pytest.approx(sum(one[key] for one in report["blocks"]), abs=0.5)
    area = sum(count * CELLS.cells[name].area for name, count in report["cell_types"].items())
    assert report["total"]["logic_um2"] == pytest.approx(area, abs=1) and report["total"]["kilogates"] > 0
    assert sum(report["cell_types"].values()) == report["total"]["cells"]
    timing = report["timing"]
    assert timing["period_ns"] == pytest.approx(timing["launch_ns"] + timing["logic_ns"] + timing["setup_ns"], abs=2e-3)
    monkeypatch.setattr("reprise.flow.asic.synth.synthesize", lambda config, name, chosen: small())
    done = reprise("asic", "--config", "tiny", "--out", tmp_path / "out")
    assert done.code == 0, done.text
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert {**written, "date": 0, "seconds": 0, "command": 0} == {**report, "date": 0, "seconds": 0, "command": 0}
    text = (tmp_path / "out/report.html").read_text()
    assert text.count("<rect") == len(report["blocks"]) + len(page.grouped(report["blocks"]))
    assert all(limit.split(":")[0] in text for limit in report["limits"]) and "Apache-2.0" in text
