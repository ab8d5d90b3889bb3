"""Scales an energy of the library to the process of the published accelerators; what comes out is marked as a guess.

``factor = e(28 nm, V) / e(130 nm, 1.2 V)``. The energies of a gate are the quadratic fits of Stillmaker and Baas,
"Scaling equations for the accurate prediction of CMOS device performance from 180 nm to 7 nm", Integration 58 (2017),
74-81, ``e(V) = a V**2 + b V + c``. Their table has 32 nm and 20 nm, not 28 nm; that of 32 nm is taken times 28 / 32, as
capacitances go with length. It is done with their high-performance and with their low-power transistors, which gives a
range.

Nothing of it knows wires, memories or leakage, so a scaled figure is no figure of a chip.
"""

from __future__ import annotations

VOLTS, SCALED_VOLTS = 1.2, 0.9
NODES = {
    "130": (7.171, -6.709, 2.904),
    "32 HP": (0.8367, -0.4341, 0.1701),
    "32 LP": (0.9559, -0.7823, 0.471),
}
"""Coefficients (a, b, c) of nodes in nm: from the paper's table, as nodeScale (UCLA NanoCAD Laboratory) lists them."""


def gate_energy(node: str, volts: float) -> float:
    """Return the energy of a gate in the unit of the paper's fits."""
    a, b, c = NODES[node]
    return a * volts**2 + b * volts + c


def factors() -> tuple[float, float]:
    """Return the smallest and the largest factor from 130 nm at 1.2 V to 28 nm at 0.9 V."""
    whole = gate_energy("130", VOLTS)
    found = [gate_energy(node, SCALED_VOLTS) / whole * 28 / 32 for node in ("32 HP", "32 LP")]
    return min(found), max(found)
