"""Makes random networks with membrane shortcuts that a configuration can run; a seed gives one network.

A stream of currents begins as a sum. Each block has neurons on it, a convolution of their spikes, and a sum that adds
the stream to that. The end reads spikes, adds the stream, or does both.
"""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import SUM_BITS, Neuron, SumBits
from .maker import Maker, fitting

CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17)
"""Channels of a stream: fewer than a group, whole groups, whole blocks, and others."""

SIDE = 5
"""Largest height and width of a map."""


class _Maker(Maker):
    """Makes one network, whose weights are at most ``span``."""

    def __init__(self, seed: int, config: HardwareConfig, span: int) -> None:
        r = np.random.default_rng([seed, 23])
        self.channels = int(r.choice(CHANNELS))
        super().__init__(r, config, span, SIDE, 5)

    def sum(self) -> Neuron:
        """Make a sum, which clips at times."""
        bits: SumBits = SUM_BITS[self.r.integers(len(SUM_BITS))]
        return Neuron.sum(self.channels, bits=bits, bias=self.r.integers(-9, 10, self.channels))

    def conv(self, feature: str) -> Source:
        """Make a convolution that keeps the size of a map of the stream, or that of the input."""
        kernel = int(self.r.choice([1, 3]))
        shape = (self.channels, self.shape[0] if feature == "input" else self.channels, kernel, kernel)
        weight = self.r.integers(-self.span, self.span + 1, shape) * (self.r.random(shape) < 0.7)
        return Source(feature=feature, weight=weight.astype(np.int8), padding=kernel // 2)

    def add(self, name: str, sources: tuple[str, ...], neuron: Neuron, addend: str | None) -> str:
        """Append a layer and return its name."""
        encoding = self.encoding(*sources)
        made = tuple(self.conv(feature) for feature in sources)
        shift = int(self.r.integers(0, 4)) if addend and sources else 0
        self.layers.append(Layer(name=name, sources=made, neuron=neuron, encoding=encoding, addend=addend, shift=shift))
        self.levels[name] = neuron.levels
        return name

    def make(self) -> Network:
        """Make the network."""
        stream, spikes = self.add("x", ("input",), self.sum(), None), "input"
        for n in range(int(self.r.integers(1, 4))):
            spikes = self.add(f"s{n}", (), self.neuron(self.channels), stream)
            join = (spikes, "input") if self.r.random() < 0.2 else (spikes,)
            stream = self.add(f"y{n}", join, self.sum(), stream if self.r.random() < 0.9 else None)
        readout = Neuron.readout(self.channels, bias=self.r.integers(-50, 50, self.channels))
        reads = () if self.r.random() < 0.5 else (spikes,)
        self.add("end", reads, readout if self.r.random() < 0.5 else self.neuron(self.channels), stream)
        return self.network("shortcuts")


def random_shortcuts(seed: int, config: HardwareConfig) -> Network:
    """Make a network with membrane shortcuts, whose sums fit ``config``."""
    return fitting(seed, config, lambda *of: _Maker(*of).make())
