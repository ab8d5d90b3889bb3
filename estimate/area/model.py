"""Resources on an ECP5, from what a design is built of (:mod:`reprise.estimate.area.structure`).

Block RAM, distributed RAM and multipliers are counted: which primitives a memory becomes is known
(:mod:`reprise.estimate.area.memories`). LUTs and flip-flops are linear in a few counts. Their coefficients are the
non-negative least squares fit, relative to each design's size, over the synthesized designs of
``docs/measured/resources.json``; each record there holds the structure of the design as it was synthesized.
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
"""What is estimated."""

DISTRIBUTED_LUTS = 6
"""LUT4s of a 16 x 4 distributed RAM: four as memory, two for its write port."""

Feature = Callable[[Structure], float]


def _sum(of: Callable[[Part], float], parts: Sequence[str] = ("core", "around")) -> Feature:
    """A feature that adds up over parts."""
    return lambda design: sum(of(design[name]) for name in parts if name in design)


def _distributed(part: Part) -> float:
    """LUTs of distributed RAM."""
    placed = ((n, place(memory)) for memory, n in part.memories.items())
    return sum(DISTRIBUTED_LUTS * n * p.count for n, p in placed if p.primitive and not p.primitive.units)


def _registers(part: Part) -> float:
    """Bits of registers: the description's, those behind distributed RAM, and memories that are made of them."""
    total: float = part.counts["registers"]
    for memory, n in part.memories.items():
        placed = place(memory)
        if placed.primitive is None:
            total += n * memory.used * memory.depth
        elif not placed.primitive.units:
            total += n * memory.used * memory.clocked
    return total


def _kept(part: Part) -> float:
    """Bits that block RAM reads while they may be written: logic and registers around it keep the old ones."""
    checked = ((memory, n) for memory, n in part.memories.items() if not memory.unchecked and place(memory).block_ram)
    return sum(n * memory.used * memory.reads for memory, n in checked)


def _choices(part: Part) -> float:
    """Bits of multiplexers, with those between the primitives of a memory."""
    inside = sum(n * (place(m).rows - 1) * m.used * m.reads for m, n in part.memories.items())
    return part.counts["choices"] + inside


FEATURES: dict[str, dict[str, Feature]] = {
    "lut": {
        "adder bits": _sum(lambda part: part.counts["adders"]),
        "gate bits": _sum(lambda part: part.counts["gates"]),
        "multiplexer bits": _sum(_choices),
        "registers with an enable": _sum(lambda part: part.counts["enabled"]),
    },
    "ff": {
        "registers of the core": _sum(_registers, ["core"]),
        "registers around it": _sum(_registers, ["around"]),
        "words kept beside block RAM": _sum(_kept),
    },
}
"""Resource -> what it is linear in."""

COUNTED: dict[str, Feature] = {
    "lut": _sum(_distributed),
    "ff": lambda design: 0,
    "ram": _sum(lambda part: block_ram(part.memories)),
    "dsp": _sum(lambda part: part.counts["multipliers"]),
}
"""Resource -> the part of it that needs no fit."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimated resources of a block.

    resources : units by resource (``RESOURCES``): LUT4 with carry cells and distributed RAM, flip-flops, EBR of
    18 kbit, multipliers of 18 x 18 bits. ``outside``: fields of the configuration beyond what was synthesized, each
    with its value and the smallest and largest that were; none: nothing is extrapolated.
    """

    resources: dict[str, int]
    outside: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def fits(self, part: dict[str, int]) -> bool:
        """Whether an FPGA holds it; ``part``: its ``luts`` (each with a flip-flop), ``rams`` and ``dsps``."""
        return fits(self.resources, part)


def fits(resources: dict[str, int], part: dict[str, int]) -> bool:
    """Whether an FPGA (``luts``, each with a flip-flop, ``rams``, ``dsps``) holds resources."""
    kinds = {"lut": "luts", "ff": "luts", "ram": "rams", "dsp": "dsps"}
    return all(resources[kind] <= part[unit] for kind, unit in kinds.items())


def fit(points: list[tuple[Structure, float]], resource: str) -> dict[str, float]:
    """Non-negative coefficients with the least relative error over the points (structure, measured)."""
    from scipy.optimize import nnls

    features = FEATURES[resource]
    matrix = np.array([[feature(design) for feature in features.values()] for design, _ in points], float)
    measured = np.array([y for _, y in points], float)
    fitted = measured - [COUNTED[resource](design) for design, _ in points]
    found, _ = nnls(matrix / measured[:, None], fitted / measured)
    return {name: round(float(k), 6) for name, k in zip(features, found, strict=True)}


def resources_of(design: Structure, coefficients: dict[str, dict[str, float]]) -> dict[str, int]:
    """Resources of a structure."""
    found = {}
    for resource in RESOURCES:
        features = FEATURES.get(resource, {})
        fitted = sum(coefficients[resource][name] * feature(design) for name, feature in features.items())
        found[resource] = round(COUNTED[resource](design) + fitted)
    return found


def outside(config: HardwareConfig, measured: dict[str, list[int]]) -> dict[str, tuple[int, int, int]]:
    """Fields of ``config`` beyond the box that the synthesized configurations span: field -> value, least, most.

    The hull is a box: every field by itself between the smallest and the largest value synthesized. A corner of the
    box need not have been synthesized.
    """
    return {
        name: (value, measured[name][0], measured[name][1])
        for name, value in config.to_dict().items()
        if not measured[name][0] <= value <= measured[name][1]
    }


def predict(config: HardwareConfig, known: dict, block: str = "accelerator") -> Estimate:
    """Estimated resources of a block; ``known``: what :func:`calibrate` found, see :func:`load`.

    Raises
    ------
    RepriseError
        An unknown block.
    """
    if block not in BLOCKS:
        raise RepriseError(field="block", rule=f"one of {', '.join(BLOCKS)}", value=block)
    found = resources_of(structure.of(config, block), known["coefficients"])
    return Estimate(resources=found, outside=outside(config, known["measured"][block]))


def usable(records: list[dict]) -> list[dict]:
    """The records that the fit is made from: cores and accelerators, synthesized for ECP5."""
    return [r for r in records if r["kind"] == "synthesis" and r["target"] == "ecp5" and r["block"] in BLOCKS]


def _coefficients(records: list[dict]) -> dict[str, dict[str, float]]:
    designs = [structure.from_dict(r["structure"]) for r in records]
    return {
        resource: fit([(d, r[resource]) for d, r in zip(designs, records, strict=True)], resource)
        for resource in FEATURES
    }


def _box(records: list[dict]) -> dict[str, list[int]]:
    """The smallest and the largest value of each field."""
    configurations = [HardwareConfig.from_dict(r["configuration"]).to_dict() for r in records]
    return {name: [f(c[name] for c in configurations) for f in (min, max)] for name in configurations[0]}


def _twins(a: dict, b: dict) -> bool:
    """Whether two records' configurations differ in memory only, so that one would give away the other's logic."""
    one, other = a["configuration"], b["configuration"]
    return {name for name in one if one[name] != other[name]} <= {"feature_words", "segments", "weight_tiles"}


def calibrate(records: list[dict]) -> dict:
    """Coefficients, the box of synthesized configurations, and the error of predicting each design without it.

    A design is left out with every record whose configuration is the same or differs in the size of memories only.
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
    """The committed coefficients."""
    return json.loads(path.read_text())
