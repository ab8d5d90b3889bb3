"""The operation-count account of spiking networks: energy as counts of operations and memory accesses times constants.

After Lemaire et al. 2022, "An Analytical Estimation of Spiking Neural Networks Energy Efficiency". Papers of this
field state such energies, the multi-level one (arXiv 2510.24637) among them; its own constants are not known here. A
layer has S input spikes in all timesteps, where a level is one event that carries its value, F synapses of a spike
(outputs x kernel, without regard for borders), n neurons and T timesteps. It takes

- S input reads, S F + n T reads of weights and biases, S F + n T reads and as many writes of potentials, and a write
  of each output spike;
- S F accumulations, with a multiplication if there are levels, n T additions of biases, n T comparisons, and for
  addresses 2 additions for each input spike and one for each synapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...model.network.layer import Layer, Source
from ...model.network.network import Network

ADD_PJ, MULTIPLY_PJ = 0.1, 0.2
"""A 32-bit addition and an 8-bit multiplication in 45 nm (Horowitz, ISSCC 2014)."""

SRAM = ((8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0))
"""Picojoules of a 64-bit access in 45 nm by size in bytes (Horowitz, ISSCC 2014); between these, by the logarithm."""


def access_pj(size: float) -> float:
    """Return the energy of an access to a memory of so many bytes."""
    return float(np.interp(np.log2(max(size, 1)), [np.log2(bytes_) for bytes_, _ in SRAM], [pj for _, pj in SRAM]))


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What a layer does on some images, and what it takes.

    Members
    -------
    spikes, fan_out, neurons, timesteps : S of all images, F, n of all images, T
    outputs : spikes that the layer fires
    operations_pj, accesses_pj : float
    """

    spikes: int
    fan_out: float
    neurons: int
    timesteps: int
    outputs: int
    operations_pj: float
    accesses_pj: float

    @property
    def energy_pj(self) -> float:
        """Both together."""
        return self.operations_pj + self.accesses_pj


def of_layer(
    layer: Layer,
    inputs: list[np.ndarray],
    levels: list[int],
    outputs: int,
    neurons: int,
    weights: int = 0,
    *,
    steps: tuple[int, int],
) -> Operations:
    """Count a layer.

    Parameters
    ----------
    layer : Layer
    inputs : the feature of each source, integers (images, T, C, H, W)
    levels : N of each of these features
    outputs : spikes that it fires
    neurons : of one image
    weights : integers of the operand of one timestep, which a product has in place of weights
    steps : images and timesteps
    """
    images, timesteps = steps
    spikes = read = 0
    synapses = multiplied = 0.0
    for source, feature, count in zip(layer.sources, inputs, levels, strict=True):
        fan_out: float = layer.columns
        if isinstance(source, Source):
            fan_out *= 1 if source.flatten else int(np.prod(source.weight.shape[2:])) / source.stride**2
            weights += source.weight.size
        events = int(np.count_nonzero(feature))
        spikes += events
        synapses += events * fan_out
        multiplied += events * fan_out * (count > 1)
        read += feature[0, 0].size
    updates = images * neurons * timesteps
    potentials = 2 * (synapses + updates)
    accesses = (
        spikes * access_pj(read)
        + (synapses + updates) * access_pj(weights)
        + potentials * access_pj(4 * neurons)
        + outputs * access_pj(neurons)
    )
    additions = synapses + 2 * updates + 2 * spikes + synapses
    return Operations(
        spikes=spikes,
        fan_out=synapses / spikes if spikes else 0.0,
        neurons=images * neurons,
        timesteps=timesteps,
        outputs=outputs,
        operations_pj=additions * ADD_PJ + multiplied * MULTIPLY_PJ,
        accesses_pj=accesses,
    )


def of_network(network: Network, features: Mapping[str, np.ndarray]) -> dict[str, Operations]:
    """Count every layer of a network; ``features`` are those of the model's run, the input among them."""
    found = {}
    for layer in network.layers:
        inputs = [s.levels(features) if isinstance(s, Source) else features[s.feature] for s in layer.sources]
        levels = [network.feature_levels(source.feature) for source in layer.sources]
        height, width = network.geometry[layer.name].conv
        fired = int(np.count_nonzero(features[layer.name])) if layer.neuron.fires else 0
        operand = features[layer.product.operand][0, 0].size if layer.product else 0
        neurons, steps = layer.channels * height * width, features[layer.reads[0]].shape[:2]
        found[layer.name] = of_layer(layer, inputs, levels, fired, neurons, operand, steps=steps)
    return found
