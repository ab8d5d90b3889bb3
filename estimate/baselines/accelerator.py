"""What a published accelerator is to us: two formulas of cycles, and the constants of the published energy account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .workload import Workload

CLOCK_MHZ = 500
"""The clock of all accelerators in the published tables."""

DRAM_PJ_PER_BIT = 12.45
"""Energy of a bit that moves to or from DRAM in the published tables."""


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """An accelerator as the published simulator models it.

    Members
    -------
    name : how tables call it
    what : what it is, and the paper that it comes from
    matrix : cycles of a layer's matrix product
    neurons : cycles of a layer's neurons. SATO's are no whole number where the timesteps are no power of two
    chip_milliwatt : power of the chip in the published tables
    dram_ratio : its DRAM traffic in the published tables, divided by that of Prosperity
    """

    name: str
    what: str
    matrix: Callable[[Workload], int]
    neurons: Callable[[Workload], float]
    chip_milliwatt: float
    dram_ratio: float


def ceiling(value: int, divisor: int) -> int:
    """Return ``value / divisor``, rounded up."""
    return -(-value // divisor)
