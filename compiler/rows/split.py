"""Splits a layer along K whose input or segments do not fit on chip, or which is cheaper so (see
:mod:`reprise.compiler.rows.worth`), where the hardware adds stored maps.

Each part reads some blocks of channels, and in a linear layer some rows, of one source, and adds the sums of the part
before it (:attr:`reprise.model.network.layer.Layer.addend`). The parts in front of the last one are sums of 32 bits, or
of 16 if no input can need more, and the last one has the layer's neuron. So the integers are the same, and each part is
a layer like others, whose weights are zero where other parts read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.feature_map import FeatureMap
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron, SumBits


def _words(source: Source, f: FeatureMap, mask: FeatureMap | None, blocks: int, rows: int, c: HardwareConfig) -> int:
    """Return the on-chip words of some blocks of a map, with as many rows as one output line reads of them.

    Of a mask as large as the map, the same blocks and rows are read, and else all of it.
    """

    def words(read: FeatureMap, blocks: int) -> int:
        lines = min(read.height, rows if source.flatten else source.weight.shape[2])
        line = read.line_bytes // read.bus_bytes * (c.bus_bits // c.feature_bits)
        return blocks * lines * read.lines_per_row * line

    return words(f, blocks) + (words(mask, blocks if _alike(mask, f) else mask.blocks) if mask else 0)


def _alike(mask: FeatureMap, f: FeatureMap) -> bool:
    """Return whether a mask has the positions and the blocks of the map that it masks."""
    return (mask.height, mask.width, mask.block_channels) == (f.height, f.width, f.block_channels)


def masked_apart(mask: FeatureMap, f: FeatureMap) -> bool:
    """Return whether some blocks of a map can be read without the others of its mask."""
    return _alike(mask, f) or (mask.height, mask.width) == (1, 1)


def _segments(source: Source, f: FeatureMap, mask: FeatureMap | None, blocks: int, rows: int, c: HardwareConfig) -> int:
    """Return how many segments such a part has at most: those of a piece of a line that lies badly in the K tiles.

    A mask has its own behind each of them, and more where it has other blocks or one position.
    """
    height, width = (min(f.height, rows), f.width) if source.flatten else source.weight.shape[2:]
    bits = width * f.block_channels
    own = blocks * height * (bits // c.tile_k + 2 * (bits % c.tile_k > 0))
    apart = 0 if mask is None else blocks * height * width * (1 + f.block_channels // mask.block_channels)
    return own if mask is None else 2 * own + (0 if _alike(mask, f) else apart)


def _cuts(source: Source, f: FeatureMap, mask: FeatureMap | None, config: HardwareConfig) -> tuple[int, int] | None:
    """Return how many blocks and how many rows of a map the parts of a source read, or None if no cut fits."""
    found = []
    for groups in range(1, f.blocks + 1):
        for stripes in range(1, (f.height if source.flatten else 1) + 1):
            blocks, rows = -(-f.blocks // groups), -(-f.height // stripes)
            words, entries = (count(source, f, mask, blocks, rows, config) for count in (_words, _segments))
            if words <= config.feature_words and entries <= config.segments:
                found.append((groups * stripes, blocks, rows))
    return min(found)[1:] if found else None


def partial_bits(network: Network, layer: Layer) -> SumBits:
    """Return 16 if no sum of any part of a layer needs more, whatever its input is, and else 32."""
    low, high = np.zeros(layer.channels, np.int64), np.zeros(layer.channels, np.int64)
    for source in layer.convolutions:
        weight = source.weight.reshape(layer.channels, -1).astype(np.int64)
        most, least = network.feature_levels(source.feature), 0
        if network.feature_signed(source.feature):
            most, least = 127, -128
        high += np.maximum(weight * most, weight * least).sum(axis=1)
        low += np.minimum(weight * most, weight * least).sum(axis=1)
    fits = layer.addend is None and -(1 << 15) <= low.min() and high.max() < 1 << 15
    return 16 if fits else 32


def _parts(
    source: Source, f: FeatureMap, mask: FeatureMap | None, wanted: int, config: HardwareConfig
) -> Iterator[Source]:
    """Yield a source for each part, with zeros in place of the weights that other parts have.

    A part reads so many blocks as are wanted, or if that is 0 as many as fit.
    """
    blocks, rows = (wanted, f.height) if wanted else _cuts(source, f, mask, config) or (f.blocks, f.height)
    size, outputs = blocks * f.block_channels, len(source.weight)
    weight = source.weight
    if source.flatten:
        weight = weight.reshape(outputs, f.height, f.width, f.channels).transpose(0, 3, 1, 2)
    for first in range(0, f.channels, size):
        for top in range(0, f.height, rows) if source.flatten else [0]:
            kept = np.zeros_like(weight)
            place = slice(None), slice(first, first + size), slice(top, top + rows) if source.flatten else slice(None)
            kept[place] = weight[place]
            if source.flatten:
                kept = kept.transpose(0, 2, 3, 1)
            yield replace(source, weight=kept.reshape(source.weight.shape))


def split(
    network: Network, large: Mapping[str, int], maps: Mapping[tuple[str, str], FeatureMap], config: HardwareConfig
) -> tuple[Network, dict[str, str]]:
    """Return the network with the layers that are too ``large`` split, and the layer that each part is of.

    Parameters
    ----------
    large : names of layers, and how many blocks of channels a part of each reads, or 0 for as many as fit
    maps : the feature map that each source of these layers reads, or its mask, by layer and feature
    """
    layers: list[Layer] = []
    parts: dict[str, str] = {}
    taken = {layer.name for layer in network.layers}
    for layer in network.layers:
        masks = {s.feature: maps[layer.name, s.mask] for s in layer.convolutions if s.mask}
        whole = any(not masked_apart(mask, maps[layer.name, feature]) for feature, mask in masks.items())
        if layer.name not in large or layer.product or layer.pool or whole:
            layers.append(layer)
            continue
        sources = [
            part
            for s in layer.convolutions
            for part in _parts(s, maps[layer.name, s.feature], masks.get(s.feature), large[layer.name], config)
        ]
        addend, bits = layer.addend, partial_bits(network, layer)
        for n, source in enumerate(sources[:-1]):
            name = f"{layer.name}.k{n}"
            while name in taken:
                name += "_"
            taken.add(name)
            neuron = Neuron.sum(layer.channels, bits=bits)
            layers.append(replace(layer, name=name, sources=(source,), neuron=neuron, addend=addend, join=None))
            parts[name], addend = layer.name, name
        layers.append(replace(layer, sources=(sources[-1],), addend=addend))
    return replace(network, layers=tuple(layers)), parts
