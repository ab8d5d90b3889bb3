"""What FPGAs hold, and which clock is assumed on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .measured import ECP5_PARTS, RESOURCES


@dataclass(frozen=True, kw_only=True)
class Part:
    """One FPGA: how many LUTs, flip-flops, block RAMs and multipliers it holds, as its family's target counts them.

    mhz : the clock that is assumed for an accelerator on it, in the slowest speed grade, where none was routed.
    """

    name: str
    target: str
    lut: float
    ff: float
    ram: float
    dsp: float
    mhz: float

    def holds(self, resources: Mapping[str, float]) -> bool:
        """Tell whether it holds these resources, leaving no room for anything else."""
        return all(resources[kind] <= getattr(self, kind) for kind in RESOURCES)


PARTS = (
    *(
        Part(
            name=f"LFE5U-{name}",
            target="ecp5",
            lut=has["luts"],
            ff=has["luts"],
            ram=has["rams"],
            dsp=has["dsps"],
            mhz=35,
        )
        for name, has in ECP5_PARTS.items()
    ),
    Part(name="XC7Z010", target="xc7", lut=17_600, ff=35_200, ram=60, dsp=80, mhz=70),
    Part(name="XC7Z020", target="xc7", lut=53_200, ff=106_400, ram=140, dsp=220, mhz=70),
    Part(name="XC7A100T", target="xc7", lut=63_400, ff=126_800, ram=135, dsp=240, mhz=70),
    Part(name="XCZU3EG", target="xcup", lut=70_560, ff=141_120, ram=216, dsp=360, mhz=105),
    Part(name="XCZU7EV", target="xcup", lut=230_400, ff=460_800, ram=312, dsp=1_728, mhz=105),
)
"""Parts of the families, by their data sheets (Lattice FPGA-DS-02012, AMD DS180, DS190 and DS891), without UltraRAM.

The clock of ECP5 is a little below the one that `tiny` reached on it; the other families are taken to be two and three
times as fast, which nobody has tried."""

LARGEST_ECP5 = PARTS[len(ECP5_PARTS) - 1]
"""The part that a report assumes, which knows of no other."""


def part_of(device: str) -> Part | None:
    """Return the part of a device as a tool calls it, like ``xc7z020clg400-1``, or None if the table lacks it."""
    return next((part for part in PARTS if device.lower().startswith(part.name.lower())), None)
