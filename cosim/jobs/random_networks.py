"""Makes random integer networks that a configuration can run, for the soak and for tests; a seed gives one network.

A *wide* network reaches further than others: up to 8 timesteps and 15 levels, layers of 1 and of 257 channels, maps of
one line, and weights as of grouped convolutions. Its layers are as small as they must be for a short simulation.
"""

from __future__ import annotations

import math
from typing import TypedDict, TypeVar

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...model.inference.widths import WidthError, Widths, check
from ...model.network.layer import Encoding, Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import Neuron, NeuronKind
from ...model.network.pool import MaxPool
from ...model.prosparsity.modes import MODES, Mode

T = TypeVar("T")

MANY = 257
"""Channels of some layers and inputs of wide networks: one more than a power of two, and a prime number."""

TIMESTEPS, WIDE_TIMESTEPS = 4, 8
"""Largest number of timesteps of networks, and of wide ones."""

MOST_WORK = 4000
"""Rows of all tiles of a layer and an image, which take a few cycles each; a layer of a wide network has no more unless
it is the smallest that could be made."""

ROOM = ((7, 1 << 30), (7, 1 << 30), (5, 24), (3, 16), (3, 8), (1, 4), (1, 1))
"""The largest kernel and the most outputs of a layer of a wide network, try after try, until its work fits."""


