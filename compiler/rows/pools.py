"""Computes a max pool whose windows overlap as a layer of its own, where the hardware pools only side by side.

The largest of some spikes is 1 if their sum is at least 1, so neurons that forget their potential pool spikes exactly.
Levels above 1 have no such layer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.arch.config_rules import LIMITS
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron
from ...model.network.pool import MaxPool
from ..errors import CompileError


def _pool(layer: Layer, pool: MaxPool, name: str) -> Layer:
    """Return the layer that pools the spikes of the layer called ``name``."""
    channels = layer.channels
    weight = np.zeros((channels, channels, pool.kernel, pool.kernel), np.int8)
    weight[range(channels), range(channels)] = 1
    source = Source(feature=name, weight=weight, stride=pool.stride, padding=pool.padding)
    forgets = Neuron.uniform(channels, kind="lif", levels=1, threshold=1, leak=0)
    return Layer(name=layer.name, sources=(source,), neuron=forgets)


def pools_apart(network: Network, config: HardwareConfig) -> tuple[Network, dict[str, str]]:
    """Return the network with such pools as layers, and for each layer that lost its pool the one that pools it.

    Raises
    ------
    CompileError
        A layer fires more than one level; the message names it.
    """
    layers: list[Layer] = []
    parts: dict[str, str] = {}
    taken = {layer.name for layer in network.layers}
    for layer in network.layers:
        pool = layer.pool
        if config.pool_words or pool is None or not pool.overlaps:
            layers.append(layer)
            continue
        if layer.neuron.levels > 1:
            raise CompileError(
                f"layer {layer.name!r}: its max pool, whose windows overlap, needs pool_words of at least "
                f"{LIMITS['pool_words'].low}, not 0, because its neurons fire {layer.neuron.levels} levels: use a "
                "configuration that has them, or pool windows that lie side by side"
            )
        name = f"{layer.name}.whole"
        while name in taken:
            name += "_"
        taken.add(name)
        parts[name] = layer.name
        layers += [replace(layer, name=name, pool=None), _pool(layer, pool, name)]
    return replace(network, layers=tuple(layers)), parts
