"""The parts of a network: neuron parameters, sources with their weights, pools and layers.

Arrays are copied, cast and set read-only when a dataclass is made, so a validated part stays valid.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.checks import int_array, require, require_int

MAX_LEVELS = 255
LEAK_ONE = 256  # leak is a fraction of 2**8: 256 keeps the whole membrane potential

NeuronKind = Literal["if", "lif", "readout"]
Reset = Literal["soft", "hard", "none"]
Encoding = Literal["bitplane", "thermometer"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Neuron:
    """Per-channel integer parameters of a multi-level neuron (see ``model.neurons`` for the equations).

    Parameters
    ----------
    kind : "if", "lif" or "readout"
        A readout does not fire: its membrane potential is the result.
    levels : int
        N, the largest level of an output spike: 1..255, 0 for a readout.
    reset : "soft", "hard" or "none"
        What firing does to the membrane potential; "none" for a readout.
    threshold : int64[O]
        D, the step between levels, > 0.
    bias : int64[O]
        c, added at every timestep.
    v0 : int64[O]
        Initial membrane potential.
    leak : int64[O]
        l in 0..256: the part of the membrane potential that is kept, in 1/256. 256 unless the kind is "lif".

    Raises
    ------
    ValueError
        Names the field, the rule and the value.
    """

    kind: NeuronKind
    levels: int
    reset: Reset
    threshold: np.ndarray
    bias: np.ndarray
    v0: np.ndarray
    leak: np.ndarray

    def __post_init__(self):
        require(self.kind in ("if", "lif", "readout"), "neuron.kind", "'if', 'lif' or 'readout'", self.kind)
        require(self.reset in ("soft", "hard", "none"), "neuron.reset", "'soft', 'hard' or 'none'", self.reset)
        if self.kind == "readout":
            require(self.levels == 0, "neuron.levels", "0 for a readout", self.levels, "a readout never fires")
            require(self.reset == "none", "neuron.reset", "'none' for a readout", self.reset)
        else:
            require_int("neuron.levels", self.levels, 1, MAX_LEVELS, "levels are stored in 8 bits")
        for field in ("threshold", "bias", "v0", "leak"):
            object.__setattr__(self, field, int_array(f"neuron.{field}", getattr(self, field), np.int64, 1))
            length = len(getattr(self, field))
            require(
                length == len(self.threshold),
                f"neuron.{field}",
                f"one value per channel ({len(self.threshold)})",
                length,
            )
        require(
            self.threshold.min() > 0,
            "neuron.threshold",
            "positive in every channel",
            int(self.threshold.min()),
            "levels are multiples of it",
        )
        low, high = int(self.leak.min()), int(self.leak.max())
        require(0 <= low and high <= LEAK_ONE, "neuron.leak", "in 0..256", (low, high))
        if self.kind != "lif":
            require(low == LEAK_ONE, "neuron.leak", f"256 for kind {self.kind!r}", low, "only LIF leaks")

    @property
    def channels(self) -> int:
        """O, the number of output channels."""
        return len(self.threshold)

    @classmethod
    def uniform(
        cls,
        channels: int,
        *,
        kind: NeuronKind = "if",
        levels: int = 1,
        reset: Reset = "soft",
        threshold: int = 1,
        bias: int = 0,
        v0: int = 0,
        leak: int = LEAK_ONE,
    ) -> "Neuron":
        """The same parameters in every channel."""

        def full(value: int) -> np.ndarray:
            return np.full(channels, value, dtype=np.int64)

        return cls(
            kind=kind,
            levels=levels,
            reset=reset,
            threshold=full(threshold),
            bias=full(bias),
            v0=full(v0),
            leak=full(leak),
        )

    @classmethod
    def readout(cls, channels: int, *, bias: object = 0, v0: object = 0) -> "Neuron":
        """A neuron that accumulates and does not fire."""
        return cls(
            kind="readout",
            levels=0,
            reset="none",
            threshold=np.ones(channels, dtype=np.int64),
            bias=np.broadcast_to(bias, channels),
            v0=np.broadcast_to(v0, channels),
            leak=np.full(channels, LEAK_ONE, dtype=np.int64),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """One input of a layer and the weights it is multiplied by.

    Parameters
    ----------
    feature : str
        "input" or the name of an earlier layer.
    weight : int8[O, C, KH, KW]
        For ``flatten``: int8[O, H*W*C, 1, 1], columns in the order (y, x, c) in which features are stored.
    stride, padding : int
        Of the convolution, the same along both axes; padded positions hold level 0.
    flatten : bool
        A linear layer: the feature (C, H, W) is read as one position of H*W*C channels.
    """

    feature: str
    weight: np.ndarray
    stride: int = 1
    padding: int = 0
    flatten: bool = False

    def __post_init__(self):
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

    @property
    def depth(self) -> int:
        """K, the number of products per output: C * KH * KW."""
        return int(np.prod(self.weight.shape[1:]))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) of the output for a feature of ``height`` x ``width``."""
        if self.flatten:
            return 1, 1
        kh, kw = self.weight.shape[2:]
        return (
            (height + 2 * self.padding - kh) // self.stride + 1,
            (width + 2 * self.padding - kw) // self.stride + 1,
        )


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """Max pooling on levels, per timestep; windows do not overlap and odd edges are dropped."""

    kernel: int
    stride: int | None = None

    def __post_init__(self):
        require_int("pool.kernel", self.kernel, 2, 4, "the output writer keeps windows of 2, 3 or 4")
        if self.stride is None:
            object.__setattr__(self, "stride", self.kernel)
        require(self.stride == self.kernel, "pool.stride", f"the kernel ({self.kernel})", self.stride)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Sources, a neuron and an optional pool.

    Parameters
    ----------
    name : str
        Unique in the network; also the name of the feature it writes.
    sources : tuple[Source, ...]
        One, or two (main, shortcut) whose products are added; same output shape.
    neuron : Neuron
    encoding : "bitplane" or "thermometer"
        How the levels this layer *reads* become binary rows; one choice for all its sources.
    pool : MaxPool or None
        After the neuron; not for a readout.
    """

    name: str
    sources: tuple[Source, ...]
    neuron: Neuron
    encoding: Encoding = "bitplane"
    pool: MaxPool | None = None

    def __post_init__(self):
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

    @property
    def channels(self) -> int:
        """O, the number of output channels."""
        return self.neuron.channels
