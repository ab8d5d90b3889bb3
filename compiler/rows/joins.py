"""Computes a join of two maps of levels behind the neurons of the layer that writes one of them, where that is built.

A SEW join reads two maps by the same weight, which is the step of its neurons, so that its level is the sum of both
levels, or the largest level if that is less. A RUN for that has as many rows as both maps have planes. Behind the
neurons of the layer that writes the second map, the levels of the first one only have to be fetched and added
(:attr:`reprise.model.network.layer.Layer.join`), and the second map is not written at all. So nothing else may read it.
The integers are the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.join import Join
from ...model.network.layer import Layer
from ...model.network.network import Network
from ..lower import ADDENDS, INTEGERS, new_feature, variants


def _adds(network: Network, layer: Layer) -> bool:
    """Return whether the level of a layer is always the sum of the levels of its two sources, or its largest level.

    Both have the weight of the threshold D, so that what is divided by D is the sum of levels and what is left of the
    bias and of the timesteps before. That must stay in 0..D-1. What exceeds the largest level is left, too, unless it
    is forgotten.
    """
    n, sources = layer.neuron, layer.convolutions
    if len(sources) != 2 or any(s.mask or s.flatten or s.stride > 1 for s in sources):
        return False
    if layer.pool or layer.addend or layer.join or not n.fires or sources[0].feature == sources[1].feature:
        return False
    if any(not np.array_equal(s.weight, np.diag(n.threshold)[:, :, None, None]) for s in sources):
        return False
    first = n.bias + ((n.v0 * n.leak) >> 8)
    if not (0 <= first.min() and (first < n.threshold).all()):
        return False
    if network.timesteps == 1:
        return True
    if not n.leak.any():
        return bool(0 <= n.bias.min() and (n.bias < n.threshold).all())
    stays = not n.bias.any() and bool(0 <= n.v0.min() and (n.v0 < n.threshold).all())
    never = sum(network.feature_levels(s.feature) for s in sources) <= n.levels
    return stays and (n.reset == "hard" or (n.reset == "soft" and never))


def _can_fire_it(layer: Layer) -> bool:
    """Return whether levels can be added behind the neurons of a layer."""
    return not (layer.product or layer.pool or layer.join)


def joins_behind(network: Network, config: HardwareConfig) -> tuple[Network, dict[str, str]]:
    """Return the network with such joins behind neurons, and for each join the layer of which it has the neurons.

    A join has the name that it had, and the layer is gone.
    """
    if not config.joins:
        return network, {}
    layers = {layer.name: layer for layer in network.layers}
    readers = Counter(name for layer in network.layers for name in layer.reads)
    wanted, joined = variants(network), dict[str, str]()

    def blocks(name: str) -> int:
        return new_feature(network, name, "bitplane", 1, 1, config).block_channels

    for join in network.layers:
        if set(wanted[join.name]) & {INTEGERS, ADDENDS} or len(wanted[join.name]) > 1 or not _adds(network, join):
            continue
        one, other = join.rows
        planes = join.encoding == "bitplane" or max(map(network.feature_levels, join.rows)) == 1
        if "input" in join.rows or not planes or not blocks(one) == blocks(other) == blocks(join.name):
            continue
        for fired, kept in ((other, one), (one, other)):
            if readers[fired] == 1 and _can_fire_it(layers[fired]):
                layers[join.name] = replace(
                    layers.pop(fired), name=join.name, join=Join(feature=kept, levels=join.neuron.levels)
                )
                joined[join.name] = fired
                break
    made = (layers[layer.name] for layer in network.layers if layer.name in layers)
    return replace(network, layers=tuple(made)), joined
