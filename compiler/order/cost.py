"""About how many cycles the K tiles of a layer take one after the other, with what is fetched for them ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Layer
from ...model.prosparsity.bound import output_groups, tile_bound
from ...model.prosparsity.modes import Mode, slots
from ...model.prosparsity.tiles import count_packed
from ...model.prosparsity.tiling import LayerTiles
from ...support.kernels import kernel
from ..depths import used_rows
from ..lower import block_channels


@kernel()
def finished(rows: np.ndarray, weights: np.ndarray, work: np.ndarray, ahead: int) -> int:
    """Return when the last of some K tiles is computed.

    The rows of a K tile are loaded, then its weights are fetched, and then it is computed; of each kind of work one is
    done at a time. What is fetched or loaded for the tile that is ``ahead`` tiles further waits until a tile is done.

    Parameters
    ----------
    rows, weights, work : int64[tiles], the cycles of each in the order in which they are computed
    ahead : K tiles that there is room for
    """
    done = np.zeros(len(work), np.int64)
    loaded = fetched = last = 0
    for n in range(len(work)):
        free = done[n - ahead] if n >= ahead else 0
        loaded = max(loaded, free) + rows[n]
        fetched = max(fetched, loaded) + weights[n]
        last = max(last, fetched) + work[n]
        done[n] = last
    return last


def cycles(tiles: LayerTiles, layer: Layer, c: HardwareConfig, mode: Mode) -> int:
    """Return about how many cycles a layer takes for its rows, cut into these tiles, in a mode.

    Neurons, and the start and the end, are left out: they are the same for all orders of the channels.
    """
    tiles = replace(tiles, packed=slots(tiles.packed, mode, tiles.tile_k))
    one_bit, prefixes = c.one_bit_matches, mode == "product"
    counts = count_packed(tiles.packed, tiles.starts, one_bit_matches=one_bit, prefixes=prefixes)
    work = np.maximum(tile_bound(counts, banks=c.banks, weight_banks=c.weight_banks), 1)
    weights = used_rows(tiles) * -(-block_channels(layer.channels, c.lanes) * 8 // c.bus_bits)
    rows = -(-counts.rows // c.load_rows)
    last = finished(rows.reshape(-1), weights.reshape(-1), work.reshape(-1), c.weight_tiles)
    return int(last) * output_groups(layer.channels, c.lanes)
