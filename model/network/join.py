"""A map of levels that is added behind the neurons of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...support.checks import require, require_int
from .neuron import MAX_LEVELS


@dataclass(frozen=True, kw_only=True)
class Join:
    """A map of levels that is added to the levels that a layer's neurons fire: a SEW join behind the neurons.

    Parameters
    ----------
    feature : str
        The name of an earlier layer that fires, whose map has the shape that this layer writes.
    levels : int
        The largest level of the sum, 1..255; what exceeds it is clipped.
    """

    feature: str
    levels: int

    def __post_init__(self) -> None:
        named = isinstance(self.feature, str) and self.feature not in ("", "input")
        require(named, "join.feature", "the name of a layer", self.feature)
        require_int("join.levels", self.levels, 1, MAX_LEVELS, "levels are stored in 8 bits")

    def __repr__(self) -> str:
        return f"Join({self.feature}, N={self.levels})"

    def add(self, levels: np.ndarray, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return levels uint8[...] with those of the map added to them, and clipped."""
        return np.minimum(levels.astype(np.int64) + features[self.feature], self.levels).astype(np.uint8)
