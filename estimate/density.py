"""Tells how much product sparsity a network has: densities and cycles of a capture, and the sweep over tile sizes."""

import numpy as np

from ..model.files.capture import Capture, CapturedLayer
from ..model.hardware import TileShape
from ..model.prosparsity.bound import bound, output_groups
from ..model.prosparsity.density import Density
from ..model.prosparsity.tiles import count_packed
from ..model.prosparsity.tiling import KOrder
from ..support.checks import require
from .baselines.dense import bit_sparse_cycles, dense_cycles
from .baselines.prosperity import published_model_cycles

SWEEP_M = (32, 64, 128, 256, 512, 1024)
SWEEP_K = (4, 8, 16, 32, 64)


def _figures(density: Density) -> dict:
    """Return densities as the report has them."""
    return {**density.figures(), "reduction": density.reduction}


def layer_report(captured: CapturedLayer, shape: TileShape, k_order: KOrder = "ckk") -> tuple[dict, Density]:
    """Return densities, counts and cycles of one layer, and its density as it is summed over layers.

    Cycles and the density count the layer once per group of ``lanes`` output channels; counts count it once.
    """
    groups = output_groups(captured.outputs, shape.lanes)
    tiles = captured.tiles(shape.tile_m, shape.tile_k, k_order)
    counts = count_packed(tiles.packed, tiles.starts)
    totals = counts.total()
    density = Density.of(counts, captured.depth, groups)
    report = {
        "name": captured.name,
        **_figures(density),
        "cycles": {
            "dense": dense_cycles(counts, captured.depth, groups),
            "bit_sparse": bit_sparse_cycles(counts, groups),
            "published_model": published_model_cycles(counts, groups),
            "published_model_tilewise": published_model_cycles(counts, groups, tilewise=True),
            "bound": bound(counts, groups, banks=shape.banks, weight_banks=shape.weight_banks),
        },
        "counts": {
            "rows": len(tiles.packed),
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
    }
    return report, density


def density_report(capture: Capture, shape: TileShape, k_order: KOrder = "ckk") -> dict:
    """Return the figures of a capture.

    Parameters
    ----------
    capture : Capture
    shape : TileShape
        The hardware: a HardwareConfig, or anything with its ``tile_m``, ``tile_k``, ``lanes`` and ``banks``.
    k_order : "ckk" or "kkc"
        Bits of a row in the published simulator's order or in the hardware's.

    Returns
    -------
    dict
        The fields of :class:`reprise.estimate.report.density_fields.Density` without the head: ``{"capture",
        "configuration", "k_order", "total", "layers": [...]}``. Totals weigh each layer by its groups of output
        channels.
    """
    require(len(capture.layers) > 0, "capture.layers", "at least one", 0)
    layers, total = [], Density()
    for one in capture:
        report, density = layer_report(one, shape, k_order)
        layers.append(report)
        total += density
    cycles = {key: sum(one["cycles"][key] for one in layers) for key in layers[0]["cycles"]}
    return {
        "capture": capture.name,
        "configuration": {name: getattr(shape, name) for name in ("tile_m", "tile_k", "lanes", "banks")},
        "k_order": k_order,
        "total": {**_figures(total), "cycles": cycles},
        "layers": layers,
    }


def density_sweep(
    capture: Capture,
    shape: TileShape,
    k_order: KOrder = "ckk",
    tile_ms: tuple[int, ...] = SWEEP_M,
    tile_ks: tuple[int, ...] = SWEEP_K,
) -> list[dict]:
    """Return total densities and cycles for every tile size, a dictionary for each pair of ``tile_m`` and ``tile_k``.

    ``lanes`` and ``banks`` are those of ``shape``; its tile size plays no part.
    """
    points = []
    for tile_k in tile_ks:
        packed = [one.tiles(max(tile_ms), tile_k, k_order).packed for one in capture]
        for tile_m in tile_ms:
            density, cycles = Density(), {"published_model": 0, "bound": 0}
            for one, rows in zip(capture, packed, strict=True):
                groups = output_groups(one.outputs, shape.lanes)
                counts = count_packed(rows, np.append(np.arange(0, len(rows), tile_m), len(rows)))
                density += Density.of(counts, one.depth, groups)
                cycles["published_model"] += published_model_cycles(counts, groups)
                cycles["bound"] += bound(counts, groups, banks=shape.banks, weight_banks=shape.weight_banks)
            points.append({"tile_m": tile_m, "tile_k": tile_k, **_figures(density), "cycles": cycles})
    return points
