"""A layer as hardware runs it."""

from __future__ import annotations

from dataclasses import dataclass

from ..hw.arch.feature_map import FeatureMap
from ..model.network.layer import Layer
from .rows.inputs import Input


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A layer as hardware runs it to write one variant of its feature.

    Members
    -------
    layer : Layer
    inputs : its sources
    size : (H, W) of what is computed, before a pool
    output : the feature map that it writes
    planes : P, the planes of its rows
    fold : planes that are lines of the map and weigh 1 (:mod:`reprise.compiler.rows.planes`), 1 if none are
    tile_depth : bits of a row in a K tile
    whole_tiles : K tiles of a RUN whose weights are fetched before its rows are known
    tile_positions : output positions of an m tile at most, or 0 for as many as it holds
    block_channels : output channels of a block that is computed by RUNs of its own. It is a block of the output, or
        several where that is an integer map of small blocks.
    addend : the integer map that is added to the sums, or None
    join : the map whose levels are added to those that the neurons fire, or None
    """

    layer: Layer
    inputs: tuple[Input, ...]
    size: tuple[int, int]
    output: FeatureMap
    planes: int
    tile_depth: int
    whole_tiles: int
    block_channels: int
    addend: FeatureMap | None = None
    join: FeatureMap | None = None
    tile_positions: int = 0
    fold: int = 1

    @property
    def blocks(self) -> int:
        """Number of blocks of output channels, each with RUNs of its own."""
        return -(-self.output.channels // self.block_channels)

    def channels_of(self, block: int) -> int:
        """Return how many channels the RUNs of a block write: those of whole blocks of the map."""
        f = self.output
        return min(self.block_channels, f.blocks * f.block_channels - block * self.block_channels)

    @property
    def side(self) -> int:
        """The side of the squares of positions that are computed one after the other, 1 but for windows of a pool."""
        return self.layer.pool.side if self.layer.pool else 1

    @property
    def goes_on(self) -> bool:
        """Whether a RUN goes on below the lines of the RUN before, of which a pool keeps the last one."""
        return self.layer.pool is not None and self.layer.pool.overlaps

    def lines(self, outputs: range) -> range:
        """Return the lines that are computed for some pooled ones, when those above them have been computed."""
        return self.layer.pool.follows(outputs, self.size[0]) if self.layer.pool else outputs

    def columns(self, outputs: range) -> range:
        """Return the columns that are computed for some pooled ones."""
        return self.layer.pool.covers(outputs, self.size[1]) if self.layer.pool else outputs

    def most_lines(self, outputs: int) -> int:
        """Return how many lines are computed at most for so many pooled ones that follow each other."""
        return len(self.lines(range(outputs)))

    def most_columns(self, outputs: int) -> int:
        """Return how many columns are computed at most for so many pooled ones that follow each other."""
        return self.layer.pool.span(outputs, self.size[1]) if self.layer.pool else outputs

    @property
    def rows_per_position(self) -> int:
        """Rows that an output position has: T * P."""
        return self.output.timesteps * self.planes

    def per_tile(self, tile_m: int) -> int:
        """Return how many output positions an m tile has at most, of ``tile_m`` rows."""
        full = tile_m // self.rows_per_position
        return min(self.tile_positions or full, full)
