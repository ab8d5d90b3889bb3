"""Estimates the resources of a design on an ECP5 from what it is built of (:mod:`reprise.estimate.area.structure`).

Block RAM, distributed RAM and multipliers are counted, since it is known which primitives a memory becomes
(:mod:`reprise.estimate.area.memories`). LUTs and flip-flops are taken as linear in a few counts. Their coefficients are
fitted to the synthesized designs of ``docs/measured/resources.json``, by least squares relative to each design's size
and without negative ones. Each record there holds the structure of the design as it was synthesized.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...support.errors import RepriseError
from . import structure
from .memories import block_ram, place
from .structure import Part, Structure

COEFFICIENTS = Path(__file__).resolve().parent / "area.json"
RESOURCES = ("lut", "ff", "ram", "dsp")
BLOCKS = ("core", "accelerator")
"""The blocks of which the resources can be estimated."""

DISTRIBUTED_LUTS = 6
"""The LUT4s of a distributed RAM of 16 x 4 bits: four are the memory, and two its write port."""

Feature = Callable[[Structure], float]


def _sum(of: Callable[[Part], float], parts: Sequence[str] = ("core", "around")) -> Feature:
    """Return the feature that is the sum of ``of`` over parts."""
    return lambda design: sum(of(design[name]) for name in parts if name in design)


def _distributed(part: Part) -> float:
    """Return the LUTs of distributed RAM."""
    placed = ((n, place(memory)) for memory, n in part.memories.items())
    return sum(DISTRIBUTED_LUTS * n * p.count for n, p in placed if p.primitive and not p.primitive.units)


def _registers(part: Part) -> float:
    """Return the bits of registers: those described, those behind distributed RAM, and memories made of them."""
    total: float = part.counts["registers"]
    for memory, n in part.memories.items():
        placed = place(memory)
        if placed.primitive is None:
            total += n * memory.used * memory.depth
        elif not placed.primitive.units:
            total += n * memory.used * memory.clocked
    return total


def _kept(part: Part) -> float:
    """Return the bits that block RAM may read while they are written: logic must keep the old ones."""
    checked = ((memory, n) for memory, n in part.memories.items() if not memory.unchecked and place(memory).block_ram)
    return sum(n * memory.used * memory.reads for memory, n in checked)


def _choices(part: Part) -> float:
    """Return the bits of multiplexers, with those between the primitives of a memory."""
    inside = sum(n * (place(m).rows - 1) * m.used * m.reads for m, n in part.memories.items())
    return part.counts["choices"] + inside


FEATURES: dict[str, dict[str, Feature]] = {
    "lut": {
        "adder bits": _sum(lambda part: part.counts["adders"]),
        "gate bits": _sum(lambda part: part.counts["gates"]),
        "multiplexer bits": _sum(_choices),
        "registers with an enable": _sum(lambda part: part.counts["enabled"]),
        "words kept beside block RAM": _sum(_kept),  # which are chosen where the addresses are equal
    },
    "ff": {
        "registers of the core": _sum(_registers, ["core"]),
        "registers around it": _sum(_registers, ["around"]),
        "words kept beside block RAM": _sum(_kept),
    },
}
"""What each fitted resource is linear in."""

COUNTED: dict[str, Feature] = {
    "lut": _sum(_distributed),
    "ff": lambda design: 0,
    "ram": _sum(lambda part: block_ram(part.memories)),
    "dsp": _sum(lambda part: part.counts["multipliers"]),
}
"""The part of each resource that is counted and needs no fit."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimated resources of a block.

    Members
    -------
    resources : the units of each of ``RESOURCES``: LUT4s with carry cells and distributed RAM, flip-flops, EBR of
        18 kbit, and multipliers of 18 x 18 bits
    outside : the fields of the configuration that lie beyond what was synthesized, each with its value and the smallest
        and the largest that were; without any, nothing is extrapolated
    """

    resources: dict[str, int]
    outside: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def fits(self, part: dict[str, int]) -> bool:
        """Tell whether an FPGA holds it, which has ``luts`` (each with a flip-flop), ``rams`` and ``dsps``."""
        return fits(self.resources, part)


def fits(resources: dict[str, int], part: dict[str, int]) -> bool:
    """Tell whether an FPGA holds resources; it has ``luts`` (each with a flip-flop), ``rams`` and ``dsps``."""
    kinds = {"lut": "luts", "ff": "luts", "ram": "rams", "dsp": "dsps"}
    return all(resources[kind] <= part[unit] for kind, unit in kinds.items())


def fit(points: list[tuple[Structure, float]], resource: str) -> dict[str, float]:
    """Return the non-negative coefficients of least relative error over pairs of a structure and what was measured."""
    from scipy.optimize import nnls

    features = FEATURES[resource]
    matrix = np.array([[feature(design) for feature in features.values()] for design, _ in points], float)
    measured = np.array([y for _, y in points], float)
    fitted = measured - [COUNTED[resource](design) for design, _ in points]
    found, _ = nnls(matrix / measured[:, None], fitted / measured)
    return {name: round(float(k), 6) for name, k in zip(features, found, strict=True)}


def resources_of(design: Structure, coefficients: dict[str, dict[str, float]]) -> dict[str, int]:
    """Return the resources of a structure."""
    found = {}
    for resource in RESOURCES:
        features = FEATURES.get(resource, {})
        fitted = sum(coefficients[resource][name] * feature(design) for name, feature in features.items())
        found[resource] = round(COUNTED[resource](design) + fitted)
    return found


def outside(config: HardwareConfig, measured: dict[str, list[int]]) -> dict[str, tuple[int, int, int]]:
    """Return the fields of ``config`` that lie beyond what was synthesized, with value, smallest and largest by name.

    Each field is looked at by itself: it should lie between the smallest and the largest value that was synthesized. So
    a corner of this box need not have been synthesized. A field that was not there then is that of a part that was not
    built, which is 0.
    """
    found = {}
    for name, value in config.to_dict().items():
        low, high = measured.get(name, (0, 0))
        if not low <= value <= high:
            found[name] = (value, low, high)
    return found


def predict(config: HardwareConfig, known: dict, block: str = "accelerator") -> Estimate:
    """Return the estimated resources of a block.

    Parameters
    ----------
    known : what :func:`calibrate` found and :func:`load` reads

    Raises
    ------
    RepriseError
        When there is no such block.
    """
    if block not in BLOCKS:
        raise RepriseError(field="block", rule=f"one of {', '.join(BLOCKS)}", value=block)
    found = resources_of(structure.of(config, block), known["coefficients"])
    return Estimate(resources=found, outside=outside(config, known["measured"][block]))


def usable(records: list[dict]) -> list[dict]:
    """Return the records that the fit is made from, which are cores and accelerators that were synthesized for ECP5."""
    return [r for r in records if r["kind"] == "synthesis" and r["target"] == "ecp5" and r["block"] in BLOCKS]


def _coefficients(records: list[dict]) -> dict[str, dict[str, float]]:
    designs = [structure.from_dict(r["structure"]) for r in records]
    return {
        resource: fit([(d, r[resource]) for d, r in zip(designs, records, strict=True)], resource)
        for resource in FEATURES
    }


def _box(records: list[dict]) -> dict[str, list[int]]:
    """Return the smallest and the largest value of each field."""
    configurations = [HardwareConfig.from_dict(r["configuration"]).to_dict() for r in records]
    return {name: [f(c[name] for c in configurations) for f in (min, max)] for name in configurations[0]}


def _twins(a: dict, b: dict) -> bool:
    """Tell whether two records differ in the size of memories only, so that one would give away the other's logic."""
    one, other = (HardwareConfig.from_dict(r["configuration"]).to_dict() for r in (a, b))
    return {name for name in one if one[name] != other[name]} <= {"feature_words", "segments", "weight_tiles"}


