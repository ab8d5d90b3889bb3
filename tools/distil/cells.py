"""Distils a Liberty file and a table of SRAM macros into ``flow/asic/cells.json``, with what mapping and energy need.

Of every cell that mapping may use are kept: area, leakage, functions, pin capacitances, the tables of delays and slews
on a coarser grid, and energies at one slew and load. Where a table depends on other pins, the slowest delay and the
mean energy are taken. Energies are those inside the cell, without the charge of the net that it drives.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from reprise.flow.asic.library import FILE
from reprise.support.command_line import INPUT_FILE, Write, commands, example, main

from .liberty import Group, numbers, parse

NAME = "python -m tools.distil.cells"
app = commands()

SOURCE = {
    "what": "IHP Open PDK SG13G2, 130 nm BiCMOS: standard cells at the typical corner, and SRAM macros",
    "repository": "https://github.com/IHP-GmbH/IHP-Open-PDK",
    "commit": "5cccb161",
    "licence": "Apache-2.0",
}
LEFT_OUT = ("fill", "decap", "antenna", "dlygate", "ebufn", "einvn", "sdf", "sighold", "slgcp", "dlhr", "dll", "dfrbp_")
"""Beginnings of the names of cells that mapping does not use: layout, delays, tristate, scan, reset latches, QN."""

KEPT = (0, 1, 3, 6)
"""Which of the seven slews and of the seven loads of a table are kept."""

SLEW, LOAD = 0.0966, 0.0234
"""Where energies are read, in ns and pF."""

CLOCK_SLEW, DATA_SLEW = 0.1, 0.2
"""Nanoseconds at which setup times are read."""

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


def _grid(table: Group) -> np.ndarray:
    return _axes(table)[2][np.ix_(KEPT, KEPT)]


def _kept(values: np.ndarray) -> list[float]:
    return [rounded(float(values[n])) for n in KEPT]


def _arc(groups: list[Group]) -> dict[str, Any]:
    """Return the slowest tables of the timing groups from one pin to an output."""
    senses = {one.attributes.get("timing_sense", "non_unate") for one in groups}
    found: dict[str, Any] = {"sense": senses.pop() if len(senses) == 1 else "non_unate"}
    for name, kind in (
        ("rise", "cell_rise"),
        ("fall", "cell_fall"),
        ("rise_slew", "rise_transition"),
        ("fall_slew", "fall_transition"),
    ):
        tables = [_grid(table) for one in groups for table in one.of(kind)]
        found[name] = [[rounded(v) for v in row] for row in np.max(tables, axis=0)]
    return found


def _loads(pin: Group) -> list[float]:
    """Return the loads of an output's tables in femtofarads; a constant has none."""
    for timing in pin.of("timing"):
        for table in timing.of("cell_rise"):
            return _kept(1000 * _axes(table)[1])
    return []


def _quiet(when: str) -> bool:
    """Return whether a flip-flop's input is its output, or nothing is said about them."""
    return ("!D" in when) == ("!Q" in when)


def _below(when: str) -> bool:
    """Return whether the clock is low: then the first latch of a flip-flop follows its input."""
    return "!CLK" in when


def _energy(groups: list[Group], kind: str, holds: Callable[[str], bool] = lambda when: True) -> float:
    """Return the mean energy in femtojoules of the groups in which the cell is not reset and anything is spent.

    ``holds`` says which conditions count.
    """
    conditioned = [one for one in groups if "when" in one.attributes and holds(one.attributes["when"])] or groups
    values = [
        _at(table, SLEW, LOAD)
        for one in conditioned
        if "!RESET_B" not in one.attributes.get("when", "") and one.attributes.get("related_pin") != "RESET_B"
        for table in one.of(kind)
    ]
    spent = [value for value in values if value > 0]
    return rounded(1000 * float(np.mean(spent))) if spent else 0.0


def _cell(group: Group) -> dict[str, Any]:
    pins = {one.name: one for one in group.of("pin")}
    found: dict[str, Any] = {
        "area": float(group.attributes["area"]),
        "leakage_nw": rounded(float(group.attributes["cell_leakage_power"]) / 1000),
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
                if timing.of("cell_rise") and "_dlh" not in group.name:
                    by_pin.setdefault(timing.attributes["related_pin"], []).append(timing)
            function = pin.attributes.get("function", pin.attributes.get("state_function", ""))
            found["outputs"][name] = {
                "function": function,
                "energy_fj": [_energy(powers, "rise_power"), _energy(powers, "fall_power")],
                "loads_ff": _loads(pin),
                "arcs": {source: _arc(timings) for source, timings in by_pin.items()},
            }
        if pin.attributes.get("clock") == "true":
            found["clock"] = {
                "pin": name,
                "energy_fj": [_energy(powers, k, _quiet) for k in ("rise_power", "fall_power")],
            }
        for timing in pin.of("timing"):
            if timing.attributes.get("timing_type") == "setup_rising":
                setups = [_at(table, DATA_SLEW, CLOCK_SLEW) for table in timing.groups]
                energies = [_energy(powers, kind, _below) for kind in ("rise_power", "fall_power")]
                found["data"] = {"pin": name, "setup_ns": rounded(max(setups)), "energy_fj": energies}
    for kind in ("ff",):
        for one in group.of(kind):
            found[kind] = dict(one.attributes)
    return found


def _macros(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: text if key == "macro" else json.loads(text) for key, text in row.items()} for row in rows]


def distilled(library: Path, macros: Path) -> dict[str, Any]:
    """Return what the package ships of a Liberty file, gzipped or not, and of a table of macros."""
    data = library.read_bytes()
    liberty = parse((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode())
    prefix = "sg13g2_"
    cells = {
        one.name: _cell(one) for one in liberty.of("cell") if not one.name.removeprefix(prefix).startswith(LEFT_OUT)
    }
    template = next(one for one in liberty.of("lu_table_template") if one.name.startswith("TIMING_DELAY"))
    return {
        "source": SOURCE,
        "name": liberty.name,
        "volt": float(liberty.attributes["nom_voltage"]),
        "slews_ns": _kept(np.array(numbers(template.attributes["index_1"]))),
        "gate": f"{prefix}nand2_1",
        "flip_flop": f"{prefix}dfrbpq_1",
        "latch": f"{prefix}dlhq_1",
        "clock_gate": f"{prefix}lgcp_1",
        "buffer": f"{prefix}buf_4",
        "tie": {"0": [f"{prefix}tielo", "L_LO"], "1": [f"{prefix}tiehi", "L_HI"]},
        "cells": cells,
        "macros": _macros(macros),
    }


@app.command(epilog=example(f"{NAME} sg13g2_stdcell_typ_1p20V_25C.lib.gz sg13g2_sram.csv --write"))
def cells(
    library: Annotated[
        Path, typer.Argument(metavar="LIBERTY", callback=INPUT_FILE, help="of standard cells, .gz or not")
    ],
    macros: Annotated[Path, typer.Argument(metavar="CSV", callback=INPUT_FILE, help="of SRAM macros")],
    write: Write = False,
) -> None:
    """Distil a cell library into the file that Reprise ships."""
    text = json.dumps(distilled(library, macros), separators=(",", ":")) + "\n"
    text = text.replace('},"sg13g2', '},\n"sg13g2').replace('},{"macro', '},\n{"macro')
    same = FILE.is_file() and FILE.read_text() == text
    if not same and write:
        FILE.write_text(text)
    print(f"{'same' if same else 'written' if write else 'differs'}: {FILE.name}")
    raise typer.Exit(int(not same and not write))


if __name__ == "__main__":
    main(app, NAME)
