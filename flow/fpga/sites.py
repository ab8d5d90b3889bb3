"""Gives block RAMs and multipliers of an accelerator on the LFE5U-85 their sites.

A placer spreads logic well, but it moves block RAMs and multipliers to their few sites by chance. At the size of
``paper`` all wires together then become twice as long within a step, and stay so. What belongs together is known: a
neuron, its multipliers, and the lanes that feed it (hw/interface/row_order.py). So each neuron gets a column, with its
block RAMs side by side in a row of block RAM and its multipliers in the row of multipliers above. Where there are many
columns, the block RAMs of the front end lie on their left and hold it together. The logic follows them.

The hand-off folder holds this file, so it needs Python 3.10 and nothing else:
``python3 floorplan.py PLAN.json NETLIST.json TOP OUT.json`` puts the sites into a netlist of Yosys.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROWS = {1: (46,), 2: (46, 70), 3: (22, 46, 70), 4: (22, 46, 70, 82)}
"""The Y of each row of block RAM that is used, by the number of rows in which the neurons are laid."""
MULTIPLIERS = {22: 10, 46: 34, 70: 58, 82: 58}
"""The Y of the nearest row of multipliers above each row of block RAM."""
BLOCKS = tuple(4 + 9 * k for k in range(7)) + tuple(69 + 9 * k for k in range(6))
"""The X of the blocks of four sites in either kind of row. The global clocks lie between the seventh and the eighth."""
RAM_SITES = tuple((x + 2 * k, f"EBR{k}") for x in BLOCKS for k in range(4))
MULTIPLIER_SITES = tuple((x + k, f"MULT18_{k}") for x in BLOCKS for k in (0, 1, 4, 5))
FRONT_END = ((46, -12), (46, -8), (70, -8))
"""Blocks of four sites for the block RAMs of the front end: the Y, and how far they lie before the first column of the
row. They are used only where columns take more than half of a row; beside fewer columns the placer does better by
itself (docs/decisions/0006-the-clock-of-the-cores.md)."""
Plan = dict
"""The sizes of a core that its floorplan depends on (:func:`reprise.flow.fpga.floorplan.plan_of`)."""
MEMORY = re.compile(r"processor\.(?:(bank)\d\.memory(?:\d_)?|(pe_array)\.results\d_)(\d+)\.0\.(\d+)$")


def _block_rams(plan: Plan, cells: Iterable[str]) -> dict[str, float]:
    """Return where the lanes of every wide block RAM lie in the order of the neurons."""
    found = {}
    for name in cells:
        match = MEMORY.search(name)
        if match:
            found[name] = plan["bank" if match[1] else "pe_array"][int(match[3])][int(match[4])]
    return found


def _multipliers(plan: Plan, module: dict) -> dict[str, int]:
    """Return the neuron of every multiplier, by what it multiplies: a partial sum or a membrane potential."""
    neuron_of: dict[int, int] = {}
    for name, (offset, width, size) in plan["operands"].items():
        for net, wires in module["netnames"].items():
            if re.search(rf"(^|\.){name}$", net) and len(wires["bits"]) == size:
                lanes = wires["bits"][offset : offset + width * plan["neuron_lanes"]]
                neuron_of |= {wire: n // width for n, wire in enumerate(lanes) if isinstance(wire, int)}
    found = {}
    for name, cell in module["cells"].items():
        if cell["type"] == "MULT18X18D":
            operands = (w for port, w in cell["connections"].items() if re.fullmatch(r"[AB]\d+", port) and w)
            neurons = {neuron_of[w[0]] for w in operands if w[0] in neuron_of}
            if len(neurons) == 1:
                found[name] = neurons.pop()
    return found


def sites(plan: Plan, module: dict) -> dict[str, str]:
    """Return the sites, which nextpnr calls BELs, of block RAMs and multipliers, or none if the columns do not fit.

    They are those of the neurons' columns, and those of block RAMs of the front end.
    ``module`` is the flattened top of a netlist as Yosys writes it (``write_json``).
    """
    rams = _block_rams(plan, (name for name, cell in module["cells"].items() if cell["type"] == "DP16KD"))
    multipliers, found = _multipliers(plan, module), {}
    free = {(x, y, site) for x, site in MULTIPLIER_SITES for y in MULTIPLIERS.values()}
    rows: list[range] = [range(*ends) for ends in plan["rows"]]
    starts: dict[int, int] = {}
    for row, (y, neurons) in enumerate(zip(ROWS[len(rows)], rows, strict=True)):
        mine = sorted((n, name) for name, n in rams.items() if int(n) in neurons)
        if len(mine) > len(RAM_SITES):
            return {}
        starts[y] = len(RAM_SITES) - len(mine)
        places, middle = RAM_SITES[starts[y] :], defaultdict(list)
        if row % 2:  # like a serpent: the next row begins where this one ends
            mine.reverse()
        for (n, name), (x, site) in zip(mine, places, strict=True):
            found[name] = f"X{x}/Y{y}/{site}"
            middle[int(n)].append(x)
        for name, n in sorted(multipliers.items()):
            near = [s for s in free if s[1] == MULTIPLIERS[y]]
            if n in neurons and middle[n] and near:
                centre = sum(middle[n]) / len(middle[n])
                _, place = min((abs(s[0] - centre), s) for s in near)
                free.remove(place)
                found[name] = "X{}/Y{}/{}".format(*place)
    return found | (_front_end(module, starts) if min(starts.values()) < len(RAM_SITES) / 2 else {})


def _front_end(module: dict, starts: dict[int, int]) -> dict[str, str]:
    """Sites beside the columns. ``starts`` holds the place of the first column in each row, by the row's Y."""
    rams = sorted(n for n, cell in module["cells"].items() if cell["type"] == "DP16KD" and "frontend." in n)
    blocks = [(y, starts[y] + before) for y, before in FRONT_END if y in starts and starts[y] + before >= 0]
    free = [f"X{x}/Y{y}/{site}" for y, start in blocks for x, site in RAM_SITES[start : start + 4]]
    return dict(zip(rams, free, strict=False))


def with_sites(design: dict[str, Any], plan: Plan, top: str) -> int:
    """Put the sites into a netlist as Yosys writes it, and return how many cells have got one."""
    module = design["modules"][top]
    found = sites(plan, module)
    for name, site in found.items():
        module["cells"][name].setdefault("attributes", {})["BEL"] = site
    return len(found)


def main(arguments: list[str]) -> int:
    """Put sites into a netlist file."""
    if len(arguments) != 4:
        print("usage: floorplan.py PLAN.json NETLIST.json TOP OUT.json", file=sys.stderr)
        return 2
    plan, netlist, top, out = arguments
    design = json.loads(Path(netlist).read_text())
    count = with_sites(design, json.loads(Path(plan).read_text()), top)
    Path(out).write_text(json.dumps(design))
    print(f"floorplan: {count} cells have sites")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
