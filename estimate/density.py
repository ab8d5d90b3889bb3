"""How much product sparsity a network has: densities and cycles of a capture, and the sweep over tile sizes."""

from dataclasses import asdict, dataclass

import numpy as np

from ..model.files.capture import Capture, CapturedLayer
from ..model.prosparsity.bound import output_groups, own_cycles
from ..model.prosparsity.tiles import Counts, analyze_blocks, count_packed
from ..model.prosparsity.tiling import KOrder
from ..support.checks import require
from .baselines.dense import bit_sparse_cycles, dense_cycles
from .baselines.prosperity import published_cycles
from .processor_model import ProcessorTiming, simulate_processor

SWEEP_M = (32, 64, 128, 256, 512, 1024)
SWEEP_K = (4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the figures depend on: the tile, the lanes, the order of K and our processor's parameters."""

    tile_m: int = 256
    tile_k: int = 16
    lanes: int = 128
    k_order: KOrder = "ckk"
    banks: int = 2
    queries: int = 2


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _figures(sums: dict[str, int]) -> dict:
    """Densities of weighted sums: bits per element of the unpadded matrix (rows x K)."""
    bit, product = _ratio(sums["set_bits"], sums["elements"]), _ratio(sums["residual_bits"], sums["elements"])
    return {
        "bit_density": bit,
        "product_density": product,
        "reduction": bit / product if product else None,  # no set bit at all: nothing to reduce
    }


def layer_report(captured: CapturedLayer, settings: Settings) -> dict:
    """Densities, counts and cycles of one layer; every sum counts the layer once per group of ``lanes`` outputs."""
    groups = output_groups(captured.outputs, settings.lanes)
    tiles = captured.tiles(settings.tile_m, settings.tile_k, settings.k_order)
    timing = ProcessorTiming(banks=settings.banks, queries=settings.queries)
    parts, own = [], 0
    for block in analyze_blocks(tiles.packed, tiles.starts):
        parts.append(block.counts)
        own += simulate_processor(block, timing).cycles
    counts = Counts.join(parts)
    totals = counts.total()
    rows = len(tiles.packed)
    sums = {
        "elements": rows * captured.depth * groups,
        "set_bits": totals.set_bits * groups,
        "residual_bits": totals.residual_bits * groups,
    }
    return {
        "name": captured.name,
        **_figures(sums),
        "cycles": {
            "dense": dense_cycles(counts, captured.depth, groups),
            "bit_sparse": bit_sparse_cycles(counts, groups),
            "published": published_cycles(counts, groups),
            "published_tilewise": published_cycles(counts, groups, tilewise=True),
            "own": own * groups,
            "own_bound": own_cycles(counts, groups, banks=settings.banks),
        },
        "counts": {
            "rows": rows,
            "depth": captured.depth,
            "outputs": captured.outputs,
            "output_groups": groups,
            "tiles": int(counts.rows.size),
            "nonzero_rows": totals.nonzero,
            "multi_bit_rows": totals.multi_bit,
            "exact_matches": totals.exact,
            "set_bits": totals.set_bits,
            "residual_bits": totals.residual_bits,
        },
        "sums": sums,
    }


def density_report(capture: Capture, settings: Settings | None = None) -> dict:
    """Figures of a capture: ``{"capture", "settings", "total", "layers": [...]}``.

    ``total`` and each layer hold bit_density, product_density, reduction and cycles (dense, bit_sparse, published,
    published_tilewise, own, own_bound). Totals weigh each layer by its groups of output channels.
    """
    settings = settings or Settings()
    require(len(capture.layers) > 0, "capture.layers", "at least one", 0)
    layers = [layer_report(one, settings) for one in capture]
    sums = {key: sum(one["sums"][key] for one in layers) for key in layers[0]["sums"]}
    for one in layers:
        del one["sums"]
    cycles = {key: sum(one["cycles"][key] for one in layers) for key in layers[0]["cycles"]}
    return {
        "capture": capture.name,
        "settings": asdict(settings),
        "total": {**_figures(sums), "cycles": cycles},
        "layers": layers,
    }


def density_sweep(
    capture: Capture,
    settings: Settings | None = None,
    tile_ms: tuple[int, ...] = SWEEP_M,
    tile_ks: tuple[int, ...] = SWEEP_K,
) -> list[dict]:
    """Total densities and cycles for every tile size: one dict per (tile_m, tile_k).

    ``own_bound`` stands for our processor (the ideal bound): the event model takes minutes over many sizes.
    """
    settings = settings or Settings()
    points = []
    for tile_k in tile_ks:
        packed = [one.tiles(max(tile_ms), tile_k, settings.k_order).packed for one in capture]
        for tile_m in tile_ms:
            sums = {"elements": 0, "set_bits": 0, "residual_bits": 0}
            cycles = {"published": 0, "own_bound": 0}
            for one, rows in zip(capture, packed, strict=True):
                groups = output_groups(one.outputs, settings.lanes)
                counts = count_packed(rows, np.append(np.arange(0, len(rows), tile_m), len(rows)))
                totals = counts.total()
                sums["elements"] += len(rows) * one.depth * groups
                sums["set_bits"] += totals.set_bits * groups
                sums["residual_bits"] += totals.residual_bits * groups
                cycles["published"] += published_cycles(counts, groups)
                cycles["own_bound"] += own_cycles(counts, groups, banks=settings.banks)
            points.append({"tile_m": tile_m, "tile_k": tile_k, **_figures(sums), "cycles": cycles})
    return points
