"""Says which configurations a part holds, and how fast a network is on each, at which clock, and bound by what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...estimate.area import measured, model
from ...estimate.limits import named
from ...estimate.network import estimate
from ...estimate.report.speed import clock_of
from ...estimate.tables import percent
from ...hw.arch.config import HardwareConfig
from ...model.network.network import Network
from ...support.errors import RepriseError
from .parts import PARTS, RESOURCES, Part

UNITS = {
    "ecp5": {"lut": "LUT4s", "ff": "flip-flops", "ram": "block RAMs of 18 kbit", "dsp": "multipliers"},
    "xc7": {"lut": "LUTs", "ff": "flip-flops", "ram": "block RAMs of 36 kbit", "dsp": "DSP slices"},
}
UNITS["xcup"] = UNITS["xc7"]
"""How people call what a family has."""

SOURCES = {
    "synthesized": "of a synthesis of this very configuration",
    "earlier netlist": "of a synthesis of this very configuration, whose netlist the sources have changed since",
    "estimated": "by the model of reprise area",
    "scaled": "those of ECP5, times the most that any design took on this family for one on ECP5",
}
"""Where resources are known from."""


def short_name(part: Part) -> str:
    """Return how a command line calls a part: ``lfe5u-85``, ``xc7z020``."""
    return part.name.lower().removesuffix("k")


def part_named(name: str) -> Part:
    """Return the part of a name.

    Raises
    ------
    RepriseError
        There is no such part in the table.
    """
    known = {short_name(part): part for part in PARTS}
    if name.lower() not in known:
        raise RepriseError(field="part", rule=f"one of {', '.join(known)}", value=name)
    return known[name.lower()]


@dataclass(frozen=True, kw_only=True)
class Need:
    """What an accelerator takes of a part.

    Members
    -------
    resources : units of each resource, as the part's family counts them
    source : a key of :data:`SOURCES`
    """

    resources: dict[str, float]
    source: str

    def lacking(self, part: Part) -> list[str]:
        """Return of what it takes more than the part has, in words; nothing if the part holds it."""
        units = UNITS[part.target]
        return [
            f"{self.resources[name]:,} of {getattr(part, name):,} {units[name]}"
            for name in RESOURCES
            if self.resources[name] > getattr(part, name)
        ]


def need_of(config: HardwareConfig, target: str) -> Need:
    """Return what an accelerator takes in a family: as synthesized, or else as estimated."""
    record = measured.synthesized(config, target=target)
    if record:
        source = "earlier netlist" if record["earlier_netlist"] else "synthesized"
        return Need(resources={name: record[name] for name in RESOURCES}, source=source)
    known = measured.synthesized(config) if target != "ecp5" else None
    base = known or model.predict(config, model.load()).resources
    if target == "ecp5":
        return Need(resources={name: base[name] for name in RESOURCES}, source="estimated")
    factors = measured.beside_ecp5(target)
    return Need(resources={name: math.ceil(base[name] * factors[name]) for name in RESOURCES}, source="scaled")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A configuration on a part, and a network on the configuration.

    Members
    -------
    name : of the configuration
    need : what it takes of the part
    lacking : of what it takes more than the part has, in words
    clock : with the fields of :class:`reprise.estimate.report.fields.Clock`
    cycles : of the batch by the exact cycle model; None if the configuration cannot run the network
    frames_per_second : at the clock
    bounds : the blocks that limit the network most, with the share of the cycles that it would save without them
    refused : why the configuration cannot run the network
    """

    name: str
    need: Need
    lacking: list[str]
    clock: dict
    cycles: int | None = None
    frames_per_second: float | None = None
    bounds: str = ""
    refused: str = ""


def fit(
    network: Network,
    config: HardwareConfig,
    images: np.ndarray,
    part: Part,
    *,
    name: str,
    clock_mhz: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Fit:
    """Return whether a part holds a configuration, and how fast a network is on it with a batch of ``images``."""
    need = need_of(config, part.target)
    clock = clock_of(config, clock_mhz, part)
    found = Fit(name=name, need=need, lacking=need.lacking(part), clock=clock)
    try:
        total = estimate(network, config, images, limits=True, progress=progress)["total"]
    except RepriseError as error:
        return replace(found, refused=str(error))
    cycles = total["cycles"]["cycle_model"]
    steps = [f"{named(one['blocks'])} {percent(one['saved_cycles'], cycles)}" for one in total["limits"]["steps"]]
    return replace(
        found,
        cycles=cycles,
        frames_per_second=len(images) * clock["mhz"] * 1e6 / cycles,
        bounds=", ".join(steps[:2]),
    )
