"""Builds integer networks with random weights whose neurons fire about as often as wanted.

The threshold of each layer is chosen such that about the wanted share of its neurons fires for a random image, so that
cycles are near those of a trained network, if its spikes are as random.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from reprise.model.inference.runner import Result, run
from reprise.model.network.layer import Layer, Product, Shape, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import MAX_LEVELS, Neuron
from reprise.model.network.pool import MaxPool

TIMESTEPS = 4


@dataclass
class Builder:
    """Appends layers, and settles the threshold of each by a random image.

    Members
    -------
    input_shape, input_levels : of the image
    density : the share of neurons that fire
    seed : of weights and image
    timesteps, levels : T, and the largest level of neurons; with one timestep they do not leak
    clip : the largest level of a join
    leak : of LIF neurons in 1/256; tau 2 has 128
    share : the share of a random image that is not 0
    layers : what there is so far
    """

    input_shape: Shape
    density: float
    seed: int
    input_levels: int = 255
    timesteps: int = TIMESTEPS
    levels: int = 1
    clip: int = MAX_LEVELS
    leak: int = 128
    share: float = 1.0
    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._r = np.random.default_rng(self.seed)
        self.image = self._r.integers(0, self.input_levels + 1, (1, *self.input_shape))
        if self.share < 1:
            self.image = (self._r.random(self.image.shape) < self.share).astype(np.int64) * self.input_levels

    def network(self, name: str) -> Network:
        """Return the network of all layers so far."""
        return Network(
            name=name,
            input_shape=self.input_shape,
            input_levels=self.input_levels,
            timesteps=self.timesteps,
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
        threshold = max(1, int(np.quantile(sums, 1 - 0.7 * self.density)))
        neuron = replace(layer.neuron, threshold=np.full(layer.channels, threshold))
        self.layers[-1] = replace(layer, neuron=neuron)

    def source(self, feature: str, inputs: int, outputs: int, kernel: int = 1, mask: str | None = None) -> Source:
        """Make a convolution with random weights."""
        weight = self._r.integers(-15, 16, (outputs, inputs, kernel, kernel)).astype(np.int8)
        return Source(feature=feature, weight=weight, padding=kernel // 2, mask=mask)

    def convolution(
        self,
        name: str,
        feature: str,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        levels: int = 0,
        pool: bool = False,
    ) -> str:
        """Append a convolution with neurons, and perhaps a max pool of 3x3 windows with stride 2."""
        neuron = self.neuron(outputs, 1, levels or self.levels)
        self._add(name, self.source(feature, inputs, outputs, kernel), neuron)
        if pool:
            self.layers[-1] = replace(self.layers[-1], pool=MaxPool(kernel=3, stride=2, padding=1))
        self._settle()
        return name

    def currents(
        self, name: str, source: Source, *, more: Source | None = None, addend: str = "", shift: int = 0
    ) -> str:
        """Append the currents of a source, and of another one or what an earlier layer has left, as an int16 map."""
        sources = (source,) if more is None else (source, more)
        neuron = Neuron.sum(source.weight.shape[0], bits=16)
        self.layers.append(Layer(name=name, sources=sources, neuron=neuron, addend=addend or None, shift=shift))
        return name

    def fired(self, name: str, currents: str, channels: int) -> str:
        """Append neurons on a map of currents."""
        self.layers.append(Layer(name=name, sources=(), neuron=self.neuron(channels, 1), addend=currents))
        self._settle()
        return name

    def tokens(self, name: str, feature: str, mask: str, channels: int, size: int) -> str:
        """Append neurons that fire if both maps have a spike at one of all tokens, or had enough of them before."""
        eye = np.eye(channels, dtype=np.int8)[:, :, None, None]
        weight = np.broadcast_to(eye, (channels, channels, size, size))
        return self._add(name, Source(feature=feature, weight=weight, mask=mask), self.neuron(channels, 1))

    def join(self, name: str, first: str, second: str, channels: int, levels: int) -> str:
        """Append the sum of two maps, whose levels are at most ``levels``, or ``clip`` if that is less."""
        eye = np.eye(channels, dtype=np.int8)[:, :, None, None]
        neuron = Neuron.uniform(channels, levels=min(levels, self.clip), threshold=1)
        return self._add(name, Source(feature=first, weight=eye), neuron, Source(feature=second, weight=eye))

    def attention(self, name: str, feature: str, dim: int, heads: int, step: int) -> str:
        """Append q, k, v, both products and the projection; ``step`` is the threshold of the second product.

        K has one level, so that what takes the place of weights stays small.
        """
        levels = {"q": self.levels, "k": 1, "v": self.levels}
        q, k, v = (self.convolution(f"{name}_{one}", feature, dim, dim, levels=n) for one, n in levels.items())
        g = Product(feature=k, operand=v, over="tokens", heads=heads)
        g_name = self._add(f"{name}_g", g, Neuron.sum(dim // heads, bits=8))
        a = Product(feature=q, operand=g_name, over="channels", heads=heads)
        return self.convolution(f"{name}_proj", self._add(f"{name}_products", a, self.neuron(dim, step)), dim, dim)

    def readout(self, name: str, feature: str, channels: int, classes: int) -> str:
        """Append the last layer, at every token."""
        weight = self._r.integers(-15, 16, (classes, channels, 1, 1)).astype(np.int8)
        return self._add(name, Source(feature=feature, weight=weight), Neuron.readout(classes))

    def neuron(self, channels: int, threshold: int, levels: int = 0) -> Neuron:
        """Make LIF neurons with a hard reset, or for one timestep ones that only count levels."""
        levels = levels or self.levels
        if self.timesteps == 1:
            return Neuron.uniform(channels, threshold=threshold, levels=levels)
        return Neuron.uniform(channels, kind="lif", reset="hard", threshold=threshold, levels=levels, leak=self.leak)
