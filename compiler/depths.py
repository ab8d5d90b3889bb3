"""Chooses how many bits of a row each layer's K tiles have, by the rows of calibration images.

A K tile has at most ``tile_k`` bits. With more bits a row has fewer K tiles, so that its partial sum is updated less
often. With fewer bits more rows contain each other, so that fewer residual bits are left to add. Which of the two a
layer needs depends on its spikes: layers with few spikes are cheaper with wide K tiles, those with many with narrow
ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..hw.arch.config import HardwareConfig
from ..model.inference.runner import run
from ..model.network.layer import Layer
from ..model.network.network import Network
from ..model.prosparsity.bound import bound
from ..model.prosparsity.tiles import count_packed
from ..model.prosparsity.tiling import LayerTiles, network_tiles
from .lower import Input, Pitch, block_channels, segments

CALIBRATION = 8
"""Images that are looked at; with less, a layer of few rows is cut by chance."""

LEAST, STEP = 8, 4
"""The fewest bits of a row in a K tile that are tried, and the step from there to ``tile_k``."""


def candidates(config: HardwareConfig) -> list[int]:
    """Return the numbers of bits that are tried, the largest first, so that of equal costs the larger is taken."""
    return sorted({config.tile_k, *range(LEAST, config.tile_k, STEP)}, reverse=True)


def cost(tiles: LayerTiles, layer: Layer, config: HardwareConfig) -> int:
    """Return about how many cycles a layer takes for its rows, cut into these tiles.

    They are those of the processor, of the weights' fetches or of im2col, whichever take longest. What is the same for
    all tile depths, such as the neurons, is left out.
    """
    counts = count_packed(tiles.packed, tiles.starts)
    m_tiles, k_tiles = counts.rows.shape
    blocks = -(-layer.channels // config.lanes)
    beats = -(-block_channels(layer.channels, config.lanes) * 8 // config.bus_bits)
    fetches = 1 if k_tiles <= config.weight_tiles else m_tiles
    weights = fetches * k_tiles * tiles.tile_k * beats * blocks
    words = int(-(-counts.rows // config.load_rows).sum()) * blocks
    return max(bound(counts, blocks, banks=config.banks), weights, words)


def choose_tile_depths(
    network: Network, config: HardwareConfig, inputs: Mapping[str, tuple[Input, ...]]
) -> dict[str, int]:
    """Choose the bits of a row in the K tiles of every layer.

    Parameters
    ----------
    network : of whose calibration images the first CALIBRATION are looked at
    config : HardwareConfig
    inputs : the sources of every layer as hardware reads them, by the layer's name

    Returns
    -------
    dict
        A multiple of 4 in 8..tile_k with which the segment table holds the layer, or tile_k, by the layer's name. It
        is empty if there is nothing to choose, or no image to choose by.
    """
    options = candidates(config)
    images = network.calibration
    if len(options) == 1 or images is None or not len(images):
        return {}
    features = run(network, images[:CALIBRATION], record=("features",)).features

    def choices(name: str) -> Iterator[tuple[int, int]]:
        for depth in options:
            pitches = (Pitch(line=0, block=0),) * len(inputs[name])
            if depth < config.tile_k and len(segments(inputs[name], pitches, depth)) > config.segments:
                continue
            tiles = network_tiles(network, name, features, tile_m=config.tile_m, tile_k=depth, share_images=True)
            yield cost(tiles, network.layer(name), config), -depth

    return {layer.name: -min(choices(layer.name))[1] for layer in network.layers}
