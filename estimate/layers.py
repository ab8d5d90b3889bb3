"""The figures of one layer and of the whole job, from the RUNs that were timed."""

from __future__ import annotations

from dataclasses import replace

from ..compiler.golden.interpreter import Interpreter
from ..hw.arch.config import HardwareConfig
from ..hw.arch.memory_image import LayerEntry, MemoryImage
from ..hw.arch.program import COMMAND_BYTES
from ..model.network.network import Network
from ..model.prosparsity.density import Density
from . import limits
from .baselines.dense import bit_sparse_cycles
from .limits import Explorer

COUNTED = {
    "nonzero_rows": "nonzero",
    "exact_matches": "exact",
    "set_bits": "set_bits",
    "residual_bits": "residual_bits",
}
"""How reports call the counts of tiles (:class:`reprise.model.prosparsity.tiles.Counts`)."""


def of_layer(
    entry: LayerEntry, ends: list[int], runs: list[dict], network: Network, image: MemoryImage, published: int
) -> dict:
    """Return one layer's figures; its cycles are those from the end of the layer before to the end of its last RUN.

    ``published`` are its cycles in the published model.
    """
    depth, layer = network.depth(entry.name), network.layer(entry.name)
    over = layer.product.over if layer.product else ""
    heads = layer.product.heads if layer.product and over == "tokens" else 1  # each has all channels
    bits = depth * (network.timesteps if over == "channels" else 1)  # of a row
    mine = [r for r in runs if entry.first <= r["command"] < entry.last]
    before = max(ends[: entry.first], default=0)
    totals = [r["counts"].total() for r in mine]
    density = _density(mine, depth, entry, network, image)
    folds = {_fold(one, entry) for one in mine}
    return {
        "name": entry.name,
        "feature": entry.feature,
        "k_tiles": entry.k_tiles,
        "tile_depth": mine[0]["tile_depth"],
        "blocks": entry.blocks,
        "cycles": {
            "cycle_model": max(ends[entry.first : entry.last]) - before,
            "bound": sum(r["bound"] for r in mine),
            "published_model": published,
            "bit_sparse": sum(bit_sparse_cycles(r["counts"]) for r in mine),
            "dense": density.elements,
        },
        "alone_cycles": {key: sum(r[key] for r in mine) for key in ("weights", "im2col", "neurons")},
        **density.figures(),
        "accesses": {key: sum(r["accesses"][key] for r in mine) for key in mine[0]["accesses"]},
        "runs": len(mine),
        "tiles": sum(r["tiles"] for r in mine),
        "tile_use": _use(mine, bits / max(folds) / entry.k_tiles, layer.channels * heads / entry.blocks, image.config),
        "counts": {name: sum(getattr(one, field) for one in totals) for name, field in COUNTED.items()},
    }


def _fold(run: dict, entry: LayerEntry) -> int:
    """Return how many parts of its kernels the layer of a run reads as planes (:mod:`reprise.compiler.rows.planes`)."""
    return run["planes"] if entry.planes == 1 else 1


def _density(runs: list[dict], depth: int, entry: LayerEntry, network: Network, image: MemoryImage) -> Density:
    """Return the density of a layer, whose elements are those of its rows once.

    In parts along K, each part has all rows. What only pools, or fires on stored sums, has no elements of its own.
    """
    found = sum((Density.of(r["counts"], depth) for r in runs), Density())
    if network.layer(entry.name).product:
        return found
    height, width = network.geometry[entry.name].computed
    positions = entry.blocks * image.images * height * width
    with_rows = [(r, fold) for r in runs if r["planes"] == entry.planes * (fold := _fold(r, entry))]
    parts = max(1, sum(r["rows"] // (r["planes"] * r["timesteps"]) for r, _ in with_rows) // positions)
    elements = sum((Density.of(r["counts"], depth).elements // fold for r, fold in with_rows), 0)
    return replace(found, elements=elements // parts)


def _use(runs: list[dict], bits: float, channels: float, c: HardwareConfig) -> dict[str, dict[str, float]]:
    """Return how much of the lanes, of a tile's rows and of a row's bits a layer uses, on average over its tiles."""
    m_tiles = sum(r["m_tiles"] for r in runs)
    used = {
        "lanes": (channels, c.lanes),
        "rows": (sum(r["rows"] for r in runs) / m_tiles, c.tile_m),
        "bits": (bits, c.tile_k),
    }
    return {name: {"mean": round(float(mean), 2), "size": size} for name, (mean, size) in used.items()}


def of_total(layers: list[dict], cycles: int, interpreter: Interpreter) -> tuple[dict, dict]:
    """Return the figures of the whole job, and what the layers leave of them: the end of the job."""
    parts = ("cycles", "alone_cycles", "counts")
    total: dict = {part: {key: sum(one[part][key] for one in layers) for key in layers[0][part]} for part in parts}
    left = cycles - total["cycles"]["cycle_model"]
    total["cycles"]["cycle_model"] = cycles
    total |= {key: sum(one[key] for one in layers) for key in ("runs", "tiles")}
    bits = {key: total["counts"][key] for key in ("set_bits", "residual_bits")}
    total |= Density(elements=total["cycles"]["dense"], **bits).figures()
    total |= {"bytes_read": interpreter.bytes_read, "bytes_written": interpreter.bytes_written}
    moved = {key: total[key] - sum(one[key] for one in layers) for key in ("bytes_read", "bytes_written")}
    return total, {"name": "end of the job", "cycles": {"cycle_model": left}, **moved}


def traffic(interpreter: Interpreter, commands: range) -> dict[str, int]:
    """Return the bytes that some commands move, the commands themselves among those read."""
    return {
        "bytes_read": sum(interpreter.memory.read_by[index] for index in commands),
        "bytes_written": sum(interpreter.memory.written_by[index] for index in commands),
    }


def loads(interpreter: Interpreter, image: MemoryImage, entry: LayerEntry) -> dict[str, int]:
    """Return the commands of a layer, and the bytes of feature maps that they load."""
    mine, commands = range(entry.first, entry.last), image.commands()
    features = [index for index in mine if commands[index][0] == "LOAD_FEATURES"]
    moved = sum(interpreter.memory.read_by[index] for index in features)
    return {"commands": len(mine), "feature_bytes": moved - COMMAND_BYTES * len(features)}


def add_limits(explorer: Explorer, image: MemoryImage, ends: list[int], layers: list[dict], total: dict) -> None:
    """Put ``limits`` into every layer and into the total."""
    for entry, one, found in zip(image.layers, layers, explorer.limits, strict=True):
        commands = [n for n in explorer.runs if entry.first <= n < entry.last]
        before = max(ends[: entry.first], default=0)
        one["limits"] = limits.of_layer(found, one["cycles"]["cycle_model"])
        one["limits"]["start_and_end_cycles"] = limits.start_and_end(explorer.machine, commands, before)
    total["limits"] = limits.of_network([one["limits"] for one in layers], total["cycles"]["cycle_model"])
