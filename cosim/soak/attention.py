"""Makes random networks with spiking attention that a configuration can run; a seed gives one network.

An attention has q, k and v, the product ``G = K^T V`` of each head as a sum of 8 bits, and neurons on ``Q G``. One more
layer follows, and maybe a second attention in front of it. Where segments can mask each other, an attention may be
spike-driven instead: neurons on the sum over all tokens of K masked by V, and a layer that reads Q masked by these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Layer, Product, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron
from .maker import MOST_PLANES, Maker, fitting

HEADS, DEPTHS, VALUES = (1, 2, 3), (1, 3, 4, 5, 8), (1, 2, 4, 5, 8)
"""Heads of an attention, and channels of a head of q and k, and of v: multiples of the neuron lanes and others."""

MASKED = (1, 3, 5, 8, 12, 20)
"""Channels of a spike-driven attention."""

SIDE = 4
"""Largest height and width of a map: attention takes a K tile for every few positions of every head and timestep."""


class _Maker(Maker):
    """Makes one network, whose weights are at most ``span``."""

    def __init__(self, seed: int, config: HardwareConfig, span: int) -> None:
        super().__init__(np.random.default_rng([seed, 17]), config, span, SIDE, 4)
        self.channels = {"input": self.shape[0]}

    def sum(self, channels: int) -> Neuron:
        """Make a sum of 8 bits, which clips at times."""
        return Neuron.sum(channels, bits=8, bias=self.r.integers(-9, 10, channels))

    def add(self, name: str, source: Source | Product, neuron: Neuron, channels: int | None = None) -> str:
        """Append a layer and return its name."""
        layer = Layer(name=name, sources=(source,), neuron=neuron, encoding=self.encoding(source.feature))
        self.layers.append(layer)
        self.levels[name], self.channels[name] = neuron.levels, channels or neuron.channels
        return name

    def linear(self, name: str, feature: str, neuron: Neuron) -> str:
        """Append a convolution of 1x1."""
        shape = (neuron.channels, self.channels[feature], 1, 1)
        weight = self.r.integers(-self.span, self.span + 1, shape) * (self.r.random(shape) < 0.7)
        return self.add(name, Source(feature=feature, weight=weight.astype(np.int8)), neuron)

    def attention(self, number: int, feature: str) -> str:
        """Append an attention on a feature, and return the name of its last layer."""
        heads, d, dv = (int(self.r.choice(some)) for some in (HEADS, DEPTHS, VALUES))
        q = self.linear(f"q{number}", feature, self.neuron(heads * d))
        k = self.linear(f"k{number}", feature, self.neuron(heads * d))
        fires = self.r.random() < 0.6
        v = self.linear(f"v{number}", feature, self.neuron(heads * dv) if fires else self.sum(heads * dv))
        g = self.add(f"g{number}", Product(feature=k, operand=v, over="tokens", heads=heads), self.sum(dv))
        a = Product(feature=q, operand=g, over="channels", heads=heads)
        name = self.add(f"a{number}", a, self.neuron(heads * dv))
        if fires and self.r.random() < 0.3:  # the operand is read as rows too
            return self.linear(f"v{number}_read", v, self.neuron(3))
        return name

    def mask(self, name: str, feature: str, mask: str, weight: np.ndarray, neuron: Neuron, **how: Any) -> str:
        """Append a layer that reads a feature where a mask lets it."""
        source = Source(feature=feature, mask=mask, weight=weight.astype(np.int8), **how)
        plain = max(self.levels[feature], self.levels[mask]) == 1
        encoding = self.encoding(feature) if plain else "thermometer"
        self.layers.append(Layer(name=name, sources=(source,), neuron=neuron, encoding=encoding))
        self.levels[name], self.channels[name] = neuron.levels, neuron.channels
        return name

    def driven(self, number: int, feature: str) -> str:
        """Append a spike-driven attention: channels that fire at a token in both K and V let Q through."""
        channels, few = int(self.r.choice(MASKED)), int(self.r.choice([1, 1, MOST_PLANES]))
        q, k, v = (self.linear(f"{name}{number}", feature, self.neuron(channels, most_levels=few)) for name in "qkv")
        tokens = np.zeros((channels, channels, *self.shape[1:]))
        tokens[range(channels), range(channels)] = 1
        kv = self.mask(f"kv{number}", k, v, tokens, self.neuron(channels, most_levels=few))
        size = int(self.r.integers(1, 1 + min(3, *self.shape[1:])))
        outputs, stride, padding = (int(self.r.integers(*ends)) for ends in ((1, 9), (1, 3), (0, size)))
        shape: tuple[int, ...] = (outputs, channels, size, size)
        how: dict[str, Any] = {"stride": stride, "padding": padding}
        if self.r.random() < 0.2:  # a linear layer over all tokens
            how, shape = {"flatten": True}, (outputs, channels * self.shape[1] * self.shape[2], 1, 1)
        weight = self.r.integers(-self.span, self.span + 1, shape)
        mask = (kv, kv, v, q)[self.r.integers(4)]  # a level for each channel, or for each token
        return self.mask(f"masked{number}", q, mask, weight, self.neuron(outputs), **how)

    def make(self) -> Network:
        """Make the network."""
        feature = "input"
        for number in range(2 if self.r.random() < 0.3 else 1):
            if self.config.masks and self.r.random() < 0.6:
                feature = self.driven(number, feature)
                break  # it may have fewer positions
            feature = self.attention(number, feature)
        outputs = int(self.r.integers(1, 6))
        last = Neuron.readout(outputs, bias=self.r.integers(-50, 50, outputs))
        self.linear("end", feature, last if self.r.random() < 0.6 else self.neuron(outputs))
        return self.network("attention")


def random_attention(seed: int, config: HardwareConfig) -> Network:
    """Make a network with one or two attentions, whose sums fit ``config``."""
    return fitting(seed, config, lambda *of: _Maker(*of).make())
