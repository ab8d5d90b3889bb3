"""Computes the sums of a static image once, and lets neurons fire on them at every timestep.

An image that is shown at every timestep gives its first layer the same sums each time, and pixels have many planes. So
the layer becomes two, where the hardware adds stored maps: a sum of one timestep, and neurons on the stored map, which
is read again at every timestep (:attr:`reprise.model.network.layer.Layer.addend`). The integers are the same.
"""

from __future__ import annotations

from dataclasses import replace

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Layer
from ...model.network.network import Network
from ...model.network.neuron import Neuron
from ..lower import block_channels, layer_planes
from .split import partial_bits

WORTH = 0.75
"""A layer goes in two steps if its neurons take at most this share of the cycles; another RUN costs some, too."""


FEEDBACK = 3
"""Cycles beside one for each bit of a level until a potential has come round (reprise.hw.interface.row_order)."""


def _once(network: Network, layer: Layer, config: HardwareConfig) -> bool:
    """Return whether a layer reads nothing but a static image, and its neurons take much less time in two steps.

    They take a group of channels a cycle: for each plane and timestep, or for each plane once and then for each
    timestep. There, a position is done before the next one begins, so that a timestep takes until the potential has
    come round, or until its addends are read.
    """
    static = network.input_mode == "repeat" and set(layer.rows) == {"input"}
    if not static or layer.pool or layer.addend or layer.product or layer.neuron.kind == "sum":
        return False
    planes, timesteps = layer_planes(network, layer), network.timesteps
    groups = -(-block_channels(layer.channels, config.lanes) // config.neuron_lanes)
    words = -(-config.neuron_lanes * partial_bits(network, layer) // config.bus_bits) * groups
    fires = timesteps * max(groups, words, FEEDBACK + config.level_bits)
    return planes * groups + fires < WORTH * planes * timesteps * groups


def sums_once(network: Network, config: HardwareConfig) -> tuple[Network, dict[str, str]]:
    """Return the network with such layers in two steps, and for each first step the layer that it is of."""
    layers: list[Layer] = []
    parts: dict[str, str] = {}
    taken = {layer.name for layer in network.layers}
    for layer in network.layers:
        if not config.addend_groups or not _once(network, layer, config):
            layers.append(layer)
            continue
        name = f"{layer.name}.once"
        while name in taken:
            name += "_"
        taken.add(name)
        parts[name] = layer.name
        neuron = Neuron.sum(layer.channels, bits=partial_bits(network, layer))
        layers += [replace(layer, name=name, neuron=neuron, join=None), replace(layer, sources=(), addend=name)]
    return replace(network, layers=tuple(layers)), parts
