"""A library of another kit: what is distilled of its Liberty file, and that the flow maps to the same circuit."""

import json

import numpy as np
import pytest

from reprise.flow.asic.library import library
from reprise.flow.asic.memories import build
from reprise.flow.asic.netlist import Memory, Port
from reprise.flow.asic.report import LIMITS
from reprise.flow.asic.synth import map_verilog
from reprise.support.errors import RepriseError
from tests.flow.chip.design import TOP, VERILOG, simulate, small, stimulus
from tests.reprise.command import reprise
from tools.distil.cells import distilled
from tools.distil.kits import KITS

LOADS, SLEWS = (0.005, 0.0125, 0.025, 0.075, 0.15), (0.06, 0.18, 0.42, 0.6, 1.2)
FUNCTIONS = {
    "INVX1": "(!A)",
    "BUFX4": "A",
    "NAND2X1": "(!(A B))",
    "AND2X1": "(A B)",
    "MUX2X1": "(!((S A) + (!S B)))",
}
HEAD = """library (osu018_stdcells) {
  leakage_power_unit : "1nW"; nom_voltage : 1.8; capacitive_load_unit (1,pf);
  lu_table_template(D) { variable_1 : total_output_net_capacitance; variable_2 : input_net_transition; }
  power_lut_template(P) { variable_1 : total_output_net_capacitance; variable_2 : input_transition_time; }
  lu_table_template(S) { variable_1 : related_pin_transition; variable_2 : constrained_pin_transition; }
"""


def table(kind, template, base):
    """A table whose values tell their load and slew: base + load + slew / 10."""
    rows = ", ".join('"' + ", ".join(str(base + load + slew / 10) for slew in SLEWS) + '"' for load in LOADS)
    axes = [", ".join(map(str, axis)) for axis in (LOADS, SLEWS)]
    return f'{kind}({template}) {{ index_1 ("{axes[0]}"); index_2 ("{axes[1]}"); values ({rows}); }}\n'


def arc(source, sense="negative_unate"):
    kinds = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    tables = "".join(table(kind, "D", base) for kind, base in zip(kinds, (0.1, 0.2, 0.3, 0.4), strict=True))
    power = table("rise_power", "P", 0.01) + table("fall_power", "P", 0.03)
    return f'timing() {{ related_pin : "{source}"; timing_sense : {sense};\n{tables}}}\n', (
        f'internal_power() {{ related_pin : "{source}"; {power} }}\n'
    )


def pin(name, clock=False, more=""):
    said = "clock : true;" if clock else ""
    passive = (
        "internal_power() { rise_power(X) { values (0.002); } fall_power(X) { values (0.006); } }" if clock else ""
    )
    return f"pin({name}) {{ direction : input; capacitance : 0.01; {said} {passive} {more} }}\n"


def liberty():
    """A Liberty file in the manner of the second kit: loads before slews, ANDs without a sign, a latch without area."""
    setup = '{ index_1 ("0.1, 0.5"); index_2 ("0.2, 0.6"); values ("0.2, 0.3", "0.4, 0.5"); }'
    lines = [HEAD]
    for n, (name, function) in enumerate(FUNCTIONS.items()):
        names = [one for one in "ABS" if one in function]
        arcs = [arc(one) for one in names]
        lines.append(f"cell ({name}) {{ area : {16 + 8 * n}; cell_leakage_power : 0.05;" + "".join(map(pin, names)))
        lines.append(f'pin(Y) {{ direction : output; function : "{function}";' + "".join(a + b for a, b in arcs) + "}}")
    data = f'timing() {{ related_pin : "CLK"; timing_type : setup_rising; rise_constraint(S) {setup} }}'
    for name, kind, area in (("DFFPOSX1", "ff", 96), ("LATCH", "latch", 0)):
        inside = 'next_state : "D"; clocked_on : "CLK";' if kind == "ff" else 'data_in : "D"; enable : "CLK";'
        lines.append(f"cell ({name}) {{ area : {area}; cell_leakage_power : 0.2; {kind} (DS0000,P0002) {{ {inside} }}")
        lines.append(pin("CLK", clock=True) + pin("D", more=data if kind == "ff" else ""))
        lines.append('pin(Q) { direction : output; function : "DS0000";' + "".join(arc("CLK", "non_unate")) + "}}")
    lines.append("cell (TBUFX1) { area : 40; cell_leakage_power : 1; }")
    return "\n".join([*lines, "}"])


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    (folder / "cells.lib").write_text(liberty())
    (folder / "cells.json").write_text(json.dumps(distilled(folder / "cells.lib", kit=KITS["osu018"])))
    return library(folder / "cells.json")


