"""Resources before synthesis: a linear model of what each block is built of, fitted to synthesized configurations.

Every block has a few *features*, products of configuration fields that its structure says it grows with (a TCAM of
``tile_m`` words of ``tile_k`` bits, an adder a lane, ...). Coefficients are the non-negative least squares fit,
relative to each point's size, over the committed points. The features of block RAM are the blocks that each known
memory takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..hw.arch.config import HardwareConfig
from ..hw.interface.row_order import most_timesteps, slots

COEFFICIENTS = Path(__file__).resolve().parent / "area.json"

Feature = Callable[[HardwareConfig], float]

FEATURES: dict[str, dict[str, Feature]] = {
    "frontend": {
        "constant": lambda c: 1,
        "tcam entries": lambda c: c.tile_m * c.queries,
        "tcam bits": lambda c: c.tile_m * c.tile_k,
        "row bits loaded": lambda c: c.load_rows * c.tile_k,
        "row bits queried": lambda c: c.queries * c.tile_k,
    },
    "processor": {
        "lanes": lambda c: c.lanes,
        "adder bits": lambda c: c.lanes * (c.result_bits + c.psum_bits * c.banks),
        "banked bits": lambda c: c.lanes * (c.result_bits + 2 * c.psum_bits) * (c.banks - 1),
        "rows": lambda c: c.tile_m,
        "constant": lambda c: 1,
    },
    "neurons": {
        "comparator bits": lambda c: c.neuron_lanes * c.membrane_bits * c.level_bits,
        "row of sums": lambda c: c.lanes * c.psum_bits,
    },
    "around": {  # the accelerator without its core: loaders, im2col, output, sequencer, registers
        "constant": lambda c: 1,
        "im2col bits": lambda c: c.load_rows * c.feature_bits,
        "bus bits": lambda c: c.bus_bits,
    },
}
"""Part of the design -> what its size is linear in."""

CORE = ("frontend", "processor", "neurons")
RESOURCES = ("lut", "ff", "ram", "dsp")


def ram_blocks(words: int, bits: int) -> float:
    """18 kbit block RAMs of a memory with one read and one write port: 36 bits at 512 words, 18 at 1024, ..."""
    widths = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
    return min(-(-words // depth) * -(-bits // width) for depth, width in widths)


def _rams(part: str, c: HardwareConfig) -> dict[str, float]:
    """Block RAM that a part's large memories take: the features of its ``ram``."""
    if part == "processor":
        return {
            "weights": ram_blocks(c.weight_tiles * c.tile_k, c.lanes * c.weight_bits),
            "tile results": c.banks * ram_blocks(2 * c.tile_m, c.lanes * c.result_bits),
            # Two banks have a memory per half (reprise.hw.psum.bank).
            "partial sums": c.banks**2 * ram_blocks(2 * c.tile_m // c.banks**2, c.lanes * c.psum_bits),
        }
    if part == "around":
        words = c.feature_words * 32 // c.feature_bits
        return {
            "constant": 1,
            "feature buffer": c.load_rows * 2 * ram_blocks(words // 2, c.feature_bits),
            "bus words": ram_blocks(512, c.bus_bits),
        }
    if part == "neurons":
        depth = 2 * slots(c) * most_timesteps(c)
        return {"reorder buffer": ram_blocks(depth, c.neuron_lanes * c.level_bits) if most_timesteps(c) > 1 else 0}
    return {"rows": ram_blocks(2 * c.tile_m, c.tile_k + 2 * c.row_bits) if c.tile_m > 32 else 0}


def values(part: str, resource: str, config: HardwareConfig) -> dict[str, float]:
    """The features of one part and resource."""
    if resource == "ram":
        return _rams(part, config)
    if resource == "dsp":
        return {"multipliers": config.neuron_lanes * -(-config.membrane_bits // 18)} if part == "neurons" else {}
    return {name: feature(config) for name, feature in FEATURES[part].items()}


def fit(points: list[tuple[HardwareConfig, float]], part: str, resource: str) -> dict[str, float]:
    """Non-negative coefficients with the least relative error over the points (configuration, measured)."""
    from scipy.optimize import nnls

    names = list(values(part, resource, points[0][0])) if points else []
    if not names:
        return {}
    weight = np.array([1 / max(y, 1) for _, y in points])
    matrix = np.array([list(values(part, resource, c).values()) for c, _ in points], float)
    scale = np.maximum(matrix.max(axis=0), 1e-9)
    found, _ = nnls(matrix / scale * weight[:, None], np.array([y for _, y in points]) * weight)
    return {name: round(float(k), 6) for name, k in zip(names, found / scale, strict=True)}


def parts_of(block: str) -> tuple[str, ...]:
    """The parts whose sum is a block of the command line."""
    if block in FEATURES:
        return (block,)
    return CORE if block == "core" else (*CORE, "around")


def predict(config: HardwareConfig, coefficients: dict, block: str = "accelerator") -> dict[str, float]:
    """Estimated resources of a block: ``{"lut": ..., "ff": ..., "ram": ..., "dsp": ...}`` (ECP5 units).

    Raises
    ------
    ValueError
        No synthesized design holds a part of the block.
    """
    missing = [part for part in parts_of(block) if not coefficients["parts"][part]["lut"]]
    if missing:
        raise ValueError(f"block must be made of synthesized parts, not {block!r}: none has {', '.join(missing)}")
    found = dict.fromkeys(RESOURCES, 0.0)
    for part in parts_of(block):
        for resource in RESOURCES:
            given = values(part, resource, config)
            factors = coefficients["parts"][part][resource]
            found[resource] += sum(factors.get(name, 0) * value for name, value in given.items())
    return {r: round(v) for r, v in found.items()}


def wholes(records: list[dict]) -> list[dict]:
    """The records for ECP5 whose blocks the model knows."""
    known = [r for r in records if r["kind"] == "synthesis" and r["target"] == "ecp5"]
    return [r for r in known if r["block"] in ("core", "accelerator", *FEATURES)]


def points_of(records: list[dict]) -> list[tuple[HardwareConfig, str, str, dict[str, float]]]:
    """(configuration, name, part, resources) of every synthesized ECP5 point in ``docs/measured/resources.json``."""
    found = []
    for record in wholes(records):
        config = HardwareConfig.from_dict(record["configuration"])
        if record["block"] in FEATURES:
            found.append((config, record["config"], record["block"], {r: record[r] for r in RESOURCES}))
            continue
        blocks, prefix = record["blocks"], "" if record["block"] == "core" else "datapath.core."
        for part in CORE:
            if prefix + part in blocks:
                found.append((config, record["config"], part, blocks[prefix + part]))
        if record["block"] == "accelerator" and "datapath.core" in blocks:
            around = {r: record[r] - blocks["datapath.core"][r] for r in RESOURCES}
            found.append((config, record["config"], "around", around))
    return found


def _fit_all(points: list[tuple[HardwareConfig, str, str, dict[str, float]]]) -> dict:
    def one(part: str, resource: str) -> dict[str, float]:
        return fit([(c, f[resource]) for c, _, p, f in points if p == part], part, resource)

    return {part: {r: one(part, r) for r in RESOURCES} for part in FEATURES}


def calibrate(records: list[dict]) -> dict:
    """Coefficients, and the error of predicting each design from fits without its configuration."""
    points = points_of(records)
    errors: dict[str, list[float]] = {r: [] for r in RESOURCES}
    rows = []
    for record in wholes(records):
        rest = [p for p in points if p[1] != record["config"]]
        if not set(parts_of(record["block"])) <= {p[2] for p in rest}:
            continue  # a part that no other configuration has
        config = HardwareConfig.from_dict(record["configuration"])
        guess = predict(config, {"parts": _fit_all(rest)}, record["block"])
        row = {"config": record["config"], "block": record["block"]}
        for r in RESOURCES:
            error = (guess[r] - record[r]) / max(record[r], 1)
            errors[r].append(abs(error))
            row[r] = [record[r], guess[r], round(error, 4)]
        rows.append(row)
    summary = {r: {"mean": round(float(np.mean(e)), 4), "worst": round(max(e), 4)} for r, e in errors.items() if e}
    counts = {part: len({name for _, name, p, _ in points if p == part}) for part in FEATURES}
    fitted = _fit_all(points)
    return {"format": 1, "target": "ecp5", "parts": fitted, "points": counts, "error": summary, "left_out": rows}


def load(path: Path = COEFFICIENTS) -> dict:
    """The committed coefficients."""
    return json.loads(path.read_text())
