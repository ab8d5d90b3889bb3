"""Max pools, and where their windows lie."""

from __future__ import annotations

from dataclasses import dataclass

from ...support.checks import require, require_int

POOL_KERNELS = (2, 4)
"""Smallest and largest kernel of a max pool: what the hardware has (its ``MAX_POOL``; a test holds them together)."""


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """Max pooling of the levels of every timestep.

    Windows lie side by side, and edges that fill none are dropped; or they are of 3x3 with stride 2 and padding 1, of
    which neighbours share a line. The padding holds no level.
    """

    kernel: int
    stride: int = 0  # the kernel, if it is left out
    padding: int = 0

    def __post_init__(self) -> None:
        require_int("pool.kernel", self.kernel, *POOL_KERNELS, "the output writer keeps windows of 2, 3 or 4")
        if not self.stride:
            object.__setattr__(self, "stride", self.kernel)
        if not self.overlaps:
            other = "or 2 of kernel 3 with padding 1"
            require(self.stride == self.kernel, "pool.stride", f"the kernel ({self.kernel}), {other}", self.stride)
            require(self.padding == 0, "pool.padding", "0, or 1 of kernel 3 with stride 2", self.padding)

    @property
    def overlaps(self) -> bool:
        """Whether the windows are those that share lines."""
        return (self.kernel, self.stride, self.padding) == (3, 2, 1)

    @property
    def side(self) -> int:
        """The side of the squares of positions that are computed one after the other: windows that lie side by side."""
        return 1 if self.overlaps else self.kernel

    def outputs(self, size: int) -> int:
        """Return how many windows lie along an axis of ``size`` positions."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return (C, H, W) of the windows of a map (C, H, W)."""
        channels, height, width = shape
        return channels, self.outputs(height), self.outputs(width)

    def covers(self, outputs: range, size: int) -> range:
        """Return the positions along an axis of ``size`` that are in windows which follow each other."""
        first, last = (n * self.stride - self.padding for n in (outputs.start, outputs.stop - 1))
        return range(max(0, first), min(size, last + self.kernel))

    def follows(self, outputs: range, size: int) -> range:
        """Return those of :meth:`covers` that are in no window before them."""
        covered = self.covers(outputs, size)
        return range(min(covered.stop, outputs.start * self.stride), covered.stop)

    def span(self, outputs: int, size: int) -> int:
        """Return how many positions along an axis of ``size`` are at most in so many windows that follow each other."""
        return min(size, (outputs - 1) * self.stride + self.kernel)

    def covered(self, size: int) -> int:
        """Return how many positions along an axis of ``size`` are in some window; they are the first ones."""
        return len(self.covers(range(self.outputs(size)), size))
