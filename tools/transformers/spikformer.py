"""Spikformer (Zhou et al. 2023, arXiv 2209.15425) for CIFAR-10 as an integer network with random weights.

The shape is that of the published network: four convolutions, of which two have a 3x3 max pool of stride 2 behind them,
a convolution for the position, and blocks of attention and MLP whose branches are added as spikes (SEW), so that levels
pile up. Neurons are LIF of tau 2 with a hard reset; the mean over the tokens is left to the host, which adds up the
potentials of the readout at all tokens. The threshold of each layer is chosen such that about the wanted share of its
neurons fires for a random image, so that cycles are near those of a trained network, if its spikes are as random.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from reprise.model.inference.runner import Result, run
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

TIMESTEPS = 4
DENSITY = 0.149
"""The share of spikes that the published simulator's workbook has for Spikformer on CIFAR-10."""

ATTENTION_STEP = 8
"""The threshold of attention in integers: 0.5, less the factors of 1/8 of the scores and of 1/2 of a LIF neuron."""


@dataclass
class Builder:
    """Appends layers, and settles the threshold of each by a random image.

    Members
    -------
    size : height and width of the image
    seed : of weights and image
    layers : what there is so far
    """

    size: int
    seed: int
    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._r = np.random.default_rng(self.seed)
        self.image = self._r.integers(0, 256, (1, 3, self.size, self.size))

    def network(self, name: str) -> Network:
        """Return the network of all layers so far."""
        return Network(
            name=name,
            input_shape=(3, self.size, self.size),
            input_levels=255,
            timesteps=TIMESTEPS,
            layers=tuple(self.layers),
        )

    def _seen(self) -> Result:
        return run(self.network("part"), self.image, record=("psums",))

    def _add(self, name: str, source: Source | Product, neuron: Neuron, *more: Source) -> str:
        self.layers.append(Layer(name=name, sources=(source, *more), neuron=neuron))
        return name

    def _settle(self) -> None:
        """Choose the threshold of the last layer."""
        layer = self.layers[-1]
        sums = self._seen().psums[layer.name]
        # A LIF neuron gathers about half as much again as a timestep gives it, so that it fires more often than that.
        threshold = max(1, int(np.quantile(sums, 1 - 0.7 * DENSITY)))
        neuron = replace(layer.neuron, threshold=np.full(layer.channels, threshold))
        self.layers[-1] = replace(layer, neuron=neuron)

    def convolution(self, name: str, feature: str, inputs: int, outputs: int, kernel: int = 1) -> str:
        """Append a convolution with LIF neurons."""
        weight = self._r.integers(-15, 16, (outputs, inputs, kernel, kernel)).astype(np.int8)
        self._add(name, Source(feature=feature, weight=weight, padding=kernel // 2), lif(outputs, 1))
        self._settle()
        return name

    def pool(self, name: str, feature: str, channels: int) -> str:
        """Append a max pool of 3x3 and stride 2 of spikes: neurons that fire where any of nine has a spike."""
        neuron = replace(lif(channels, 1), leak=np.zeros(channels, np.int64))
        weight = np.broadcast_to(np.eye(channels, dtype=np.int8)[:, :, None, None], (channels, channels, 3, 3))
        return self._add(name, Source(feature=feature, weight=weight, stride=2, padding=1), neuron)

    def join(self, name: str, first: str, second: str, channels: int, levels: int) -> str:
        """Append the sum of two maps, whose levels are at most ``levels``."""
        eye = np.eye(channels, dtype=np.int8)[:, :, None, None]
        neuron = Neuron.uniform(channels, levels=levels, threshold=1)
        return self._add(name, Source(feature=first, weight=eye), neuron, Source(feature=second, weight=eye))

    def attention(self, name: str, feature: str, dim: int, heads: int) -> str:
        """Append q, k, v, both products and the projection."""
        q, k, v = (self.convolution(f"{name}_{one}", feature, dim, dim) for one in "qkv")
        g = Product(feature=k, operand=v, over="tokens", heads=heads)
        g_name = self._add(f"{name}_g", g, Neuron.sum(dim // heads, bits=8))
        a = Product(feature=q, operand=g_name, over="channels", heads=heads)
        return self.convolution(f"{name}_proj", self._add(f"{name}_products", a, lif(dim, ATTENTION_STEP)), dim, dim)

    def readout(self, name: str, feature: str, channels: int, classes: int) -> str:
        """Append the last layer, at every token."""
        weight = self._r.integers(-15, 16, (classes, channels, 1, 1)).astype(np.int8)
        return self._add(name, Source(feature=feature, weight=weight), Neuron.readout(classes))


def lif(channels: int, threshold: int) -> Neuron:
    """Make LIF neurons of tau 2 with a hard reset."""
    same = Neuron.uniform(channels, kind="lif", reset="hard", threshold=threshold, leak=128)
    return same


def spikformer(
    depth: int, dim: int, *, heads: int = 12, size: int = 32, classes: int = 10, seed: int = 0
) -> tuple[Network, np.ndarray]:
    """Make a Spikformer with random weights, and the random image by which its thresholds were chosen.

    Parameters
    ----------
    depth, dim, heads : blocks, channels of a token, and heads
    size : height and width of the image, a multiple of 4
    classes, seed : int
    """
    b = Builder(size=size, seed=seed)
    x = b.convolution("sps1", "input", 3, dim // 8, 3)
    x = b.convolution("sps2", x, dim // 8, dim // 4, 3)
    x = b.pool("pool3", b.convolution("sps3", x, dim // 4, dim // 2, 3), dim // 2)
    x = b.pool("pool4", b.convolution("sps4", x, dim // 2, dim, 3), dim)
    levels = 2
    x = b.join("rpe_join", x, b.convolution("rpe", x, dim, dim, 3), dim, levels)
    for number in range(1, depth + 1):
        block = f"block{number}"
        x = b.join(f"{block}_join1", x, b.attention(block, x, dim, heads), dim, levels + 1)
        hidden = b.convolution(f"{block}_fc1", x, dim, 4 * dim)
        levels += 2
        x = b.join(f"{block}_join2", x, b.convolution(f"{block}_fc2", hidden, 4 * dim, dim), dim, levels)
    b.readout("head", x, dim, classes)
    return b.network(f"spikformer-{depth}-{dim}"), b.image


OPERATORS = {
    "SPS convolutions": ("sps",),
    "max pools 3x3": ("pool",),
    "position": ("rpe",),
    "q, k, v": ("_q", "_k", "_v"),
    "attention products": ("_g", "_products"),
    "projection": ("_proj",),
    "MLP": ("_fc1", "_fc2"),
    "joins": ("_join",),
    "head": ("head",),
}
"""What layers are called, by operator: the beginning of a name, or what follows the block."""


def operator(layer: str) -> str:
    """Return the operator of a layer by its name."""
    for name, parts in OPERATORS.items():
        for part in parts:
            if "join" in layer:
                if part == "_join":
                    return name
            elif layer.startswith(part) or (part.startswith("_") and layer.endswith(part)):
                return name
    raise KeyError(layer)
