"""Cycles of the published Prosperity simulator's tile model (HPCA 2025, arXiv 2503.03379).

A tile's compute is its residual bits plus its exact matches; its preprocessing is its rows of two or more bits plus
its rows / 8, rounded down. A layer takes the larger of the two sums over its tiles. Tile by tile, the larger of the
two is taken in each tile instead.

A layer's rows are in the simulator's own orders: output positions row by row without regard for a pool behind them, the
bits of a row in "ckk", and a tile every ``tile_m`` rows, through a position if need be. A capture of the same spikes
then gives the same figure, and so does the published simulator.
"""

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.network import Network
from ...model.prosparsity.bound import output_groups
from ...model.prosparsity.products import network_jobs
from ...model.prosparsity.tiles import Counts, count_packed, tile_starts
from .accelerator import Accelerator
from .workload import ROWS, WORD, Workload

TILE_K = WORD
"""Bits of a row in a tile of the published accelerator."""

LANES = 128
"""Output channels that the published accelerator computes side by side."""

LOAD_ROWS = 8
"""Rows that the published detector takes in per cycle."""


def published_model_tile_cycles(counts: Counts[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Cycles of (compute, preprocessing) of every tile, int64[MT, KT] each."""
    return counts.residual_bits + counts.exact, counts.multi_bit + counts.rows // LOAD_ROWS


def published_model_cycles(counts: Counts[np.ndarray], groups: int = 1, *, tilewise: bool = False) -> int:
    """Cycles of a layer in the published simulator, without its memory and neuron models.

    Parameters
    ----------
    counts : Counts
        Of int64[MT, KT], one value per tile.
    groups : int
        How often the tiles are processed, once per group of output channels.
    tilewise : bool
        Take the larger of compute and preprocessing in every tile, not over the whole layer.
    """
    compute, preprocess = published_model_tile_cycles(counts)
    if tilewise:
        return int(np.maximum(compute, preprocess).sum()) * groups
    return max(int(compute.sum()), int(preprocess.sum())) * groups


def published_model_of_network(
    network: Network, features: dict[str, np.ndarray], config: HardwareConfig
) -> dict[str, int]:
    """Cycles of every layer of a network in the published simulator, the images of a batch one after the other.

    Of a product of two maps, every head and timestep is a matrix product of its own.

    Parameters
    ----------
    network : Network
    features : of the model's run, the input among them (``Result.features``)
    config : gives the sizes of the tiles, and how many output channels are computed side by side. A row has at most
        ``TILE_K`` bits in a tile, as the published accelerator's, whatever the configuration's rows may have

    Returns
    -------
    dict
        Cycles by the layer's name.
    """
    found = {}
    tile_k = min(config.tile_k, TILE_K)
    for layer in network.layers:
        jobs = network_jobs(network, layer.name, features, tile_m=config.tile_m, tile_k=tile_k, published=True)
        counts = (count_packed(job.tiles.packed, job.tiles.starts) for job in jobs)
        groups = output_groups(layer.columns, config.lanes)
        found[layer.name] = sum(published_model_cycles(one, groups) for one in counts)
    return found


def counted(layer: Workload) -> Counts[np.ndarray]:
    """Count what the published accelerator's tiles of a layer hold."""
    return count_packed(layer.packed, tile_starts(len(layer.packed), ROWS))


def matrix_cycles(layer: Workload) -> int:
    """Return :func:`published_model_cycles` with the published sizes: tiles of 256 x 16, 128 lanes."""
    return published_model_cycles(counted(layer), output_groups(layer.outputs, LANES))


def neuron_cycles(layer: Workload) -> int:
    """Return 0: the published simulator hides neurons behind the matrix product, but for a latency left out here."""
    return 0


PROSPERITY = Accelerator(
    name="Prosperity",
    what="128 adders, product sparsity in tiles of 256 x 16, without its memory (HPCA 2025)",
    matrix=matrix_cycles,
    neurons=neuron_cycles,
    chip_milliwatt=446.5,
    dram_ratio=1.0,
)
