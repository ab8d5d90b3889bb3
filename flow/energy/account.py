"""Turns the activity of a netlist into energy: nets, cells, clock, memories and leakage, by block and by window.

A net that toggles charges or discharges its pins and its wire: half of C V^2. A cell spends energy inside when its
output toggles, and a flip-flop also when its input does and at every clock that it gets. All is in picojoules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..asic.library import Library
from ..asic.memories import Built
from ..asic.netlist import Netlist
from ..asic.report import leakage_nw
from ..asic.timing import pins
from .replay import Activity

PARTS = ("nets_pj", "cells_pj", "clock_pj", "reads_pj", "writes_pj", "idle_pj", "leakage_pj")
"""What energy goes into: charging nets, inside of cells, the clock of flip-flops, memories that are read, written or
clocked, and leakage."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Energies:
    """Energy by window and block.

    Members
    -------
    parts : float64[windows, blocks] for each of :data:`PARTS`
    wires_pj : float64[windows], what of ``nets_pj`` and ``clock_pj`` are the assumed wires
    every_read_pj : float64[windows], reads if a memory is charged in every cycle in which it is enabled
    """

    parts: dict[str, np.ndarray]
    wires_pj: np.ndarray
    every_read_pj: np.ndarray

    def by_window(self, part: str) -> np.ndarray:
        """Return a part's energy in every window."""
        found: np.ndarray = self.parts[part].sum(axis=1)
        return found


class Account:
    """What a toggle of every net, a cycle of every flip-flop and an access to every memory takes.

    Parameters
    ----------
    netlist : Netlist
    library : Library
    built : what each memory becomes
    wire_ff : capacitance of the wire to one pin
    """

    def __init__(self, netlist: Netlist, library: Library, built: list[Built], wire_ff: float) -> None:
        self.netlist, self.library, self.built = netlist, library, built
        farad, count = pins(netlist, library)
        half = library.volt**2 / 2 * 1e-3  # fF to pJ
        self.net_pj, self.wire_pj = (farad + wire_ff * count) * half, wire_ff * count * half
        inside = np.zeros(len(netlist.types))
        data, clock = np.zeros(len(netlist.types)), np.zeros(len(netlist.types))
        self.quiet_pj = np.zeros(len(netlist.types))
        for n, name in enumerate(netlist.types):
            cell = library.cells[name]
            (output,) = cell.outputs.values()
            inside[n] = sum(output.energy_fj) / 2 * 1e-3
            if cell.flip_flop:
                data[n] = sum(cell.data_fj) / 2 * 1e-3
                clock[n] = cell.clock_fj[1] * 1e-3 + (cell.pins[cell.clock] + wire_ff) * 2 * half
                self.quiet_pj[n] = cell.clock_fj[0] * 1e-3  # a rise at which the output keeps its value
        self.inside_pj, self.data_pj, self.clock_pj = inside, data, clock
        self.clock_wire_pj = wire_ff * 2 * half
        gate = library.cells[library.clock_gate]
        (output,) = gate.outputs.values()
        self.gate_pj = sum(gate.clock_fj) * 1e-3 + (gate.pins["CLK"] + wire_ff) * 2 * half  # of a clock at its pin
        self.open_pj = sum(output.energy_fj) * 1e-3  # of one that it lets through, beside that of the pins behind it
        self.enable_pj = sum(gate.data_fj) / 2 * 1e-3
        self.driver = np.zeros(netlist.nets, np.int64)
        self.driver[netlist.gate_output] = netlist.gate_owner
        self.driver[netlist.q] = netlist.flop_owner
        for memory, owner in zip(netlist.memories, netlist.memory_owner, strict=True):
            for port in memory.reads:
                self.driver[port.data] = owner
        self.leakage_nw = leakage_nw(netlist, library, built)

    def energies(self, activity: Activity, cycles: list[int], period_ns: float) -> Energies:
        """Return the energies of an activity whose windows have so many cycles, at a clock period.

        Leakage is not divided into blocks: it counts in the top.
        """
        netlist, blocks = self.netlist, len(self.netlist.blocks)
        parts = {name: np.zeros((len(cycles), blocks)) for name in PARTS}
        wires, every = np.zeros(len(cycles)), np.zeros(len(cycles))
        for n, (toggles, count) in enumerate(zip(activity.toggles, cycles, strict=True)):
            parts["nets_pj"][n] = np.bincount(self.driver, toggles * self.net_pj, blocks)
            gates = toggles[netlist.gate_output] * self.inside_pj[netlist.gate_type]
            flops = toggles[netlist.q] * self.inside_pj[netlist.flop_type]
            flops = flops + toggles[netlist.d] * self.data_pj[netlist.flop_type]
            parts["cells_pj"][n] = np.bincount(netlist.gate_owner, gates, blocks)
            parts["cells_pj"][n] += np.bincount(netlist.flop_owner, flops, blocks)
            opened = activity.opened[n]
            clocks = np.append(opened, count)[netlist.flop_gate]
            clock = clocks * self.clock_pj[netlist.flop_type]
            clock += (clocks - toggles[netlist.q]) * self.quiet_pj[netlist.flop_type]
            gates = count * self.gate_pj + opened * self.open_pj + toggles[netlist.gate_enable] * self.enable_pj
            parts["clock_pj"][n] = np.bincount(netlist.flop_owner, clock, blocks)
            parts["clock_pj"][n] += np.bincount(netlist.gate_block, gates, blocks)
            pins = clocks.sum() + count * len(netlist.gate_enable)
            wires[n] = float((toggles * self.wire_pj).sum()) + pins * self.clock_wire_pj
            parts["leakage_pj"][n, 0] = self.leakage_nw * count * period_ns * 1e-6  # nW x ns
            read = write = 0
            for memory, owner, made in zip(netlist.memories, netlist.memory_owner, self.built, strict=True):
                for _ in memory.reads:
                    parts["reads_pj"][n, owner] += activity.used[n, read] * made.read_pj
                    every[n] += activity.reads[n, read] * made.read_pj
                    read += 1
                for _ in memory.writes:
                    parts["writes_pj"][n, owner] += activity.writes[n, write] * made.write_pj
                    write += 1
                parts["idle_pj"][n, owner] += count * made.idle_pj
        return Energies(parts=parts, wires_pj=wires, every_read_pj=every)
