"""Chooses how each layer's tiles are cut and fetched, by the rows of calibration images.

A K tile has at most ``tile_k`` bits. With more bits a row has fewer K tiles, so that its partial sum is updated less
often. With fewer bits more rows contain each other, so that fewer residual bits are left to add. Which of the two a
layer needs depends on its spikes: layers with few spikes are cheaper with wide K tiles, those with many with narrow
ones.

The weights of a K tile are fetched when its rows are known, and then only those rows of them that are used, or before
that and whole. The former saves what is not used, and the latter time at the start and short requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..hw.arch.config import HardwareConfig
from ..model.inference.runner import run
from ..model.network.layer import Layer
from ..model.network.network import Network
from ..model.prosparsity.bound import bound
from ..model.prosparsity.modes import Mode, slots
from ..model.prosparsity.tiles import count_packed
from ..model.prosparsity.tiling import LayerTiles, network_tiles
from .lower import Pitch, block_channels, layer_planes
from .rows.inputs import Input
from .rows.positions import positions_of_tile
from .rows.segments import segments

CALIBRATION = 8
"""Images that are looked at; with less, a layer of few rows is cut by chance."""

LEAST, STEP = 8, 4
"""The fewest bits of a row in a K tile that are tried, and the step from there to ``tile_k``."""

WHOLE_TILES = 2
"""K tiles of a RUN whose weights are fetched before its rows are known, so that its start does not wait."""

ALL_WHOLE = (1 << 16) - 1
"""All K tiles of a RUN are fetched whole; the field of the RUN counts no further, and a longer RUN ends sparse."""

WHOLE_SHARE = 0.9
"""If the rows of calibration images use a larger part of a layer's weight rows than this, all are fetched whole."""


@dataclass(frozen=True, kw_only=True)
class TileChoice:
    """How the tiles of a layer are cut and fetched.

    Members
    -------
    depth : bits of a row in a K tile, and weight rows
    whole : K tiles of a RUN, from its first one on, whose weights are all fetched; of later ones only those are that
        some row of the tile uses
    positions : output positions of an m tile, or 0 for as many as it holds (:mod:`reprise.compiler.rows.positions`)
    """

    depth: int
    whole: int = WHOLE_TILES
    positions: int = 0

    @property
    def of_work(self) -> dict[str, int]:
        """The fields of :class:`reprise.compiler.work.Work` that say so."""
        return {"tile_depth": self.depth, "whole_tiles": self.whole, "tile_positions": self.positions}


def used_rows(tiles: LayerTiles) -> np.ndarray:
    """Return int64[m_tiles, k_tiles], how many weight rows the rows of each tile use."""
    return np.bitwise_count(np.bitwise_or.reduceat(tiles.packed, tiles.starts[:-1], axis=0)).astype(np.int64)


def candidates(config: HardwareConfig) -> list[int]:
    """Return the numbers of bits that are tried, the largest first, so that of equal costs the larger is taken."""
    return sorted({config.tile_k, *range(LEAST, config.tile_k, STEP)}, reverse=True)


def cost(tiles: LayerTiles, layer: Layer, config: HardwareConfig, mode: Mode = "product") -> int:
    """Return about how many cycles a layer takes for its rows, cut into these tiles, in a mode.

    They are those of the processor, of the weights' fetches or of im2col, whichever take longest. What is the same for
    all tile depths, such as the neurons, is left out.
    """
    tiles = replace(tiles, packed=slots(tiles.packed, mode, tiles.tile_k))
    one_bit, prefixes = config.one_bit_matches, mode == "product"
    counts = count_packed(tiles.packed, tiles.starts, one_bit_matches=one_bit, prefixes=prefixes)
    k_tiles = counts.rows.shape[1]
    blocks = -(-layer.channels // config.lanes)
    beats = -(-block_channels(layer.channels, config.lanes) * 8 // config.bus_bits)
    rows = k_tiles * tiles.tile_k if k_tiles <= config.weight_tiles else int(used_rows(tiles).sum())
    weights = rows * beats * blocks
    words = int(-(-counts.rows // config.load_rows).sum()) * blocks
    return max(bound(counts, blocks, banks=config.banks, weight_banks=config.weight_banks), weights, words)


def choose_tiles(
    network: Network,
    config: HardwareConfig,
    inputs: Mapping[str, tuple[Input, ...]],
    batch: int,
    modes: Mapping[str, Mode],
) -> dict[str, TileChoice]:
    """Choose how the K tiles of every layer are cut and fetched.

    Parameters
    ----------
    network : of whose calibration images the first CALIBRATION are looked at
    config : HardwareConfig
    inputs : the sources of every layer as hardware reads them, by the layer's name
    batch : images that are run together; those of one m tile use more weight rows than a single one
    modes : what each layer leaves out, by the layer's name

    Returns
    -------
    dict
        The choice by the layer's name; its depth is a multiple of 4 in 8..tile_k with which the segment table holds
        the layer, or tile_k. It is empty if there is no image to choose by.
    """
    options = candidates(config)
    images = network.calibration
    if images is None or not len(images):
        return {}
    features = run(network, images[:CALIBRATION], record=("features",)).features

    def tiles_of(name: str, depth: int, share: bool, rows: int = config.tile_m) -> LayerTiles:
        return network_tiles(network, name, features, tile_m=rows, tile_k=depth, share_images=share)

    def choices(name: str) -> Iterator[tuple[int, int]]:
        for depth in options:
            pitches = (Pitch(line=0, block=0),) * len(inputs[name])
            if depth < config.tile_k and sum(map(len, segments(inputs[name], pitches, depth))) > config.segments:
                continue
            yield cost(tiles_of(name, depth, True), network.layer(name), config, modes[name]), -depth

    found = {}
    for layer in network.layers:
        rows = network.timesteps * layer_planes(network, layer)
        if not layer.convolutions or rows > config.tile_m:  # the latter is refused later, by the layer's name
            continue
        depth = -min(choices(layer.name))[1]
        share = float(used_rows(tiles_of(layer.name, depth, batch > 1)).mean()) / depth
        whole = ALL_WHOLE if share > WHOLE_SHARE else WHOLE_TILES
        rows_of = partial(tiles_of, layer.name, depth, batch > 1)
        channels = block_channels(layer.channels, config.lanes)
        positions = positions_of_tile(rows_of, layer, config, modes[layer.name], channels)
        found[layer.name] = TileChoice(depth=depth, whole=whole, positions=positions)
    return found
