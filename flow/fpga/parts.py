"""FPGA families, and what their cells count as. Their parts are those of :mod:`reprise.estimate.area.parts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...estimate.area.measured import ECP5_PARTS, RESOURCES
from ...estimate.area.parts import PARTS, Part

__all__ = ["ECP5_PARTS", "PARTS", "RESOURCES", "TARGETS", "Part", "Target", "count", "units"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One synthesis target.

    synth : the Yosys command; ``{top}`` is filled in.
    lut, ff, ram, dsp : how many units of the resource a cell takes, by its type; a type that ends in ``*`` is a prefix.
    ram_unit : what ``ram`` is counted in.
    """

    name: str
    synth: str
    ram_unit: str
    lut: Mapping[str, float]
    ff: Mapping[str, float]
    ram: Mapping[str, float]
    dsp: Mapping[str, float]


XILINX_LUT = {f"LUT{n}": 1 for n in range(1, 7)} | {"RAM32M": 4, "RAM32M16": 8, "RAM64M": 4, "RAM64M8": 8} | {
    "RAM16X1D": 2, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32X1S": 1, "RAM64X1S": 1,
    "SRL16E": 1, "SRLC32E": 1, "INV": 1,
}  # fmt: skip

TARGETS = {
    # Without wide multiplexers of LUTs: their tightly packed inputs keep nextpnr from routing the front end to its end.
    "ecp5": Target(
        name="ecp5",
        synth="synth_ecp5 -nowidelut -top {top}",
        ram_unit="EBR (18 kbit)",
        # A carry cell is two LUT4s; 16 x 4 distributed RAM takes four as memory and two for its write port.
        lut={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        ff={"TRELLIS_FF": 1},
        ram={"DP16KD": 1, "PDPW16KD": 1},
        dsp={"MULT18X18D": 1},
    ),
    "xc7": Target(
        name="xc7",
        synth="synth_xilinx -family xc7 -flatten -top {top}",
        ram_unit="RAMB36 (a RAMB18 is half)",
        lut=XILINX_LUT,
        ff={"FD*": 1},
        ram={"RAMB36E1": 1, "RAMB18E1": 0.5},
        dsp={"DSP48E1": 1},
    ),
    "xcup": Target(
        name="xcup",
        synth="synth_xilinx -family xcup -flatten -top {top}",
        ram_unit="RAMB36 (a RAMB18 is half)",
        lut=XILINX_LUT,
        ff={"FD*": 1},
        ram={"RAMB36E2": 1, "RAMB18E2": 0.5},
        dsp={"DSP48E2": 1},
    ),
}


def units(weights: dict[str, float], kind: str) -> float:
    """Return how many units of a resource one cell of type ``kind`` takes."""
    if kind in weights:
        return weights[kind]
    return next((n for name, n in weights.items() if name.endswith("*") and kind.startswith(name[:-1])), 0)


def count(target: Target, kinds: dict[str, int]) -> dict[str, float]:
    """Return the resources that cells take; ``kinds`` holds how many there are of each type."""
    found = {r: sum(units(getattr(target, r), kind) * n for kind, n in kinds.items()) for r in RESOURCES}
    return {r: int(n) if n == int(n) else n for r, n in found.items()}