def calibrate(records: list[dict]) -> dict:
    """Return the coefficients, the smallest and largest fields synthesized, and how far off predictions are.

    The error of a design is that of predicting it from all others, without those whose configuration is the same or
    differs in the size of memories only.
    """
    records = usable(records)
    errors: dict[str, dict[str, list[float]]] = {block: {r: [] for r in RESOURCES} for block in BLOCKS}
    rows = []
    for record in records:
        rest = [r for r in records if not _twins(r, record)]
        guess = resources_of(structure.from_dict(record["structure"]), _coefficients(rest))
        row = {"config": record["config"], "block": record["block"]}
        for resource in RESOURCES:
            error = (guess[resource] - record[resource]) / max(record[resource], 1)
            errors[record["block"]][resource].append(abs(error))
            row[resource] = [record[resource], guess[resource], round(error, 4)]
        rows.append(row)
    return {
        "format": 2,
        "target": "ecp5",
        "coefficients": _coefficients(records),
        "measured": {
            "core": _box(records),  # an accelerator holds a core
            "accelerator": _box([r for r in records if r["block"] == "accelerator"]),
        },
        "error": {
            block: {
                r: {"mean": round(float(np.mean(e)), 4), "worst": round(max(e), 4)} for r, e in by_resource.items() if e
            }
            for block, by_resource in errors.items()
        },
        "left_out": rows,
    }


def load(path: Path = COEFFICIENTS) -> dict:
    """Return the coefficients that come with the package."""
    return json.loads(path.read_text())
