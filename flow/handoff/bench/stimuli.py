"""Chooses the small random networks that the delivered testbench runs besides the one that it is made for.

They are drawn so that corners are frequent: all lanes of an output tile in use, full K tiles, many timesteps and
levels, maps of one line, equal rows. Of many, those are taken that use most of what the ones before do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....compiler import CompileError, compile_network
from ....cosim.jobs.random_networks import RandomTiles, random_images, random_network, random_tiles
from ....hw.arch.config import HardwareConfig
from ....hw.arch.memory_image import MemoryImage
from ....model.network.network import Network
from ....model.network.neuron import SumBits

INTEGERS: tuple[SumBits, ...] = (32, 8, 16)
"""Bits of the integers with which a network ends that does not fire, by turns."""

BATCHES = (2, 1, 3)
"""Images of a batch, by turns."""

CANDIDATES, TAKEN, MOST_COMMANDS, MOST_BYTES, MOST_ROWS = 240, 40, 40, 1 << 15, 12_000
"""How many networks are drawn and taken, and how large programs, images, and all tiles together are at most
(in rows)."""

SPARSE = 0.06
"""How many of the levels of a sparse image are left."""

LARGE = 6
"""Every so many networks the largest one that is left is taken, whatever it uses: in it all parts are busy at once."""

FEW_ROWS = 400
"""Rows that a network costs beside its own: the testbench loads it and compares all memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimulus:
    """A network, the images that it runs on, and how it is compiled."""

    network: Network
    images: np.ndarray
    keep: bool
    tiles: RandomTiles

    def compiled(self, config: HardwareConfig, base: int = 0) -> MemoryImage:
        """Compile it for an address."""
        batch = len(self.images)
        return compile_network(self.network, config, batch, base=base, keep_features=self.keep, **self.tiles)


def drawn(number: int, config: HardwareConfig) -> Stimulus:
    """Draw a candidate."""
    network = random_network(
        number,
        config,
        size=(5, 8, 12, 40)[number % 4],
        channels=(2, 3)[number % 2] * config.lanes,
        layers=1 + number % 3,
        wide=number % 5 != 0,
        multiple=config.lanes if number % 3 else 1,
    )
    network = _with_integers(network, INTEGERS[number // 4 % len(INTEGERS)])
    images = random_images(number, network, BATCHES[number % len(BATCHES)])
    if number % 4 == 1:  # equal rows, and rows that contain others
        images = images[..., np.arange(images.shape[-1]) // 4 * 4 % images.shape[-1]]
        images[..., 1::2, :] = images[..., : images.shape[-2] // 2 * 2 : 2, :]
    elif number % 4 == 3:  # tiles in which hardly a row has a bit
        images = images * (np.random.default_rng(number).random(images.shape) < SPARSE)
    tiles = (
        random_tiles(number, network, config) if number % 2 else RandomTiles(tile_depths={}, whole_tiles={}, mode={})
    )
    return Stimulus(network=network, images=images, keep=bool(number // 2 % 2), tiles=tiles)


def _with_integers(network: Network, bits: SumBits) -> Network:
    """Let a network that ends with a readout of 32 bits end with a sum of fewer bits: smaller integers are written."""
    last = network.layers[-1]
    if last.neuron.kind != "readout" or bits == 32:
        return network
    none = np.zeros_like(last.neuron.v0)
    ends = replace(last, neuron=replace(last.neuron, kind="sum", bits=bits, v0=none, leak=none))
    return replace(network, layers=(*network.layers[:-1], ends))


def _uses(one: Stimulus, image: MemoryImage, config: HardwareConfig) -> set[tuple]:
    """Return what a network uses: small values and lengths of fields, how tiles are filled, kinds of neurons."""
    found: set[tuple] = set()
    for op, fields in image.commands():
        for field, value in fields.items():
            found |= {(op, field, min(abs(value), 3)), (op, field, "bits", min(abs(value).bit_length(), 10))}
    for layer in one.network.layers:
        neuron, pool = layer.neuron, layer.pool.kernel if layer.pool else 0
        filled = layer.channels % config.lanes == 0
        found |= {
            ("lanes", filled, neuron.kind, neuron.reset),
            ("bits", filled, neuron.bits),
            ("pool", filled, pool),
            ("levels", neuron.levels, one.network.timesteps),
            ("timesteps", one.network.timesteps, one.network.input_mode, layer.encoding),
            *(("depth", s.depth % config.tile_k == 0, len(layer.convolutions)) for s in layer.convolutions),
            *(("kernel", *s.weight.shape[2:], s.stride, s.padding) for s in layer.convolutions),
        }
    return found


def _rows(image: MemoryImage) -> int:
    """Return how many rows all tiles of a program have."""
    runs = [fields for op, fields in image.commands() if op == "RUN"]
    return sum(run["m_tiles"] * run["k_tiles"] * run["rows"] for run in runs)


def stimuli(config: HardwareConfig) -> list[Stimulus]:
    """Choose networks, those first that use much for their length."""
    left: list[tuple[set[tuple], int, Stimulus]] = []
    for number in range(CANDIDATES):
        one = drawn(number, config)
        try:
            image = one.compiled(config)
        except CompileError:
            continue
        if len(image.commands()) <= MOST_COMMANDS and image.size <= MOST_BYTES and _rows(image) <= MOST_ROWS:
            left.append((_uses(one, image, config), _rows(image) + FEW_ROWS, one))
    chosen: list[Stimulus] = []
    while left and len(chosen) < TAKEN:
        large = len(chosen) % LARGE == LARGE - 1
        best = max(left, key=lambda candidate: candidate[1] if large else len(candidate[0]) / candidate[1])
        chosen.append(best[2])
        left = [(uses - best[0], cost, one) for uses, cost, one in left if one is not best[2]]
    return chosen
