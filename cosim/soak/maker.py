"""What makers of random networks share: small maps, few planes, neurons that fire at some sums, and sums that fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.inference.widths import WidthError, Widths, check
from ...model.network.layer import Encoding, Layer
from ...model.network.network import Network
from ...model.network.neuron import Neuron

MOST_PLANES = 4
"""The most planes of a map of which rows are made, in either encoding."""


class Maker:
    """Makes one network out of one stream of random numbers, with weights of at most ``span``.

    Parameters
    ----------
    r : the stream
    config, span : of the network
    side, timesteps : largest height and width of a map, and the most timesteps
    """

    def __init__(self, r: np.random.Generator, config: HardwareConfig, span: int, side: int, timesteps: int) -> None:
        self.r = r
        self.config, self.span = config, span
        self.layers: list[Layer] = []
        self.levels = {"input": int(self.r.choice([1, 3, 15]))}
        self.shape = (int(self.r.integers(1, 4)), int(self.r.integers(1, side + 1)), int(self.r.integers(1, side + 1)))
        most = min(timesteps, config.max_timesteps, config.tile_m // MOST_PLANES)
        self.timesteps = int(self.r.integers(1, most + 1))

    def neuron(self, channels: int, *, most_levels: int = 4) -> Neuron:
        """Make neurons that fire at some sums and not at others."""
        r, scale = self.r, 1 + self.span * 3
        kind = str(r.choice(["if", "lif"]))
        return Neuron(
            kind="lif" if kind == "lif" else "if",
            levels=int(r.integers(1, min(most_levels, self.config.max_levels) + 1)),
            reset=("soft", "hard", "none")[r.integers(3)],
            threshold=r.integers(1, scale, channels) + 1,
            bias=r.integers(-scale // 4 - 1, scale // 4 + 2, channels),
            v0=r.integers(-scale // 2 - 1, scale // 2 + 2, channels),
            leak=r.integers(0, 257, channels) if kind == "lif" else np.full(channels, 256),
        )

    def encoding(self, *features: str) -> Encoding:
        """Choose an encoding with few planes for a layer that reads these features."""
        few = max((self.levels[feature] for feature in features), default=1) <= MOST_PLANES
        return "thermometer" if few and self.r.random() < 0.5 else "bitplane"

    def network(self, name: str) -> Network:
        """Return the network of the layers so far."""
        return Network(
            name=name,
            input_shape=self.shape,
            input_levels=self.levels["input"],
            timesteps=self.timesteps,
            input_mode=("repeat", "once", "given")[self.r.integers(3)],
            layers=tuple(self.layers),
        )


def fitting(seed: int, config: HardwareConfig, make: Callable[[int, HardwareConfig, int], Network]) -> Network:
    """Return the network of a seed with the largest weights whose sums fit ``config``; ``make`` takes their span."""
    for span in (127, 31, 7, 1):
        network = make(seed, config, min(span, (1 << (config.weight_bits - 1)) - 1))
        try:
            check(network, Widths.of(config), config.tile_k)
        except WidthError:
            continue
        return network
    raise AssertionError(f"seed {seed}: no network fits the widths")
