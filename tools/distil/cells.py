"""Distils a Liberty file and a table of SRAM macros into a cell library, with what mapping and energy need.

The library that Reprise ships is ``flow/asic/cells.json``. One of another kit (``kits.py``) goes into a file of its
own, for ``--library`` of ``reprise asic`` and ``reprise energy``; without a table of macros, it has the shipped ones.

Of every cell that mapping may use are kept: area, leakage, functions, pin capacitances, the tables of delays and slews
on a coarser grid, and energies at one slew and load. Where a table depends on other pins, the slowest delay and the
mean energy are taken. Energies are those inside the cell, without the charge of the net that it drives.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from reprise.flow.asic.library import FILE
from reprise.support.command_line import INPUT_FILE, OUTPUT_FILE, Write, commands, example, main, one_of

from .kits import KITS, Kit
from .liberty import Group, numbers, parse

NAME = "python -m tools.distil.cells"
app = commands()

EDGES = ("rise_power", "fall_power")
NANOWATTS = {"1nW": 1.0, "1pW": 1e-3}
SECOND = ("total_output_net_capacitance", "related_pin_transition")
"""Variables whose values stand in the columns of a table, as they are read here."""

DIGITS = 4


def rounded(value: float) -> float:
    """Return a figure with as many digits as are kept."""
    return float(f"{value:.{DIGITS}g}")


def _axes(table: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = np.array(numbers(table.attributes.get("index_1", "0")))
    second = np.array(numbers(table.attributes.get("index_2", "0")))
    return first, second, np.array(numbers(table.attributes["values"])).reshape(len(first), len(second))


def _at(table: Group, first: float, second: float) -> float:
    """Return a table's value between its points; what lies outside is taken at the edge."""
    rows, columns, values = _axes(table)
    across = [np.interp(second, columns, row) for row in values]
    return float(np.interp(first, rows, across))


def _turn(group: Group, second: set[str]) -> None:
    """Let every table in a group have slews, or those of the data, in its rows; ``second`` names templates to turn."""
    for one in group.groups:
        if one.name in second and "values" in one.attributes:
            rows, columns, values = _axes(one)
            texts = [", ".join(map(repr, each.ravel().tolist())) for each in (columns, rows, values.T)]
            one.attributes |= dict(zip(("index_1", "index_2", "values"), texts, strict=True))
        _turn(one, second)


def _grid(table: Group, kit: Kit) -> np.ndarray:
    slews, _, values = _axes(table)
    return np.array([np.interp(kit.slews_ns, slews, values[:, n]) for n in kit.loads]).T


def _arc(groups: list[Group], kit: Kit) -> dict[str, Any]:
    """Return the slowest tables of the timing groups from one pin to an output."""
    senses = {one.attributes.get("timing_sense", "non_unate") for one in groups}
    found: dict[str, Any] = {"sense": senses.pop() if len(senses) == 1 else "non_unate"}
    for name, kind in (
        ("rise", "cell_rise"),
        ("fall", "cell_fall"),
        ("rise_slew", "rise_transition"),
        ("fall_slew", "fall_transition"),
    ):
        tables = [_grid(table, kit) for one in groups for table in one.of(kind)]
        found[name] = [[rounded(v) for v in row] for row in np.max(tables, axis=0)]
    return found


def _loads(pin: Group, kit: Kit) -> list[float]:
    """Return the loads of an output's tables in femtofarads; a constant has none."""
    for timing in pin.of("timing"):
        for table in timing.of("cell_rise"):
            loads = _axes(table)[1]
            return [rounded(1000 * float(loads[n])) for n in kit.loads]
    return []


def _quiet(when: str) -> bool:
    """Return whether a flip-flop's input is its output, or nothing is said about them."""
    return ("!D" in when) == ("!Q" in when)


def _below(when: str) -> bool:
    """Return whether the clock is low: then the first latch of a flip-flop follows its input."""
    return "!CLK" in when


def _energy(groups: list[Group], kit: Kit, kind: str, holds: Callable[[str], bool] = lambda when: True) -> float:
    """Return the mean energy in femtojoules of the groups in which the cell is not reset and anything is spent.

    ``holds`` says which conditions count.
    """
    conditioned = [one for one in groups if "when" in one.attributes and holds(one.attributes["when"])] or groups
    values = [
        _at(table, kit.slew_ns, kit.load_pf)
        for one in conditioned
        if "!RESET_B" not in one.attributes.get("when", "") and one.attributes.get("related_pin") != "RESET_B"
        for table in one.of(kind)
    ]
    spent = [value for value in values if value > 0]
    return rounded(1000 * float(np.mean(spent))) if spent else 0.0


def _function(pin: Group, state: str = "") -> str:
    """Return the function of an output with ``*`` for every AND; the state of a flip-flop is called IQ."""
    text = pin.attributes.get("function", pin.attributes.get("state_function", ""))
    text = re.sub(r"(?<=[\w)])\s+(?=[\w(!])", "*", text)
    return re.sub(rf"\b{state}\b", "IQ", text) if state else text


