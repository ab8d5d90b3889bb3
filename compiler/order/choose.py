"""Chooses in which order the channels of each feature map lie in memory, by the spikes of calibration images.

Whoever writes a map computes its channels in that order, and whoever reads it has its weights in that order, so that no
hardware is needed and all integers are the same. A map keeps its own order where something else than weights meets its
channels: results, integer maps, masks, products, joins and addends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.inference.runner import run
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.prosparsity.modes import Mode
from ...model.prosparsity.tiling import network_tiles
from ..lower import layer_planes
from .cluster import alternating, co_active
from .cost import cycles

CALIBRATION = 2
"""Images that are looked at, of which the upper half of each map makes the orders, and the whole chooses one."""

LEAST = 24
"""Channels of a map of which an order is tried; fewer lie in one K tile or two for each position of a kernel."""

SAMPLES = 1 << 14
"""Spikes of a channel that are looked at, at most, to make an order."""

WORTH = 0.96
"""An order is chosen if the layers that read the map take at most this share of their cycles; others are kept."""


def _own_weights(network: Network, layer: Layer, config: HardwareConfig) -> bool:
    """Return whether weights are everywhere, so that no order takes K tiles away that a block need not read.

    Weights that are zero for all channels of a K tile, as of grouped convolutions, are left out by the compiler.
    """
    for source in layer.convolutions:
        w = source.weight
        size, block = config.tile_k // 2, config.lanes
        edges = np.arange(0, w.shape[1], size), np.arange(0, w.shape[0], block)
        some = np.logical_or.reduceat(np.logical_or.reduceat(w != 0, edges[0], axis=1), edges[1], axis=0)
        if not some.all():
            return False
    return True


def free_maps(network: Network, config: HardwareConfig, named: Collection[str]) -> Iterator[str]:
    """Return the maps, in the order in which they are written, whose channels may lie in any order.

    Those that only linear layers read are left out: their weights take longer than their rows, in any order. So are
    those of layers that are refused later, because an m tile is too small for a position.

    Parameters
    ----------
    named : layers that are no layers of the user's network, or that others stand for; their maps stay as they are
    """
    readers: dict[str, list[Layer]] = {}
    for layer in network.layers:
        for name in layer.reads:
            readers.setdefault(name, []).append(layer)
    for name in ("input", *(layer.name for layer in network.layers)):
        read = readers.get(name, [])
        writer = next((layer for layer in network.layers if layer.name == name), None)
        moving = any(np.prod(network.geometry[layer.name].computed) > 1 for layer in read)
        bound = writer and (writer.addend or writer.join or writer.product or not writer.neuron.fires or name in named)
        if bound or not moving or network.feature_shape(name)[0] < LEAST:
            continue
        weighed = (
            layer.name not in named and network.timesteps * layer_planes(network, layer) <= config.tile_m
            and _own_weights(network, layer, config)
            and layer.reads.count(name) == sum(s.feature == name and s.mask is None for s in layer.convolutions)
            for layer in read
        )  # fmt: skip
        if all(weighed):
            yield name


def _columns(source: Source, order: np.ndarray) -> Source:
    """Return a source that reads a map whose channels lie in an order."""
    w = source.weight
    if source.flatten:  # its columns are (y, x, c)
        return replace(source, weight=w.reshape(len(w), -1, len(order))[..., order].reshape(w.shape))
    return replace(source, weight=w[:, order])


def reordered(network: Network, name: str, order: np.ndarray) -> Network:
    """Return the network in which channel n of a map is the channel ``order[n]`` that it was.

    Everything that reads the map reads the same; its writer and the calibration images have the channels in this order.
    """

    def made(layer: Layer) -> Layer:
        sources = tuple(_columns(s, order) if s.feature == name else s for s in layer.convolutions)
        if layer.product or layer.name != name:
            return layer if layer.product else replace(layer, sources=sources)
        fields = {f: getattr(layer.neuron, f)[order] for f in ("bias", "threshold", "v0", "leak")}
        rows = tuple(replace(s, weight=s.weight[order]) for s in sources)
        return replace(layer, sources=rows, neuron=replace(layer.neuron, **fields))

    images = network.calibration
    if name == "input" and images is not None:
        images = images[..., order, :, :]
    return replace(network, layers=tuple(map(made, network.layers)), calibration=images)


def candidates(feature: np.ndarray, tile_k: int) -> Iterator[np.ndarray]:
    """Return orders of a map's channels that may be worth it, made from the upper half of the map.

    Parameters
    ----------
    feature : levels (n, T, C, H, W)
    tile_k : the most bits of a K tile
    """
    upper = feature[..., : -(-feature.shape[3] // 2), :].astype(np.int16) & 0xFF
    planes = max(1, int(upper.max()).bit_length())
    bits = (upper[..., None] >> np.arange(planes)) & 1
    bits = bits.transpose(0, 1, 3, 4, 5, 2).reshape(-1, feature.shape[2])
    bits = bits[bits.any(axis=1)]
    bits = bits[:: -(-len(bits) // SAMPLES) or 1]
    yield np.concatenate(co_active(bits, tile_k))
    yield np.concatenate(alternating(co_active(bits, tile_k // 2)))


def in_order(
    network: Network, config: HardwareConfig, modes: Mapping[str, Mode], named: Collection[str]
) -> tuple[Network, dict[str, tuple[int, ...]]]:
    """Return the network with the channels of its maps in the order that was chosen, and the orders by the maps' names.

    Parameters
    ----------
    network : of whose calibration images the first CALIBRATION are looked at; without any, all stays as it is
    config : HardwareConfig
    modes : what each layer leaves out, by the layer's name
    named : layers whose maps stay as they are, see :func:`free_maps`
    """
    found: dict[str, tuple[int, ...]] = {}
    images = network.calibration
    maps = [] if images is None or not len(images) else list(free_maps(network, config, named))
    if not maps or images is None:
        return network, found
    depths = sorted({config.tile_k, config.tile_k * 3 // 4, config.tile_k // 2})
    features = run(network, images[:CALIBRATION], record=("features",)).features

    def cost(network: Network, features: Mapping[str, np.ndarray], name: str) -> int:
        def of(layer: Layer, depth: int) -> int:
            tiles = network_tiles(network, layer.name, dict(features), tile_m=config.tile_m, tile_k=depth)
            return cycles(tiles, layer, config, modes[layer.name])

        return sum(min(of(layer, depth) for depth in depths) for layer in network.layers if name in layer.reads)

    for name in maps:
        least, chosen = WORTH * cost(network, features, name), None
        for order in candidates(features[name], config.tile_k):
            other, moved = reordered(network, name, order), features | {name: features[name][:, :, order]}
            taken = cost(other, moved, name)
            if taken < least:
                least, chosen = taken, (order, other, moved)
        if chosen:
            order, network, features = chosen
            found[name] = tuple(order.tolist())
    return network, found
