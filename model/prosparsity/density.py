"""Densities of binary rows, computed in this one place for every report, command and file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tiles import Counts


def matrix_rows(counts: Counts[np.ndarray]) -> int:
    """Return the number of rows of the matrix that was cut into tiles.

    A tile counts the rows that it holds, so a row stands once in each of the tiles along K: the tiles of one column
    hold every row once.

    Parameters
    ----------
    counts : Counts
        Of int64[MT, KT], one value per tile.
    """
    rows = np.asarray(counts.rows)
    return int(rows[:, 0].sum()) if rows.size else 0


@dataclass(frozen=True, kw_only=True)
class Density:
    """How many bits of binary rows are set, and how many product sparsity leaves to add.

    Members
    -------
    elements : int
        Bits of the unpadded matrix: rows x K. The zeros that fill the last tile along K are not counted.
    set_bits : int
        Bits that are one.
    residual_bits : int
        Bits that remain when every row has taken over the sum of its prefix.
    """

    elements: int = 0
    set_bits: int = 0
    residual_bits: int = 0

    @classmethod
    def of(cls, counts: Counts[np.ndarray], depth: int, groups: int = 1) -> Density:
        """Return the density of a matrix from the counts of its tiles.

        Parameters
        ----------
        counts : Counts
            Of int64[MT, KT], one value per tile, over all of K.
        depth : int
            K of the unpadded matrix.
        groups : int
            How often the tiles are processed (once per group of output channels): the weight in sums over layers.
        """
        return cls(
            elements=matrix_rows(counts) * depth * groups,
            set_bits=int(np.sum(counts.set_bits)) * groups,
            residual_bits=int(np.sum(counts.residual_bits)) * groups,
        )

    def __add__(self, other: Density) -> Density:
        return Density(
            elements=self.elements + other.elements,
            set_bits=self.set_bits + other.set_bits,
            residual_bits=self.residual_bits + other.residual_bits,
        )

    @property
    def bit_density(self) -> float:
        """Return the share of bits that are set, which is 0 if there are none."""
        return self.set_bits / self.elements if self.elements else 0.0

    @property
    def product_density(self) -> float:
        """Return the share of bits that are residual, which is 0 if there are none."""
        return self.residual_bits / self.elements if self.elements else 0.0

    @property
    def reduction(self) -> float | None:
        """Return how many times fewer bits are added than are set, or None if no bit is left to add."""
        return self.set_bits / self.residual_bits if self.residual_bits else None

    def figures(self) -> dict[str, float]:
        """Return ``bit_density`` and ``product_density``, as reports and network files hold them."""
        return {"bit_density": self.bit_density, "product_density": self.product_density}