def test_what_is_distilled(other):
    """Figures by hand: tables with slews in their rows, functions with every sign, and a clock gate of three cells."""
    cells = other.cells
    assert set(cells) == {*FUNCTIONS, "DFFPOSX1", "LATCH", "CLOCKGATE"}
    nand = cells["NAND2X1"].outputs["Y"]
    assert nand.function == "(!(A*B))" and cells["MUX2X1"].outputs["Y"].function == "(!((S*A) + (!S*B)))"
    wanted = [[0.1 + load + slew / 10 for load in (0.005, 0.0125, 0.075, 0.15)] for slew in (0.06, 0.18, 0.6, 1.2)]
    np.testing.assert_allclose(nand.arcs["A"].tables[0], wanted, rtol=1e-3)
    assert nand.loads_ff.tolist() == [5, 12.5, 75, 150] and other.slews_ns.tolist() == [0.06, 0.18, 0.6, 1.2]
    assert nand.energy_fj == pytest.approx((1000 * (0.01 + 0.0234 + 0.01), 1000 * (0.03 + 0.0234 + 0.01)), rel=1e-3)
    flop, latch, gate = cells["DFFPOSX1"], cells["LATCH"], cells["CLOCKGATE"]
    assert flop.flip_flop and flop.outputs["Q"].function == "IQ" and flop.setup_ns == 0.2 and flop.clock_fj == (2, 6)
    assert latch.area == 56 and not latch.outputs["Q"].arcs and latch.leakage_nw == 0.2
    assert gate.area == 16 + 56 + 40 and gate.leakage_nw == 0.3 and gate.pins == {"CLK": 20, "GATE": 10}
    inverter, half = cells["INVX1"].outputs["Y"].energy_fj, 10 * 1.8**2 / 2
    assert gate.clock_fj == pytest.approx((inverter[0] + 2 + half, inverter[1] + 6 + half), rel=1e-3)


def test_the_flow_maps_to_the_same_circuit(other):
    """Its netlist, without cells that give constants, does in every cycle what that of the shipped library does."""
    mapped = map_verilog(VERILOG, top=TOP, name="other", chosen=other)
    assert mapped.library is other and set(mapped.netlist.types) <= set(other.cells)
    given = stimulus(60, seed=11)
    ours, theirs = (simulate(one, given) for one in (mapped, small()))
    for name, nets in mapped.netlist.outputs.items():
        assert np.array_equal(ours[:, nets], theirs[:, small().netlist.outputs[name]])


def test_memories_have_the_shipped_macros_and_its_own_latches(other):
    shipped = library()
    assert other.macros == shipped.macros and other.limits(LIMITS)[-1] == f"SRAM macros are those of {shipped.name}."
    assert shipped.limits(LIMITS)[-1] != other.limits(LIMITS)[-1] and len(shipped.limits(LIMITS)) == len(LIMITS)
    assert other.limits(LIMITS)[0].startswith("180 nm at the typical corner (1.8 V")
    port = Port(address=[2], data=[3] * 8, enable=[1], clocked=False)
    made = build(Memory(name="m", words=4, bits=8, reads=[port], writes=[port]), other)
    muxes = 8 * 3  # of two inputs, three for each bit
    sizes = {name: other.cells[name].area for name in ("LATCH", "CLOCKGATE", "MUX2X1")}
    assert made.area_um2 == 32 * sizes["LATCH"] + 4 * sizes["CLOCKGATE"] + muxes * sizes["MUX2X1"]


def test_a_file_that_is_no_library_is_a_users_mistake(tmp_path):
    path = tmp_path / "cells.json"
    for text in ("{", "[]", '{"name": "x"}'):
        path.write_text(text)
        with pytest.raises(RepriseError, match=r"library must be a cell library.*distil it with"):
            library(path)
    done = reprise("asic", "--config", "tiny", "--library", path)
    assert done.code == 2 and "tools.distil.cells" in done.text
