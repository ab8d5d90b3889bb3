"""A cell library: standard cells and SRAM macros of a file, and a Liberty file for Yosys made of them.

``cells.json`` is the one that Reprise ships; others are distilled by ``tools/distil/cells.py``, too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...support.errors import RepriseError

FILE = Path(__file__).parent / "cells.json"

PLAIN = (
    *("name", "source", "corner", "macros_of", "volt", "tie"),
    *("gate", "flip_flop", "latch", "clock_gate", "buffer", "multiplexer"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arc:
    """Delays from an input to an output.

    Members
    -------
    sense : "positive_unate", "negative_unate" or "non_unate"
    tables : float64[4, slews, loads] in ns: delay of a rising and of a falling output, and their slews
    """

    sense: str
    tables: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """An output of a cell.

    Members
    -------
    function : of the cell's inputs, with ``!``, ``*``, ``+`` and ``^``; of a flip-flop, its state
    energy_fj : energy inside the cell when it rises, and when it falls
    loads_ff : of the tables of its arcs
    arcs : by input
    """

    function: str
    energy_fj: tuple[float, float]
    loads_ff: np.ndarray
    arcs: dict[str, Arc]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A standard cell.

    Members
    -------
    name : str
    area : in square micrometres
    leakage_nw : float
    pins : capacitance of every input in fF
    outputs : by name
    clock, data : pin of a flip-flop's clock and of its input, or ""
    clock_fj : energy of a clock's rise at which the output keeps its value, and of its fall
    data_fj : energy of a rise and of a fall of the data input
    setup_ns : float
    flip_flop : bool
        A cell with a clock that is none is a clock gate
    """

    name: str
    area: float
    leakage_nw: float
    pins: dict[str, float]
    outputs: dict[str, Output]
    clock: str = ""
    data: str = ""
    clock_fj: tuple[float, float] = (0.0, 0.0)
    data_fj: tuple[float, float] = (0.0, 0.0)
    setup_ns: float = 0.0
    flip_flop: bool = False


@dataclass(frozen=True, kw_only=True)
class Macro:
    """An SRAM macro with one port (read or write), or with two."""

    macro: str
    ports: int
    words: int
    bits: int
    area_um2: float
    leakage_nw: float
    read_pj: float
    write_pj: float
    idle_clock_pj: float
    clock_to_output_ns: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Library:
    """Cells and macros of one process at one corner.

    Members
    -------
    corner : process, voltage and temperature, for people
    macros_of : name of the library whose SRAM macros these are
    gate, flip_flop, latch, clock_gate, buffer, multiplexer : names of cells
    tie : cell and pin that give a constant; there may be none
    """

    name: str
    source: dict[str, str]
    corner: str
    macros_of: str
    volt: float
    slews_ns: np.ndarray
    gate: str
    flip_flop: str
    latch: str
    clock_gate: str
    buffer: str
    multiplexer: str
    tie: dict[str, list[str]]
    cells: dict[str, Cell]
    macros: tuple[Macro, ...]

    @property
    def gate_area(self) -> float:
        """Area of a gate equivalent, a NAND with two inputs."""
        return self.cells[self.gate].area

    def limits(self, said: Iterable[str]) -> list[str]:
        """Return what stands beside figures, with the corner in it, and whose macros these are if they are others."""
        others = [f"SRAM macros are those of {self.macros_of}."] if self.macros_of != self.name else []
        return [*(limit.format(corner=self.corner) for limit in said), *others]


