"""Chooses for every memory of the design the SRAM macros, or the latches, that it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .library import Library, Macro
from .netlist import Memory

HALF = 0.5
"""The share of a register file's bits that change in an access."""

WAYS = {6: 4, 3: 2}
"""How many inputs a multiplexer with so many pins chooses among."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a memory becomes.

    Members
    -------
    kind : name of the macro, or "latches"
    count : number of macros; of latches, one for each bit
    area_um2, leakage_nw : float
    read_pj, write_pj : of one access to the needed bits of a word
    idle_pj : of a cycle, whether the memory is used or not
    read_ns : from the clock, or from the address where the memory is read at once, to the word
    """

    kind: str
    count: int
    area_um2: float
    leakage_nw: float
    read_pj: float
    write_pj: float
    idle_pj: float
    read_ns: float


def of_macro(memory: Memory, macro: Macro) -> Built | None:
    """Return a memory made of a macro that reads and writes in the same cycle, one copy for each read port.

    Its columns are read and written as far as they are needed: the energy of an access is that part of a macro's.
    """
    if macro.ports != 2 or len(memory.writes) > 1 or not all(port.clocked for port in memory.reads):
        return None
    copies = max(1, len(memory.reads))
    count = copies * math.ceil(memory.words / macro.words) * math.ceil(memory.bits / macro.bits)
    part = memory.bits / macro.bits
    return Built(
        kind=macro.macro,
        count=count,
        area_um2=count * macro.area_um2,
        leakage_nw=count * macro.leakage_nw,
        read_pj=macro.read_pj * part,
        write_pj=macro.write_pj * part * copies,
        idle_pj=macro.idle_clock_pj * count,
        read_ns=macro.clock_to_output_ns,
    )


def of_latches(memory: Memory, library: Library) -> Built:
    """Return a memory made of a latch for each bit, a clock gate for each word, and trees of multiplexers.

    A word that is given a cycle later goes through flip-flops.
    """
    cells = library.cells
    latch, gate, mux, flop = (
        cells[name] for name in (library.latch, library.clock_gate, library.multiplexer, library.flip_flop)
    )
    ways, (output,) = WAYS[len(mux.pins)], mux.outputs.values()
    bits, reads = memory.words * memory.bits, len(memory.reads)
    clocked = sum(port.clocked for port in memory.reads) * memory.bits
    muxes = reads * memory.bits * math.ceil((memory.words - 1) / (ways - 1))
    levels = math.ceil(math.log(max(memory.words, 2), ways))

    def energy(pair: tuple[float, float]) -> float:
        return sum(pair) / 2 * 1e-3

    charge = library.volt**2 * 1e-3
    word_clock = sum(gate.clock_fj) * 1e-3 + gate.pins[gate.clock] * charge
    register = sum(flop.clock_fj) * 1e-3 + flop.pins[flop.clock] * charge
    return Built(
        kind="latches",
        count=bits,
        area_um2=bits * latch.area + memory.words * gate.area + muxes * mux.area + clocked * flop.area,
        leakage_nw=bits * latch.leakage_nw
        + memory.words * gate.leakage_nw
        + muxes * mux.leakage_nw
        + clocked * flop.leakage_nw,
        read_pj=HALF * memory.bits * levels * energy(output.energy_fj),
        write_pj=memory.bits
        * (HALF * energy(latch.outputs["Q"].energy_fj) + energy(latch.clock_fj) * 2 + latch.pins[latch.clock] * charge),
        idle_pj=memory.words * word_clock + clocked * register,
        read_ns=levels * float(next(iter(output.arcs.values())).tables[0, 1, 1]),
    )


def build(memory: Memory, library: Library) -> Built:
    """Return the smallest way to build a memory."""
    macros = [found for macro in library.macros if (found := of_macro(memory, macro))]
    return min([of_latches(memory, library), *macros], key=lambda built: built.area_um2)