def _cell(group: Group, kit: Kit, leakage: float) -> dict[str, Any]:
    """Return what is kept of a cell; ``leakage`` is the unit of leakage in nanowatts."""
    pins = {one.name: one for one in group.of("pin")}
    states = [one.name.split(",")[0].strip() for kind in ("ff", "latch") for one in group.of(kind)]
    found: dict[str, Any] = {
        "area": kit.areas.get(group.name, float(group.attributes["area"])),
        "leakage_nw": rounded(float(group.attributes["cell_leakage_power"]) * leakage),
        "pins": {},
        "outputs": {},
    }
    for name, pin in pins.items():
        direction, powers = pin.attributes["direction"], pin.of("internal_power")
        if direction == "input":
            found["pins"][name] = rounded(1000 * float(pin.attributes["capacitance"]))
        elif direction == "output":
            by_pin: dict[str, list[Group]] = {}
            for timing in pin.of("timing"):
                if timing.of("cell_rise") and not group.of("latch"):
                    by_pin.setdefault(timing.attributes["related_pin"], []).append(timing)
            found["outputs"][name] = {
                "function": _function(pin, *states),
                "energy_fj": [_energy(powers, kit, kind) for kind in EDGES],
                "loads_ff": _loads(pin, kit),
                "arcs": {source: _arc(timings, kit) for source, timings in by_pin.items()},
            }
        if pin.attributes.get("clock") == "true":
            found["clock"] = {"pin": name, "energy_fj": [_energy(powers, kit, kind, _quiet) for kind in EDGES]}
        for timing in pin.of("timing"):
            if timing.attributes.get("timing_type") == "setup_rising":
                clock, data = kit.setup_slews_ns
                setups = [_at(table, data, clock) for table in timing.groups]
                energies = [_energy(powers, kit, kind, _below) for kind in EDGES]
                found["data"] = {"pin": name, "setup_ns": rounded(max(setups)), "energy_fj": energies}
    for one in group.of("ff"):
        found["ff"] = dict(one.attributes)
    return found


def _clock_gate(cells: dict[str, dict[str, Any]], kit: Kit, volt: float) -> dict[str, Any]:
    """Return a clock gate that is made of an inverter, a latch that it opens while the clock is low, and an AND."""
    inverter, latch, gate = (cells[name] for name in kit.gate_of)
    ((opens, clock), _), (output,) = gate["pins"].items(), gate["outputs"].values()
    (given,), (inverted,) = inverter["pins"].values(), inverter["outputs"].values()
    net = latch["pins"][latch["clock"]["pin"]] * volt**2 / 2
    energies = zip(inverted["energy_fj"], latch["clock"]["energy_fj"], strict=True)
    (data,) = (farad for pin, farad in latch["pins"].items() if pin != latch["clock"]["pin"])
    return {
        **{key: rounded(inverter[key] + latch[key] + gate[key]) for key in ("area", "leakage_nw")},
        "pins": {"CLK": rounded(given + clock), "GATE": data},
        "clock": {"pin": "CLK", "energy_fj": [rounded(one + other + net) for one, other in energies]},
        "outputs": {"GCLK": {**output, "function": "CLK * int_GATE", "arcs": {"CLK": output["arcs"][opens]}}},
    }


def _macros(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: text if key == "macro" else json.loads(text) for key, text in row.items()} for row in rows]


def distilled(library: Path, macros: Path | None = None, kit: Kit = KITS["sg13g2"]) -> dict[str, Any]:
    """Return a cell library of a Liberty file, gzipped or not, and of a table of macros."""
    data = library.read_bytes()
    liberty = parse((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode())
    templates = [one for kind in ("lu_table_template", "power_lut_template") for one in liberty.of(kind)]
    _turn(liberty, {one.name for one in templates if one.attributes.get("variable_1") in SECOND})
    leakage, volt = NANOWATTS[liberty.attributes["leakage_power_unit"]], float(liberty.attributes["nom_voltage"])
    cells = {one.name: _cell(one, kit, leakage) for one in liberty.of("cell") if not one.name.startswith(kit.left_out)}
    if kit.gate_of:
        cells[kit.roles["clock_gate"]] = _clock_gate(cells, kit, volt)
    shipped = {} if macros else json.loads(FILE.read_text())
    return {
        "source": kit.source,
        "name": liberty.name,
        "corner": kit.corner,
        "macros_of": shipped.get("name", liberty.name),
        "volt": volt,
        "slews_ns": [rounded(slew) for slew in kit.slews_ns],
        **kit.roles,
        "tie": kit.tie,
        "cells": cells,
        "macros": _macros(macros) if macros else shipped["macros"],
    }


@app.command(epilog=example(f"{NAME} sg13g2_stdcell_typ_1p20V_25C.lib.gz --macros sg13g2_sram.csv --write"))
def cells(
    library: Annotated[
        Path, typer.Argument(metavar="LIBERTY", callback=INPUT_FILE, help="of standard cells, .gz or not")
    ],
    macros: Annotated[
        Path | None, typer.Option(metavar="CSV", callback=INPUT_FILE, help="SRAM macros (default: the shipped ones)")
    ] = None,
    kit: Annotated[
        str, typer.Option(metavar="NAME", callback=one_of(lambda: KITS), help="the design kit: " + ", ".join(KITS))
    ] = "sg13g2",
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            callback=OUTPUT_FILE,
            help="the library to write or to compare with",
            show_default="flow/asic/cells.json",
        ),
    ] = FILE,
    write: Write = False,
) -> None:
    """Distil a cell library into the file that Reprise ships, or into another."""
    text = json.dumps(distilled(library, macros, KITS[kit]), separators=(",", ":")) + "\n"
    text = re.sub(r'\},("\w+":\{"area|\{"macro)', r"},\n\1", text)
    same = out.is_file() and out.read_text() == text
    if not same and write:
        out.write_text(text)
    print(f"{'same' if same else 'written' if write else 'differs'}: {out.name}")
    raise typer.Exit(int(not same and not write))


if __name__ == "__main__":
    main(app, NAME)