def _cell(name: str, found: dict[str, Any]) -> Cell:
    outputs = {
        pin: Output(
            function=one["function"],
            energy_fj=tuple(one["energy_fj"]),
            loads_ff=np.array(one["loads_ff"]),
            arcs={
                source: Arc(
                    sense=arc["sense"],
                    tables=np.array([arc[key] for key in ("rise", "fall", "rise_slew", "fall_slew")]),
                )
                for source, arc in one["arcs"].items()
            },
        )
        for pin, one in found["outputs"].items()
    }
    clock, data = found.get("clock", {}), found.get("data", {})
    return Cell(
        name=name,
        area=found["area"],
        leakage_nw=found["leakage_nw"],
        pins=found["pins"],
        outputs=outputs,
        clock=clock.get("pin", ""),
        data=data.get("pin", ""),
        clock_fj=tuple(clock.get("energy_fj", (0.0, 0.0))),
        data_fj=tuple(data.get("energy_fj", (0.0, 0.0))),
        setup_ns=data.get("setup_ns", 0.0),
        flip_flop="ff" in found,
    )


@functools.cache
def library(path: Path = FILE) -> Library:
    """Load a library.

    Raises
    ------
    RepriseError
        The file is none that ``tools/distil/cells.py`` made.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Library(
            **{key: found[key] for key in PLAIN},
            slews_ns=np.array(found["slews_ns"]),
            cells={name: _cell(name, cell) for name, cell in found["cells"].items()},
            macros=tuple(Macro(**one) for one in found["macros"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        made = "distil it with python -m tools.distil.cells LIBERTY --kit NAME --out FILE --write"
        rule = "a cell library as flow/asic/cells.json is one"
        raise RepriseError(field="library", rule=rule, value=f"{path} ({error!r})", remedy=made) from error


def _row(values: Iterable[float]) -> str:
    return '"' + ", ".join(f"{value:g}" for value in values) + '"'


def _timing(source: str, arc: Arc, axes: tuple[str, str], flip_flop: bool) -> str:
    kinds = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    slews, loads = axes
    tables = "".join(
        f" {kind} (T) {{ index_1 ({slews}); index_2 ({loads}); values ({', '.join(_row(row) for row in table)}); }}\n"
        for kind, table in zip(kinds, arc.tables, strict=True)
    )
    kind = "rising_edge" if flip_flop else "combinational"
    return f'timing () {{ related_pin : "{source}"; timing_sense : {arc.sense}; timing_type : {kind};\n{tables}}}\n'


def liberty(chosen: Library) -> str:
    """Return a Liberty file of a library's cells, with all that Yosys and ABC read of one."""
    slews = _row(chosen.slews_ns)
    lines = [
        f"library ({chosen.name}) {{",
        "delay_model : table_lookup; time_unit : 1ns; capacitive_load_unit (1, pf); voltage_unit : 1V;",
        "current_unit : 1uA; pulling_resistance_unit : 1kohm; leakage_power_unit : 1nW;",
        f"nom_voltage : {chosen.volt:g};",
        "lu_table_template (T) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;",
        f' index_1 ({slews}); index_2 ("0.001, 0.0234, 0.0648, 0.3"); }}',
    ]
    for name, cell in chosen.cells.items():
        if cell.clock and not cell.flip_flop:
            continue  # clock gates and latches are not mapped
        lines.append(f"cell ({name}) {{ area : {cell.area:g};")
        if cell.flip_flop:
            lines.append(f'ff (IQ, IQN) {{ clocked_on : "{cell.clock}"; next_state : "{cell.data}";')
            lines.append(' clear : "!RESET_B"; }' if "RESET_B" in cell.pins else " }")
        for pin, farad in cell.pins.items():
            clock = " clock : true;" if pin == cell.clock else ""
            lines.append(f"pin ({pin}) {{ direction : input; capacitance : {farad / 1000:g};{clock} }}")
        for pin, output in cell.outputs.items():
            lines.append(f'pin ({pin}) {{ direction : output; function : "{output.function}";')
            if len(output.loads_ff):
                lines.append(f" max_capacitance : {output.loads_ff[-1] / 1000:g};")
            lines += [
                _timing(source, arc, (slews, _row(output.loads_ff / 1000)), bool(cell.clock))
                for source, arc in output.arcs.items()
            ]
            lines.append("}")
        lines.append("}")
    return "\n".join([*lines, "}", ""])