class _Maker:
    """Makes one network, layer by layer, out of one stream of random numbers."""

    def __init__(
        self, seed: int, config: HardwareConfig, most_size: int, most_channels: int, wide: bool, multiple: int
    ) -> None:
        self.r = np.random.default_rng([seed, 5])
        self.config, self.most_size, self.most_channels, self.wide = config, most_size, most_channels, wide
        self.multiple = multiple
        self.features: dict[str, tuple[tuple[int, int, int], int]] = {}  # name -> shape, levels
        self.kernel, self.outputs = ROOM[0]
        self.many = self.seldom(0.25)  # some of its layers have MANY channels
        if self.many:
            self.most_size = min(most_size, 5)

    def seldom(self, probability: float) -> bool:
        """Return True with some probability in a wide network, and else False without taking a random number."""
        return self.wide and bool(self.r.random() < probability)

    def pick(self, *options: T) -> T:
        """Choose one of several options."""
        return options[self.r.integers(len(options))]

    def head(self) -> dict:
        """Choose the input and T, such that a tile can hold the rows of a position."""
        r = self.r
        size = int(r.integers(3, self.most_size + 1))
        shape = (int(r.integers(1, 5)), size, int(r.integers(3, self.most_size + 1)))
        if self.seldom(0.15):
            shape = self.pick((shape[0], 1, shape[2]), (shape[0], size, 1), (shape[0], 2, shape[2]))
        if self.many and self.seldom(0.4):
            shape = (MANY, *shape[1:])
        kind = self.pick("pixel", "signed", "binary", "levels")
        levels = {"pixel": 255, "signed": 255, "binary": 1}.get(kind, int(r.integers(2, 8)))
        self.signed = kind == "signed"
        most = min(self.config.max_timesteps, self.config.tile_m // levels.bit_length())
        self.timesteps = int(r.integers(1, min(most, WIDE_TIMESTEPS if self.wide else TIMESTEPS) + 1))
        self.features["input"] = (shape, levels)
        mode = self.pick("repeat", "once", "given")
        return {
            "input_shape": shape,
            "input_levels": levels,
            "input_signed": self.signed,
            "timesteps": self.timesteps,
            "input_mode": mode,
        }

    def encoding(self, names: list[str]) -> Encoding:
        """Choose an encoding whose planes the configuration allows for these features."""
        levels = max(self.features[n][1] for n in names)
        fits = levels <= self.config.max_planes and levels * self.timesteps <= self.config.tile_m
        if fits and not (self.signed and "input" in names):
            return self.pick("bitplane", "thermometer")
        return "bitplane"

    def weight(self, shape: tuple[int, ...]) -> np.ndarray:
        """Make weights of at most ``span``, of which about a third is zero."""
        w = self.r.integers(-self.span, self.span + 1, shape)
        w = w * (self.r.random(shape) < 0.7)
        groups = math.gcd(*shape[:2])
        if groups > 1 and self.seldom(0.3):
            groups = self.pick(*(n for n in range(2, groups + 1) if groups % n == 0))
            mine = [np.arange(channels) * groups // channels for channels in shape[:2]]
            w = w * (mine[0][:, None] == mine[1])[:, :, None, None]
        return w.astype(np.int8)

    def source(self, name: str, outputs: int, *, wanted: tuple[int, int] | None = None) -> Source | None:
        """Make a convolution, or return None if no choice gave the output size that is wanted."""
        (channels, height, width), r = self.features[name][0], self.r
        for _ in range(40):
            kh, kw = int(r.integers(1, self.kernel + 1)), int(r.integers(1, self.kernel + 1))
            stride = int(r.integers(1, 3))
            padding = int(r.integers(0, min(kh, kw, 4)))
            size = ((height + 2 * padding - kh) // stride + 1, (width + 2 * padding - kw) // stride + 1)
            if height + 2 * padding < kh or width + 2 * padding < kw or min(size) < 1:
                continue
            if wanted is None or size == wanted:
                return Source(
                    feature=name, weight=self.weight((outputs, channels, kh, kw)), stride=stride, padding=padding
                )
        return None

    def neuron(self, outputs: int, depth: int, levels_in: int) -> Neuron:
        """Make neurons that fire at some sums and not at others."""
        r = self.r
        levels = int(self.pick(1, 1, 2, 3, 4, 5, min(7, self.config.max_levels)))
        if self.seldom(0.6):
            levels = int(r.integers(1, self.config.max_levels + 1))
        while levels.bit_length() * self.timesteps > self.config.tile_m:
            levels = 1
        scale = max(1, int(self.span * np.sqrt(depth) * levels_in * 0.3))
        kind: NeuronKind = self.pick("if", "lif")
        leak = r.integers(0, 257, outputs) if kind == "lif" else np.full(outputs, 256)
        return Neuron(
            kind=kind,
            levels=levels,
            reset=self.pick("soft", "soft", "hard", "none"),
            threshold=r.integers(1, max(2, scale // levels), outputs) + 1,
            bias=r.integers(-scale // 4 - 1, scale // 4 + 2, outputs),
            v0=r.integers(-scale // 2 - 1, scale // 2 + 2, outputs),
            leak=leak,
        )

    def channels(self, inputs: int) -> int:
        """Choose the number of outputs of a layer; in wide networks it may be 1, MANY, or that of its inputs."""
        outputs = int(self.r.integers(1, self.most_channels + 1))
        if self.many and self.seldom(0.4):
            outputs = MANY
        elif self.seldom(0.15):
            outputs = 1
        elif self.seldom(0.2):
            outputs = inputs
        return -(-min(outputs, self.outputs) // self.multiple) * self.multiple

    def work(self, layer: Layer, size: tuple[int, int]) -> int:
        """Return how many rows the tiles of a layer have, for one image."""
        most = max(self.features[source.feature][1] for source in layer.sources)
        planes = most if layer.encoding == "thermometer" else most.bit_length()
        tiles = sum(-(-source.depth // self.config.tile_k) for source in layer.convolutions)
        return size[0] * size[1] * self.timesteps * planes * tiles * -(-layer.channels // self.config.lanes)

    def layer(self, number: int, last: bool) -> Layer:
        """Make a layer, in a wide network one whose work fits if there is any."""
        for room in ROOM if self.wide else ROOM[:1]:
            self.kernel, self.outputs = room
            made, size = self.attempt(number, last)
            if self.work(made, size) <= MOST_WORK:
                break
        if made.neuron.levels:
            height, width = (made.pool.outputs(n) if made.pool else n for n in size)
            self.features[made.name] = ((made.channels, height, width), made.neuron.levels)
        return made

    def attempt(self, number: int, last: bool) -> tuple[Layer, tuple[int, int]]:
        """Make a layer that reads features that are there, and return the size of its output before the pool.

        The last one is often linear and a readout.
        """
        r, name = self.r, f"layer{number}"
        feature = list(self.features)[-1] if r.random() < 0.8 else self.pick(*self.features)
        (channels, height, width), _ = self.features[feature]
        outputs = self.channels(channels)
        flat = (last and r.random() < 0.7) or r.random() < 0.15
        first = None if flat else self.source(feature, outputs)
        if first is None:
            weight = self.weight((outputs, channels * height * width, 1, 1))
            first = Source(feature=feature, weight=weight, flatten=True)
        size = first.output_size(height, width)
        sources = [first]
        others = [n for n in self.features if not (self.signed and (n == "input") != (feature == "input"))]
        if r.random() < 0.4:
            other = self.pick(*others)
            second = self.source(other, outputs, wanted=size)
            if second is not None:
                sources.append(second)
        names = [s.feature for s in sources]
        if last and r.random() < 0.7:
            neuron = Neuron.readout(outputs, bias=r.integers(-50, 50, outputs), v0=r.integers(-50, 50, outputs))
        else:
            neuron = self.neuron(outputs, sum(s.depth for s in sources), max(self.features[n][1] for n in names))
        k = int(r.integers(2, 5))
        pool = MaxPool(kernel=k) if neuron.levels and min(size) >= k and r.random() < 0.5 else None
        if self.config.pool_words and neuron.levels and pool is None and r.random() < 0.5:
            pool = MaxPool(kernel=3, stride=2, padding=1)
        made = Layer(name=name, sources=tuple(sources), neuron=neuron, encoding=self.encoding(names), pool=pool)
        return made, size

    def make(self, span: int, layers: int) -> Network:
        """Make the network, with weights of at most ``span``."""
        self.span = span
        head = self.head()
        made = tuple(self.layer(n, n == layers - 1) for n in range(layers))
        return Network(name="random", layers=made, **head)


def random_network(
    seed: int,
    config: HardwareConfig | None = None,
    *,
    layers: int | None = None,
    size: int = 11,
    channels: int = 20,
    wide: bool = False,
    multiple: int = 1,
) -> Network:
    """Make a network of convolutions, linear layers, joins, pools and maybe a readout, whose sums fit ``config``.

    Parameters
    ----------
    seed : int
    config : HardwareConfig, by default ``tiny``
    layers : number of layers, by default 1..4 at random
    size : largest height or width of the input
    channels : largest number of channels of a layer that is drawn at random
    wide : reach further, and keep each layer small (see the module)
    multiple : the number of channels of a layer is rounded up to a multiple of this one
    """
    config = config or HardwareConfig.load("tiny")
    layers = layers or int(np.random.default_rng([seed, 1]).integers(1, 5))
    widths = Widths.of(config)
    for span in (127, 63, 31, 15, 7, 3, 1):
        span = min(span, (1 << (config.weight_bits - 1)) - 1)
        network = _Maker(seed, config, size, channels, wide, multiple).make(span, layers)
        try:
            check(network, widths, config.tile_k)
        except WidthError:
            continue
        return network
    raise AssertionError(f"seed {seed}: no network fits the widths")


def random_images(seed: int, network: Network, images: int) -> np.ndarray:
    """Make random levels (images, C, H, W), or (images, T, C, H, W) in mode "given", of which some or many are zero."""
    r = np.random.default_rng([seed, 9])
    frames = (network.timesteps,) if network.input_mode == "given" else ()
    shape = (images, *frames, *network.input_shape)
    low, high = (-128, 127) if network.input_signed else (0, network.input_levels)
    values = r.integers(low, high + 1, shape)
    return (values * (r.random(shape) < r.choice([0.2, 0.6, 1.0]))).astype(np.int64)


class RandomTiles(TypedDict):
    """Keywords of :func:`reprise.compiler.compile_network`, each with a value for some layers."""

    tile_depths: dict[str, int]
    whole_tiles: dict[str, int]
    mode: dict[str, Mode]


def random_tiles(seed: int, network: Network, config: HardwareConfig) -> RandomTiles:
    """Choose how K tiles are cut and fetched, as keywords of :func:`reprise.compiler.compile_network`.

    For about half of the layers this is how many bits of a row their K tiles have, any number that is legal unless the
    layer is a product, and for about half how many are fetched whole. Where RUNs have modes, each layer has one.
    """
    r = np.random.default_rng([seed, 8])
    convolutions = [layer for layer in network.layers if not layer.product]
    depths = {layer.name: int(r.integers(1, config.tile_k + 1)) for layer in convolutions if r.random() < 0.5}
    wholes = {layer.name: int(r.choice([0, 1, 3, 7, 65535])) for layer in network.layers if r.random() < 0.5}
    modes = {layer.name: MODES[int(r.integers(len(MODES)))] for layer in network.layers if config.modes}
    return RandomTiles(tile_depths=depths, whole_tiles=wholes, mode=modes)
