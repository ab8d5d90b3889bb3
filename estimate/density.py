"""Tells how much product sparsity a network has: densities and cycles of its spikes, and the sweep over tile sizes.

The spikes are a capture, or those of a network's run in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..model.files.capture import Capture, CapturedLayer
from ..model.hardware import TileShape
from ..model.network.network import Network
from ..model.prosparsity.bound import bound, output_groups
from ..model.prosparsity.density import Density, matrix_rows
from ..model.prosparsity.products import network_jobs
from ..model.prosparsity.tiles import MAX_TILE_M, Counts, count_packed, tile_starts
from ..model.prosparsity.tiling import KOrder
from ..support.checks import require
from .baselines.dense import bit_sparse_cycles, dense_cycles
from .baselines.prosperity import published_model_cycles
from .operators import operators as operators_of

SWEEP_M = (32, 64, 128, 256, 512, 1024)
SWEEP_K = (4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The rows of a layer, which is one matrix or, of a product, one for each image, timestep and head.

    Members
    -------
    name : of the layer
    depth : K
    outputs : columns of the weights
    operator : what the layer does in a transformer, or "" in a network that is none
    rows : gives the packed rows, cut every so many bits along K, in an order of K
    """

    name: str
    depth: int
    outputs: int
    operator: str = ""
    rows: Callable[[int, KOrder], list[np.ndarray]]

    def counts(self, tile_m: int, tile_k: int, k_order: KOrder) -> Counts[np.ndarray]:
        """Count the tiles, cut every ``tile_m`` rows as the published simulator does."""
        return counts_of(self.rows(tile_k, k_order), tile_m)


def counts_of(parts: list[np.ndarray], tile_m: int) -> Counts[np.ndarray]:
    """Count the tiles of packed rows, cut every ``tile_m`` rows."""
    return Counts.join([count_packed(packed, tile_starts(len(packed), tile_m)) for packed in parts])


def _captured_rows(captured: CapturedLayer, tile_k: int, k_order: KOrder) -> list[np.ndarray]:
    return [captured.tiles(MAX_TILE_M, tile_k, k_order).packed]


def of_capture(capture: Capture) -> list[Matrix]:
    """Return the layers of a capture."""
    require(len(capture.layers) > 0, "capture.layers", "at least one", 0)
    return [
        Matrix(name=one.name, depth=one.depth, outputs=one.outputs, rows=partial(_captured_rows, one))
        for one in capture
    ]


def of_network(network: Network, features: Mapping[str, np.ndarray]) -> list[Matrix]:
    """Return the layers of a network that read spikes.

    Parameters
    ----------
    network : Network
    features : of the model's run, the input among them (``Result.features``)
    """

    def rows(name: str, tile_k: int, k_order: KOrder) -> list[np.ndarray]:
        published = k_order == "ckk" or network.layer(name).product is not None  # whose K is in one order only
        jobs = network_jobs(network, name, dict(features), tile_m=MAX_TILE_M, tile_k=tile_k, published=published)
        return [job.tiles.packed for job in jobs]

    kinds = operators_of(network)
    return [
        Matrix(
            name=layer.name,
            depth=network.depth(layer.name),
            outputs=layer.columns,
            operator=kinds.get(layer.name, ""),
            rows=partial(rows, layer.name),
        )
        for layer in network.layers
        if layer.sources
    ]


def _figures(density: Density) -> dict:
    """Return densities as the report has them."""
    return {**density.figures(), "reduction": density.reduction}


def layer_report(matrix: Matrix, shape: TileShape, k_order: KOrder = "ckk") -> tuple[dict, Density]:
    """Return densities, counts and cycles of one layer, and its density as it is summed over layers.

    Cycles and the density count the layer once per group of ``lanes`` output channels; counts count it once.
    """
    groups = output_groups(matrix.outputs, shape.lanes)
    counts = matrix.counts(shape.tile_m, shape.tile_k, k_order)
    totals = counts.total()
    density = Density.of(counts, matrix.depth, groups)
    report = {
        "name": matrix.name,
        **_figures(density),
        "cycles": {
            "dense": dense_cycles(counts, matrix.depth, groups),
            "bit_sparse": bit_sparse_cycles(counts, groups),
            "published_model": published_model_cycles(counts, groups),
            "published_model_tilewise": published_model_cycles(counts, groups, tilewise=True),
            "bound": bound(counts, groups, banks=shape.banks, weight_banks=shape.weight_banks),
        },
        "counts": {
            "rows": matrix_rows(counts),
            "depth": matrix.depth,
            "outputs": matrix.outputs,
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


def _total(reports: Iterable[dict], densities: Iterable[Density]) -> dict:
    reports = list(reports)
    cycles = {key: sum(one["cycles"][key] for one in reports) for key in reports[0]["cycles"]}
    return {**_figures(sum(densities, Density())), "cycles": cycles}


def density_report(name: str, matrices: Sequence[Matrix], shape: TileShape, k_order: KOrder = "ckk") -> dict:
    """Return the figures of a capture or a network.

    Parameters
    ----------
    name : of the capture or the network
    matrices : Sequence[Matrix]
    shape : TileShape
        The hardware: a HardwareConfig, or anything with its ``tile_m``, ``tile_k``, ``lanes`` and ``banks``.
    k_order : "ckk" or "kkc"
        Bits of a row in the published simulator's order or in the hardware's.

    Returns
    -------
    dict
        The fields of :class:`reprise.estimate.report.density_fields.Density` without the head: ``{"capture",
        "configuration", "k_order", "total", "layers": [...]}``, and ``"operators": [...]`` of a transformer. Totals
        weigh each layer by its groups of output channels.
    """
    found = [(one.operator, *layer_report(one, shape, k_order)) for one in matrices]
    kinds = dict.fromkeys(kind for kind, *_ in found if kind)
    parts = {kind: [(report, density) for own, report, density in found if own == kind] for kind in kinds}
    operators = [{"name": kind} | _total(*zip(*part, strict=True)) for kind, part in parts.items()]
    return {
        "capture": name,
        "configuration": {field: getattr(shape, field) for field in ("tile_m", "tile_k", "lanes", "banks")},
        "k_order": k_order,
        "total": _total(*zip(*((report, density) for _, report, density in found), strict=True)),
        "layers": [report for _, report, _ in found],
        **({"operators": operators} if operators else {}),
    }


def density_sweep(
    matrices: Sequence[Matrix],
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
        rows = [one.rows(tile_k, k_order) for one in matrices]
        for tile_m in tile_ms:
            density, cycles = Density(), {"published_model": 0, "bound": 0}
            for one, parts in zip(matrices, rows, strict=True):
                groups = output_groups(one.outputs, shape.lanes)
                counts = counts_of(parts, tile_m)
                density += Density.of(counts, one.depth, groups)
                cycles["published_model"] += published_model_cycles(counts, groups)
                cycles["bound"] += bound(counts, groups, banks=shape.banks, weight_banks=shape.weight_banks)
            points.append({"tile_m": tile_m, "tile_k": tile_k, **_figures(density), "cycles": cycles})
    return points
