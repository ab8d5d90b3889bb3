"""Static timing of a mapped netlist: the longest path from a clock edge to the next one.

Delays and slews are read from the cells' tables, between whose points they are linear. A net's load is that of its pins
and of a wire for each of them. No netlist has buffers behind flip-flops: a net whose load is beyond what a cell can
drive is taken as if a tree of buffers were there. Paths begin at flip-flops, memories and inputs, and end at
flip-flops and clock gates, whose setup counts, at memories, and at outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .library import Cell, Library
from .memories import Built
from .netlist import Netlist, topological

WIRE_FF = 4.0
"""Capacitance of the wire to one pin, which is an assumption: nothing was placed."""

CLOCK_SLEW, INPUT_SLEW = 0.1, 0.1
"""Nanoseconds of the clock's edge and of the edges at inputs and memories."""

TREE_FF, FAN_OUT = 100.0, 8.0
"""The load that a buffer of a tree drives, and how much more a level of a tree drives."""

ROUNDS = 32
"""The most memories, read at once, that a path goes through."""


@dataclass(frozen=True, kw_only=True)
class Longest:
    """The longest path.

    Members
    -------
    period_ns : from clock to clock
    start, end : the blocks in which it begins and ends
    nets : the nets on the way
    launch_ns, logic_ns, setup_ns : from the clock to the first net, the way, and the setup at the end
    """

    period_ns: float
    start: str
    end: str
    nets: list[int]
    launch_ns: float
    logic_ns: float
    setup_ns: float


def pins(netlist: Netlist, library: Library) -> tuple[np.ndarray, np.ndarray]:
    """Return the capacitance of the pins on every net in fF, and their number."""
    farad, count = np.zeros(netlist.nets), np.zeros(netlist.nets)
    for n, name in enumerate(netlist.types):
        cell = library.cells[name]
        if cell.flip_flop:
            nets = netlist.d[netlist.flop_type == n]
            np.add.at(farad, nets, cell.pins[cell.data])
            np.add.at(count, nets, 1)
            continue
        chosen = netlist.gate_type == n
        for column, value in enumerate(cell.pins.values()):
            np.add.at(farad, netlist.gate_inputs[chosen, column], value)
            np.add.at(count, netlist.gate_inputs[chosen, column], 1)
    np.add.at(farad, netlist.gate_enable, library.cells[library.clock_gate].pins["GATE"])
    np.add.at(count, netlist.gate_enable, 1)
    memory_pin = library.cells[library.flip_flop].pins[library.cells[library.flip_flop].data]
    for memory in netlist.memories:
        for port in memory.reads + memory.writes:
            nets = port.address + sorted(set(port.enable)) + (port.data if port in memory.writes else [])
            np.add.at(farad, np.array(nets), memory_pin)
            np.add.at(count, np.array(nets), 1)
    farad[:2] = count[:2] = 0
    return farad, count


