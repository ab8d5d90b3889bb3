"""What one RUN of a program does, item by item: the tiles, weights and neuron outputs that the blocks exchange.

The cycle model takes its work from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...hw.arch.config import HardwareConfig


@dataclass(frozen=True, kw_only=True)
class TileStep:
    """One tile of a run.

    Members
    -------
    m, k : int
        The indices of its m tile and K tile.
    rows : uint64[rows]
    m_rows : int
        The field ``rows`` of reprise.hw.interface.streams.tile_info.
    weight_slot, weight_release, last_k
        The fields of the same names of tile_info.
    """

    m: int
    k: int
    rows: np.ndarray
    weight_slot: int
    weight_release: bool
    last_k: bool
    m_rows: int

    def words(self, load_rows: int) -> np.ndarray:
        """Return the tile's beats uint64[beats, load_rows], in which rows that the tile lacks are zero."""
        count = -(-len(self.rows) // load_rows)
        padded = np.zeros(count * load_rows, np.uint64)
        padded[: len(self.rows)] = self.rows
        return padded.reshape(count, load_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunTrace:
    """A RUN and everything that passes between the blocks while it works.

    Members
    -------
    command : index of the command in the program
    layer : name of the layer
    fields : fields of the command
    packed : uint64[M, k_tiles], the rows of all m tiles, with one word for each K tile
    starts : int64[m_tiles + 1], the first row of each m tile, and M
    cuts : int64[n, 7], the im2col segments that are cut out for every row: address, bit, ky, length within the K tile,
        shift, source and mask
    k_of : int64[n], the K tile of each of them
    weights : int8[k_tiles, tile_k, lanes]
    weight_rows : uint64[m_tiles, k_tiles], the weight rows that are fetched for each tile, a bit for each row
    parameters : int64[channels, 4] (bias, threshold, v0, leak) of ``groups * neuron_lanes`` channels
    psums : int32[M, lanes], the finished partial sums of every row
    levels : uint8[positions, T, channels], which are zero for a readout
    potentials : int64[positions, T, channels], the membrane potential after each timestep
    first_slot : weight slot of the first tile
    """

    config: HardwareConfig
    command: int
    layer: str
    fields: dict[str, int]
    packed: np.ndarray
    starts: np.ndarray
    cuts: np.ndarray
    k_of: np.ndarray
    weights: np.ndarray
    weight_rows: np.ndarray
    parameters: np.ndarray
    psums: np.ndarray
    levels: np.ndarray
    potentials: np.ndarray
    first_slot: int

    @property
    def segments(self) -> np.ndarray:
        """int64[k_tiles], how many im2col segments each K tile has."""
        return np.bincount(self.k_of, minlength=self.fields["k_tiles"])

    def tiles(self) -> Iterator[TileStep]:
        """Yield every tile in the core's order: all K tiles of an m tile, then those of the next m tile.

        Weight slots are taken in turn, and weights that are kept have the same slots in every m tile.
        """
        f, k_tiles = self.fields, self.fields["k_tiles"]
        m_tiles = len(self.starts) - 1
        for m in range(m_tiles):
            for k in range(k_tiles):
                rows = self.packed[self.starts[m] : self.starts[m + 1], k]
                step = k if f["weights_keep"] else m * k_tiles + k
                release = not f["weights_keep"] or (m == m_tiles - 1 and not f["weights_hold"])
                yield TileStep(
                    m=m,
                    k=k,
                    rows=rows,
                    weight_slot=(self.first_slot + step) % self.config.weight_tiles,
                    weight_release=release,
                    last_k=k == k_tiles - 1,
                    m_rows=len(rows),
                )

    def weight_tiles(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (slot, int8[tile_k, lanes]) of every weight tile that is fetched, and none if the weights are ready."""
        f = self.fields
        if f["weights_ready"]:
            return
        for tile in self.tiles():
            if tile.m == 0 or not f["weights_keep"]:
                yield tile.weight_slot, self.weights[tile.k]
