"""The parts of a network: neuron parameters, sources with their weights, pools and layers.

Arrays are copied, cast and set read-only when a dataclass is made, so a validated part stays valid.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...support.checks import int_array, require, require_int
from .neuron import Neuron

Encoding = Literal["bitplane", "thermometer"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Source:
    """One input of a layer and the weights it is multiplied by.

    Parameters
    ----------
    feature : str
        "input" or the name of an earlier layer.
    weight : int8[O, C, KH, KW]
        For ``flatten``: int8[O, H*W*C, 1, 1], columns in the order (y, x, c) in which features are stored.
    stride, padding : int
        Stride and padding of the convolution, the same along both axes. Padded positions hold level 0.
    flatten : bool
        True for a linear layer, which reads the feature (C, H, W) as one position of H*W*C channels.
    """

    feature: str
    weight: np.ndarray
    stride: int = 1
    padding: int = 0
    flatten: bool = False

    def __post_init__(self) -> None:
        require(isinstance(self.feature, str) and self.feature != "", "source.feature", "a name", self.feature)
        object.__setattr__(self, "weight", int_array("source.weight", self.weight, np.int8, 4))
        require_int("source.stride", self.stride, 1)
        require_int("source.padding", self.padding, 0)
        kernel = self.weight.shape[2:]
        require(
            self.padding < min(kernel),
            "source.padding",
            f"smaller than the kernel {kernel}",
            self.padding,
            "a window must not lie wholly in the padding",
        )
        if self.flatten:
            require(kernel == (1, 1), "source.weight", "of kernel 1x1 when flatten is set", self.weight.shape)
            require(self.stride == 1, "source.stride", "1 when flatten is set", self.stride)

    def __repr__(self) -> str:
        return f"Source({self.feature}, weights {'x'.join(map(str, self.weight.shape))})"

    @property
    def depth(self) -> int:
        """K, the number of products per output, which is C * KH * KW."""
        return int(np.prod(self.weight.shape[1:]))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (H, W) of the output for a feature of ``height`` x ``width``."""
        if self.flatten:
            return 1, 1
        kh, kw = self.weight.shape[2:]
        return (
            (height + 2 * self.padding - kh) // self.stride + 1,
            (width + 2 * self.padding - kw) // self.stride + 1,
        )


POOL_KERNELS = (2, 4)
"""Smallest and largest kernel of a max pool: what the hardware has (its ``MAX_POOL``; a test holds them together)."""


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """Max pooling of the levels of every timestep. Windows do not overlap, and edges that fill none are dropped."""

    kernel: int
    stride: int | None = None

    def __post_init__(self) -> None:
        require_int("pool.kernel", self.kernel, *POOL_KERNELS, "the output writer keeps windows of 2, 3 or 4")
        if self.stride is None:
            object.__setattr__(self, "stride", self.kernel)
        require(self.stride == self.kernel, "pool.stride", f"the kernel ({self.kernel})", self.stride)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Layer:
    """Sources, a neuron and an optional pool.

    Parameters
    ----------
    name : str
        Unique in the network. The feature that the layer writes has the same name.
    sources : tuple[Source, ...]
        One, or two (main and shortcut) of the same output shape, whose products are added.
    neuron : Neuron
    encoding : "bitplane" or "thermometer"
        How the levels that this layer *reads* become binary rows; one choice for all its sources.
    pool : MaxPool or None
        What follows the neuron; a readout has none.
    """

    name: str
    sources: tuple[Source, ...]
    neuron: Neuron
    encoding: Encoding = "bitplane"
    pool: MaxPool | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.name, str) and self.name not in ("", "input"), "layer.name", "a name", self.name)
        object.__setattr__(self, "sources", tuple(self.sources))
        here = f"layer {self.name!r}"
        require(len(self.sources) in (1, 2), f"{here}: sources", "one or two", len(self.sources))
        encodings = ("bitplane", "thermometer")
        require(self.encoding in encodings, f"{here}: encoding", f"one of {encodings}", self.encoding)
        for source in self.sources:
            require(
                source.weight.shape[0] == self.neuron.channels,
                f"{here}: weight of source {source.feature!r}",
                f"of {self.neuron.channels} output channels, as the neuron has",
                source.weight.shape,
            )
        if self.neuron.kind == "readout":
            require(self.pool is None, f"{here}: pool", "None", self.pool, "a readout has no levels to pool")

    def __repr__(self) -> str:
        pool = f", max pool {self.pool.kernel}" if self.pool else ""
        reads = " + ".join(repr(source) for source in self.sources)
        return f"Layer({self.name}: {reads}, {self.neuron!r}, {self.encoding}{pool})"

    @property
    def channels(self) -> int:
        """O, the number of output channels."""
        return self.neuron.channels
