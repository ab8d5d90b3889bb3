"""Makes random networks whose levels pile up by joins that a configuration can run; a seed gives one network.

A SEW join adds what a branch fires to what the branch reads, or to what another layer makes of that. Most of them are
computed behind neurons. Others are not, because their step, their potentials, their planes, or another reader of the
branch are in the way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.network.layer import Encoding, Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron, Reset
from .maker import MOST_PLANES, Maker, fitting

CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17)
"""Channels of a map: fewer than a group, whole groups, whole blocks, and others."""

SIDE = 6
"""Largest height and width of a map."""

MOST_STEP = 5
"""The largest weight of a join, which is its step as well."""


class _Maker(Maker):
    """Makes one network, whose weights are at most ``span``."""

    def __init__(self, seed: int, config: HardwareConfig, span: int) -> None:
        r = np.random.default_rng([seed, 29])
        self.channels = int(r.choice(CHANNELS))
        super().__init__(r, config, span, SIDE, 4)

    def conv(self, name: str, feature: str) -> str:
        """Append a convolution with neurons that keeps the size of a map, and return its name."""
        kernel, encoding = int(self.r.choice([1, 3])), self.encoding(feature)
        shape = (self.channels, self.shape[0] if feature == "input" else self.channels, kernel, kernel)
        weight = self.r.integers(-self.span, self.span + 1, shape) * (self.r.random(shape) < 0.7)
        source = Source(feature=feature, weight=weight.astype(np.int8), padding=kernel // 2)
        neuron = self.neuron(self.channels, most_levels=3)
        return self._add(Layer(name=name, sources=(source,), neuron=neuron, encoding=encoding))

    def current(self, name: str, feature: str) -> str:
        """Append currents and neurons on them, and return the name of the latter."""
        made = self.conv(f"{name}.x", feature)
        bits = self.config.membrane_bits > 16
        currents = replace(self.layers[-1], neuron=Neuron.sum(self.channels, bits=16 if bits else 8))
        self.layers[-1] = currents
        fires = self.neuron(self.channels, most_levels=3)
        return self._add(Layer(name=name, sources=(), neuron=fires, addend=made))

    def _add(self, layer: Layer) -> str:
        self.layers.append(layer)
        self.levels[layer.name] = layer.levels
        return layer.name

    def join(self, name: str, first: str, second: str) -> str:
        """Append a join and return its name."""
        r, sum_ = self.r, self.levels[first] + self.levels[second]
        few: Encoding = "thermometer" if sum_ <= MOST_PLANES and r.random() < 0.2 else "bitplane"
        step = r.integers(1, min(self.span, MOST_STEP) + 1, self.channels)
        clips = int(r.integers(1, sum_ + 1)) if r.random() < 0.4 else sum_
        reset: Reset = ("soft", "hard", "none")[int(r.choice(3, p=[0.6, 0.3, 0.1]))]
        leaks = r.random() < 0.3
        neuron = Neuron(
            kind="lif" if leaks else "if",
            levels=min(clips, self.config.max_levels),
            reset=reset,
            threshold=step,
            bias=r.integers(0, step) * int(r.random() < 0.2),
            v0=r.integers(0, step),
            leak=np.full(self.channels, int(r.choice([0, 128]) if leaks else 256)),
        )
        weight = np.diag(step).astype(np.int8)[:, :, None, None]
        sources = tuple(Source(feature=feature, weight=weight) for feature in (first, second))
        return self._add(Layer(name=name, sources=sources, neuron=neuron, encoding=few))

    def make(self) -> Network:
        """Make the network."""
        r, seen = self.r, [self.conv("x", "input")]
        for n in range(int(r.integers(1, 4))):
            stored = self.config.addend_groups and r.random() < 0.3
            branch = self.current(f"b{n}", seen[-1]) if stored else self.conv(f"b{n}", seen[-1])
            kept = self.conv(f"s{n}", seen[-1]) if r.random() < 0.2 else seen[-1]
            names = [branch, kept] if r.random() < 0.5 else [kept, branch]
            seen.append(self.join(f"j{n}", *names))
            if r.random() < 0.2:
                seen.append(branch)
        if r.random() < 0.5:
            self.conv("end", seen[-1])
        return self.network("joins")


def random_joins(seed: int, config: HardwareConfig) -> Network:
    """Make a network with joins of levels, whose sums fit ``config``."""
    return fitting(seed, config, lambda *of: _Maker(*of).make())
