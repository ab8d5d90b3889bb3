"""Counts the wires of a synthesized design: by how many inputs each of them reaches, and between blocks.

A router fails where too many wires want the same place. Wires that reach hundreds of inputs, and bundles of hundreds of
wires between two blocks, are where to look. Nothing is placed for that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from ...support.terminal import Figures
from ..yosys import cells_of
from .synth import instances_of, owner

FAN_OUTS = (1, 4, 16, 64, 256)
"""Upper ends of the classes of fan-out; the last class has none."""

CLOCKS = frozenset(("CLK", "WCK", "CLKA", "CLKB", "CLK0"))
"""Ports that the clock reaches, which goes by nets of its own."""


@dataclass(frozen=True, kw_only=True)
class Wires:
    """The wires of a design, without the clock.

    Members
    -------
    fan_outs : for each of :data:`FAN_OUTS`, and for more (0), how many wires there are and how many inputs they reach
    between : how many wires of a block reach an input in another one, by the two blocks; the top is ""
    widest : the wires that reach most inputs: their number, the driving cell, and how many other blocks they reach
    """

    fan_outs: dict[int, tuple[int, int]]
    between: dict[tuple[str, str], int]
    widest: list[tuple[int, str, int]]


def wires_of(cells: dict[str, dict], depth: int = 3, most: int = 20) -> Wires:
    """Count the wires of the flattened top of a netlist (:func:`reprise.flow.yosys.cells_of`).

    Parameters
    ----------
    cells : of the netlist
    depth : how deep blocks are told apart
    most : how many of the ``widest`` are wanted
    """
    instances = instances_of(cells)
    drivers: dict[int, tuple[str, str]] = {}
    sinks: dict[int, list[str]] = defaultdict(list)
    for name, cell in cells.items():
        block = owner(name, instances, depth)
        for port, bits in cell.get("connections", {}).items():
            drives = cell["port_directions"][port] == "output"
            for bit in bits:
                if not isinstance(bit, int):  # a constant
                    continue
                if drives:
                    drivers[bit] = block, name
                elif port not in CLOCKS:
                    sinks[bit].append(block)
    classes: dict[int, list[int]] = {end: [] for end in (*FAN_OUTS, 0)}
    between: Counter[tuple[str, str]] = Counter()
    widest = []
    for bit, reached in sinks.items():
        if bit in drivers:
            block, name = drivers[bit]
            others = set(reached) - {block}
            classes[next((end for end in FAN_OUTS if len(reached) <= end), 0)].append(len(reached))
            between.update((block, other) for other in others)
            widest.append((len(reached), name, len(others)))
    return Wires(
        fan_outs={end: (len(found), sum(found)) for end, found in classes.items()},
        between=dict(between.most_common()),
        widest=sorted(widest, reverse=True)[:most],
    )


def tables(netlist: Path, top: str) -> list[Table]:
    """Return what the command prints of a netlist: wires by fan-out, between blocks, and those that reach most."""
    found = wires_of(cells_of(netlist, top))
    by_size = Figures("inputs reached", "wires", "inputs of all", title="wires by fan-out, without the clock")
    for end, (count, inputs) in found.fan_outs.items():
        by_size.add_row(f"to {end}" if end else f"over {FAN_OUTS[-1]}", f"{count:,}", f"{inputs:,}")
    joins = Figures("from", "to", "wires", title="wires between blocks")
    for (block, other), count in list(found.between.items())[:20]:
        joins.add_row(block or "(top)", other or "(top)", f"{count:,}")
    widest = Figures("driven by", "inputs", "other blocks", title="wires that reach most")
    for inputs, cell, others in found.widest:
        widest.add_row(cell, f"{inputs:,}", f"{others}")
    return [by_size, joins, widest]
