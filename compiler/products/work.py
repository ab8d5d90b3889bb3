"""A product of two feature maps as hardware runs it, and what its two maps need for that.

The rows come from one map, as those of any layer do. The integers of the other map, the *operand*, are read as weights:
a position is a weight row. There is a RUN for each image and head and, over tokens, for each timestep:

- Over tokens a row holds one channel of the head, and its bits are the positions. So each bit is a segment of its own.
- Over channels a row holds the head's channels at one position, as those of a convolution of 1x1 do. A position's
  timesteps share an m tile, because a neuron needs them all, but each has weights of its own. So K is a stack of
  timesteps, and a row is zero in the K tiles of all timesteps but its own. The hardware finds these zeros by itself,
  for a row that lies outside of its map reads as zero: a segment of timestep tau is tau image rows further down, a row
  of timestep t begins t image rows further up, and the map has a single row.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...hw.arch.config import HardwareConfig
from ...hw.arch.feature_map import FeatureMap
from ...model.network.layer import Layer, Product
from ..checks import check_sum
from ..errors import CompileError, limit
from ..loops import Loop, Step


@dataclass(frozen=True, kw_only=True, eq=False)
class ProductWork:
    """A layer that is a product, as hardware runs it to write one variant of its feature.

    Members
    -------
    layer : Layer
    product : Product
    feature : the map of which rows are made
    operand : the integer map that is read as weights
    output : the map that is written
    planes : P, the planes of the rows
    tile_depth : bits of a row in a K tile
    whole_tiles : K tiles of a RUN whose weights are fetched before its rows are known
    """

    layer: Layer
    product: Product
    feature: FeatureMap
    operand: FeatureMap
    output: FeatureMap
    planes: int
    tile_depth: int
    whole_tiles: int

    @property
    def over_tokens(self) -> bool:
        """Whether the sum is over positions, with a RUN for each timestep."""
        return self.product.over == "tokens"

    @property
    def head_channels(self) -> int:
        """Channels of a head in the map of which rows are made."""
        return self.feature.channels // self.product.heads

    @property
    def timesteps(self) -> int:
        """Timesteps of a RUN."""
        return 1 if self.over_tokens else self.output.timesteps

    @property
    def positions(self) -> int:
        """Output positions of a RUN."""
        return self.head_channels if self.over_tokens else self.output.height * self.output.width

    @property
    def rows_per_position(self) -> int:
        """Rows that an output position has, which stay in one m tile."""
        return self.timesteps * self.planes

    @property
    def stacked_tiles(self) -> int:
        """K tiles of a timestep."""
        return -(-product_depth(self.product, self.feature) // self.tile_depth)

    @property
    def k_tiles(self) -> int:
        """K tiles of a RUN."""
        return self.stacked_tiles * self.timesteps

    @property
    def block_channels(self) -> int:
        """Output channels of a RUN."""
        return self.operand.block_channels

    def line_words(self, config: HardwareConfig) -> int:
        """Return the on-chip words of a line of the map of which rows are made."""
        return self.feature.line_bytes * 8 // config.feature_bits

    def block_words(self, config: HardwareConfig) -> int:
        """Return the on-chip words of a block of one image of that map, which is what a RUN needs."""
        return self.feature.block_bytes * 8 // config.feature_bits

    def regions(self, config: HardwareConfig) -> int:
        """Return 2 if loads alternate between the halves of the feature buffer, else 1."""
        return 2 if self.block_words(config) <= config.feature_words // 2 else 1


def product_depth(product: Product, feature: FeatureMap) -> int:
    """Return K of one head and timestep."""
    return product.depth((feature.channels, feature.height, feature.width))


def product_segments(work: ProductWork, config: HardwareConfig) -> list[dict[str, int]]:
    """Return the segments of the K tiles, which all RUNs share, as fields of reprise.hw.arch.program.SEGMENT."""
    f, depth, pitch = work.feature, work.tile_depth, work.line_words(config)
    found = []
    if work.over_tokens:
        tokens = f.height * f.width
        for n in range(tokens):
            y, x = divmod(n, f.width)
            last = n % depth == depth - 1 or n == tokens - 1
            address = y * f.lines_per_row * pitch
            found.append(_segment(address, x * f.block_channels, 0, 1, n % depth, last))
        return found
    for timestep in range(work.timesteps):
        for first in range(0, work.head_channels, depth):
            found.append(_segment(0, first, timestep, min(depth, work.head_channels - first), 0, True))
    return found


def _segment(address: int, bit: int, ky: int, length: int, shift: int, last: bool) -> dict[str, int]:
    names = ("address", "bit", "ky", "length", "shift", "source", "last")
    return dict(zip(names, (address, bit, ky, length, shift, 0, int(last)), strict=True))


def product_loops(work: ProductWork, config: HardwareConfig) -> list[Loop]:
    """Return the loops over the rows of a RUN, innermost first, as reprise.compiler.loops does for other layers."""
    f, pitch = work.feature, work.line_words(config)
    plane = Step(address=pitch)
    loops = [(work.planes, plane)]
    if work.over_tokens:
        loops.append((work.head_channels, Step(x=1)))
    else:
        timestep = Step(y=-1, address=0 if f.repeat else f.planes * pitch)
        line = Step(address=f.lines_per_row * pitch)
        loops += [(work.timesteps, timestep), (f.width, Step(x=f.block_channels)), (f.height, line)]
    return [(count, (step,)) for count, step in loops]


def check_product(work: ProductWork, config: HardwareConfig) -> None:
    """Check a product against the limits of a configuration.

    Raises
    ------
    CompileError
        The layer exceeds a limit; the message names the layer, the limit, the value and the remedy.
    """
    name, out, neuron = work.layer.name, work.output, work.layer.neuron

    def at_most(field: str, value: int, what: str, remedy: str) -> None:
        limit(value <= getattr(config, field), name, what, value, f"{field}={getattr(config, field)}", remedy)

    heads = "use more heads, or a configuration with more lanes"
    at_most("lanes", work.head_channels, "channels of a head", heads)
    at_most("lanes", work.block_channels, "channels of a head of the operand", heads)
    at_most("max_timesteps", out.timesteps, "timesteps", "use fewer timesteps")
    at_most("max_levels", neuron.levels, "neuron levels", "use neurons with fewer levels")
    at_most("max_planes", max(work.planes, out.planes), "planes", "use bit planes, or fewer levels")
    remedy = "a position's timesteps and planes share a tile: use fewer of them or a larger tile_m"
    at_most("tile_m", work.rows_per_position, "timesteps x planes", remedy)
    if config.weight_bits != 8:
        raise CompileError(
            f"layer {name!r}: weight_bits must be 8, not {config.weight_bits}: the operand's integers have 8 bits"
        )
    check_sum(work.layer)
    alone = work.output.timesteps == 1 or neuron.kind == "sum" or not work.over_tokens
    remedy = "each timestep is a RUN of its own, and only a sum keeps nothing for the next one: use a sum"
    limit(alone, name, "timesteps of a product over tokens that is no sum", work.output.timesteps, 1, remedy)
    remedy = "use a configuration with more feature_words, or a smaller feature map"
    at_most("feature_words", work.block_words(config), "on-chip words of a block of the feature map", remedy)
    remedy = "use a configuration with more segments, or fewer tokens"
    at_most("segments", len(product_segments(work, config)), "im2col segments", remedy)