def between(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a table's values at (x, y), linear between its points and beyond its last ones."""
    i = np.clip(np.searchsorted(rows, x) - 1, 0, len(rows) - 2)
    j = np.clip(np.searchsorted(columns, y) - 1, 0, len(columns) - 2)
    s = (x - rows[i]) / (rows[i + 1] - rows[i])
    t = (y - columns[j]) / (columns[j + 1] - columns[j])
    low = table[i, j] * (1 - t) + table[i, j + 1] * t
    high = table[i + 1, j] * (1 - t) + table[i + 1, j + 1] * t
    found: np.ndarray = low * (1 - s) + high * s
    return found


class Timing:
    """Arrival times of all nets.

    Parameters
    ----------
    netlist : Netlist
    library : Library
    built : what each memory becomes, in the order of the netlist's memories
    wire_ff : capacitance of the wire to one pin

    Members
    -------
    arrival, slew : float64[2, nets] in ns, of a rise and of a fall
    """

    def __init__(self, netlist: Netlist, library: Library, built: list[Built], wire_ff: float = WIRE_FF) -> None:
        self.netlist, self.library, self.built = netlist, library, built
        farad, count = pins(netlist, library)
        self.load = farad + wire_ff * count
        self.arrival = np.full((2, netlist.nets), -np.inf)
        self.slew = np.full((2, netlist.nets), INPUT_SLEW)
        self._from = np.full((2, netlist.nets), -1, np.int64)
        buffer = library.cells[library.buffer]
        (output,) = buffer.outputs.values()
        (arc,) = output.arcs.values()
        one = [np.array([value]) for value in (INPUT_SLEW, TREE_FF)]
        self._buffer_ns = float(between(arc.tables[0], library.slews_ns, output.loads_ff, *one)[0])
        order, level = topological(netlist.gate_inputs, netlist.gate_output, netlist.nets)
        cuts = np.flatnonzero(np.diff(level[order])) + 1
        self._groups = [
            group[netlist.gate_type[group] == kind]
            for group in np.split(order, cuts)
            for kind in np.unique(netlist.gate_type[group])
        ]
        self._start()
        for _ in range(ROUNDS):
            for gates in self._groups:
                self._advance(gates)
            if not self._through_memories():
                return
        raise ValueError("the memories that are read at once form a loop")

    def _tree(self, load: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the load that a cell sees, and the delay of the tree of buffers behind it."""
        over = load > most
        levels = np.where(over, np.ceil(np.log(np.maximum(load, most) / TREE_FF) / math.log(FAN_OUT)), 0)
        return np.where(over, TREE_FF, load), levels * self._buffer_ns

    def _start(self) -> None:
        """Set the arrivals at flip-flops, memories and inputs."""
        netlist, library = self.netlist, self.library
        for nets in netlist.inputs.values():
            self.arrival[:, nets] = 0
        for n, name in enumerate(netlist.types):
            cell = library.cells[name]
            if cell.flip_flop:
                (output,) = cell.outputs.values()
                q = netlist.q[netlist.flop_type == n]
                load, tree = self._tree(self.load[q], output.loads_ff[-1])
                slew = np.full(len(q), CLOCK_SLEW)
                for edge in (0, 1):
                    tables = output.arcs[cell.clock].tables
                    axes = library.slews_ns, output.loads_ff, slew, load
                    self.arrival[edge, q] = between(tables[edge], *axes) + tree
                    self.slew[edge, q] = between(tables[2 + edge], *axes)
        for memory, made in zip(netlist.memories, self.built, strict=True):
            for port in memory.reads:
                if port.clocked:
                    self.arrival[:, port.data] = made.read_ns
        self.arrival[:, :2] = -np.inf

    def _through_memories(self) -> bool:
        """Move arrivals through memories that are read at once; return whether any changed."""
        changed = False
        for memory, made in zip(self.netlist.memories, self.built, strict=True):
            for port in memory.reads:
                if not port.clocked:
                    now = self.arrival[:, port.address].max() + made.read_ns
                    last = port.address[int(self.arrival[:, port.address].max(axis=0).argmax())]
                    if now > self.arrival[:, port.data].min(initial=np.inf):
                        self.arrival[:, port.data] = now
                        self._from[:, port.data] = last
                        changed = True
        return changed

    def _advance(self, gates: np.ndarray) -> None:
        """Set the arrivals at the outputs of gates of one kind and level."""
        netlist, library = self.netlist, self.library
        cell: Cell = library.cells[netlist.types[netlist.gate_type[gates[0]]]]
        (output,) = cell.outputs.values()
        out = netlist.gate_output[gates]
        load, tree = self._tree(self.load[out], output.loads_ff[-1])
        best = np.full((2, len(gates)), -np.inf)
        slews, origin = np.full((2, len(gates)), INPUT_SLEW), np.full((2, len(gates)), -1)
        for column, pin in enumerate(cell.pins):
            if pin not in output.arcs:
                continue
            arc, nets = output.arcs[pin], netlist.gate_inputs[gates, column]
            for edge in (0, 1):
                sources = {"positive_unate": (edge,), "negative_unate": (1 - edge,)}.get(arc.sense, (0, 1))
                for source in sources:
                    axes = library.slews_ns, output.loads_ff, self.slew[source, nets], load
                    there = self.arrival[source, nets] + between(arc.tables[edge], *axes) + tree
                    later = there > best[edge]
                    best[edge] = np.where(later, there, best[edge])
                    origin[edge] = np.where(later, nets, origin[edge])
                    slews[edge] = np.where(later, between(arc.tables[2 + edge], *axes), slews[edge])
        self.arrival[:, out], self.slew[:, out], self._from[:, out] = best, slews, origin

    def longest(self) -> Longest:
        """Return the longest path."""
        netlist, library = self.netlist, self.library
        setup = np.array([library.cells[name].setup_ns for name in netlist.types])
        flop = library.cells[library.flip_flop].setup_ns
        late = self.arrival.max(axis=0)
        ends = [(float(late[d] + setup[kind]), int(d), int(owner), float(setup[kind]))
                for d, kind, owner in zip(netlist.d, netlist.flop_type, netlist.flop_owner, strict=True)]  # fmt: skip
        gate = library.cells[library.clock_gate].setup_ns
        for net, owner in zip(netlist.gate_enable.tolist(), netlist.gate_block.tolist(), strict=True):
            ends.append((float(late[net] + gate), net, owner, gate))
        for memory, owner in zip(netlist.memories, netlist.memory_owner, strict=True):
            for port in memory.reads + memory.writes:
                for net in port.address + port.enable + (port.data if port in memory.writes else []):
                    if port.clocked:
                        ends.append((float(late[net] + flop), net, int(owner), flop))
        for nets in netlist.outputs.values():
            ends += [(float(late[net]), net, 0, 0.0) for net in nets]
        period, net, owner, last = max(ends)
        way = [net]
        while (before := int(self._from[int(self.arrival[:, way[-1]].argmax()), way[-1]])) >= 0:
            way.append(before)
        way.reverse()
        launch = float(late[way[0]])
        return Longest(
            period_ns=period,
            start=netlist.blocks[self._driver(way[0])],
            end=netlist.blocks[owner],
            nets=way,
            launch_ns=launch,
            logic_ns=period - launch - last,
            setup_ns=last,
        )

    def _driver(self, net: int) -> int:
        """Return the block whose flip-flop or memory drives a net; 0 for an input."""
        found = np.flatnonzero(self.netlist.q == net)
        if len(found):
            return int(self.netlist.flop_owner[found[0]])
        for memory, owner in zip(self.netlist.memories, self.netlist.memory_owner, strict=True):
            if any(net in port.data for port in memory.reads):
                return int(owner)
        return 0
