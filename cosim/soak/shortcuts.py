"""Makes random networks with membrane shortcuts that a configuration can run; a seed gives one network.

A stream of currents begins as a sum. Each block has neurons on it, a convolution of their spikes, and a sum that adds
the stream to that. The end reads spikes, adds the stream, or does both.
"""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.inference.widths import WidthError, Widths, check
from ...model.network.layer import Encoding, Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import SUM_BITS, Neuron, SumBits

CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17)
"""Channels of a stream: fewer than a group, whole groups, whole blocks, and others."""

SIDE = 5
"""Largest height and width of a map."""

MOST_PLANES = 4
"""The most planes of a map of which rows are made, in either encoding."""


class _Maker:
    """Makes one network out of one stream of random numbers, with weights of at most ``span``."""

    def __init__(self, seed: int, config: HardwareConfig, span: int) -> None:
        self.r = np.random.default_rng([seed, 23])
        self.config, self.span = config, span
        self.channels = int(self.r.choice(CHANNELS))
        self.layers: list[Layer] = []
        self.levels = {"input": int(self.r.choice([1, 3, 15]))}
        self.shape = (int(self.r.integers(1, 4)), int(self.r.integers(1, SIDE + 1)), int(self.r.integers(1, SIDE + 1)))
        self.timesteps = int(self.r.integers(1, min(5, config.max_timesteps, config.tile_m // MOST_PLANES) + 1))

    def neuron(self) -> Neuron:
        """Make neurons that fire at some sums and not at others."""
        r, scale, channels = self.r, 1 + self.span * 3, self.channels
        kind = str(r.choice(["if", "lif"]))
        return Neuron(
            kind="lif" if kind == "lif" else "if",
            levels=int(r.integers(1, min(4, self.config.max_levels) + 1)),
            reset=("soft", "hard", "none")[r.integers(3)],
            threshold=r.integers(1, scale, channels) + 1,
            bias=r.integers(-scale // 4 - 1, scale // 4 + 2, channels),
            v0=r.integers(-scale // 2 - 1, scale // 2 + 2, channels),
            leak=r.integers(0, 257, channels) if kind == "lif" else np.full(channels, 256),
        )

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
        most = max((self.levels[feature] for feature in sources), default=1)
        thermometer = most <= MOST_PLANES and self.r.random() < 0.5
        encoding: Encoding = "thermometer" if thermometer else "bitplane"
        made = tuple(self.conv(feature) for feature in sources)
        shift = int(self.r.integers(0, 4)) if addend and sources else 0
        self.layers.append(Layer(name=name, sources=made, neuron=neuron, encoding=encoding, addend=addend, shift=shift))
        self.levels[name] = neuron.levels
        return name

    def make(self) -> Network:
        """Make the network."""
        stream, spikes = self.add("x", ("input",), self.sum(), None), "input"
        for n in range(int(self.r.integers(1, 4))):
            spikes = self.add(f"s{n}", (), self.neuron(), stream)
            join = (spikes, "input") if self.r.random() < 0.2 else (spikes,)
            stream = self.add(f"y{n}", join, self.sum(), stream if self.r.random() < 0.9 else None)
        readout = Neuron.readout(self.channels, bias=self.r.integers(-50, 50, self.channels))
        reads = () if self.r.random() < 0.5 else (spikes,)
        self.add("end", reads, readout if self.r.random() < 0.5 else self.neuron(), stream)
        return Network(
            name="shortcuts",
            input_shape=self.shape,
            input_levels=self.levels["input"],
            timesteps=self.timesteps,
            input_mode=("repeat", "once", "given")[self.r.integers(3)],
            layers=tuple(self.layers),
        )


def random_shortcuts(seed: int, config: HardwareConfig) -> Network:
    """Make a network with membrane shortcuts, whose sums fit ``config``."""
    for span in (127, 31, 7, 1):
        network = _Maker(seed, config, min(span, (1 << (config.weight_bits - 1)) - 1)).make()
        try:
            check(network, Widths.of(config), config.tile_k)
        except WidthError:
            continue
        return network
    raise AssertionError(f"seed {seed}: no network fits the widths")
