"""The integer network: what the exporter produces, the model runs and the compiler turns into a program.

Everything is an integer. A network is a tuple of layers in execution order; a layer is
``neuron(sum over its sources of conv(feature, weight))`` followed, if asked, by max pooling on the levels.
Arrays are copied, cast and set read-only when a dataclass is made, so a validated network stays valid.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

MAX_LEVELS = 255
LEAK_ONE = 256  # leak is a fraction of 2**8: 256 keeps the whole membrane potential

NeuronKind = Literal["if", "lif", "readout"]
Reset = Literal["soft", "hard", "none"]
Encoding = Literal["bitplane", "thermometer"]
InputMode = Literal["repeat", "once", "given"]


def require(ok: bool, name: str, rule: str, value: object, why: str = "") -> None:
    """Raise ``ValueError("<name> must be <rule>, not <value>[: <why>]")`` unless ``ok``."""
    if not ok:
        raise ValueError(f"{name} must be {rule}, not {value!r}" + (f": {why}" if why else ""))


def require_int(name: str, value: object, low: int, high: int | None = None, why: str = "") -> None:
    """Require a Python or NumPy integer (not a bool) within ``low..high``."""
    rule = f"an integer of at least {low}" if high is None else f"an integer in {low}..{high}"
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(is_int and low <= value and (high is None or value <= high), name, rule, value, why)


def _int_array(name: str, value: object, dtype: type, ndim: int) -> np.ndarray:
    array = np.asarray(value)
    require(
        np.issubdtype(array.dtype, np.integer),
        name,
        "an array of integers",
        str(array.dtype),
        "nothing in the network is rounded silently",
    )
    require(array.ndim == ndim, name, f"an array of {ndim} axes", array.shape)
    require(array.size > 0, name, "not empty", array.shape)
    info = np.iinfo(dtype)
    low, high = int(array.min()), int(array.max())
    require(
        info.min <= low and high <= info.max,
        name,
        f"within {np.dtype(dtype).name} ({info.min}..{info.max})",
        (low, high),
    )
    array = np.array(array, dtype=dtype, order="C")
    array.setflags(write=False)
    return array


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
        require(
            self.reset in ("soft", "hard", "none"), "neuron.reset", "'soft', 'hard' or 'none'", self.reset
        )
        if self.kind == "readout":
            require(
                self.levels == 0, "neuron.levels", "0 for a readout", self.levels, "a readout never fires"
            )
            require(self.reset == "none", "neuron.reset", "'none' for a readout", self.reset)
        else:
            require_int("neuron.levels", self.levels, 1, MAX_LEVELS, "levels are stored in 8 bits")
        for field in ("threshold", "bias", "v0", "leak"):
            object.__setattr__(self, field, _int_array(f"neuron.{field}", getattr(self, field), np.int64, 1))
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
        require(
            isinstance(self.feature, str) and self.feature != "", "source.feature", "a name", self.feature
        )
        object.__setattr__(self, "weight", _int_array("source.weight", self.weight, np.int8, 4))
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
        require(
            isinstance(self.name, str) and self.name not in ("", "input"), "layer.name", "a name", self.name
        )
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


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes of one layer in a network.

    ``conv`` is the (H, W) that the convolution could give, ``computed`` the part that is computed (odd edges
    that no pool window covers are not), ``feature`` the (C, H, W) that the layer writes.
    """

    conv: tuple[int, int]
    computed: tuple[int, int]
    feature: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A whole network with the shape and the meaning of its input.

    Parameters
    ----------
    name : str
    input_shape : (C, H, W)
    input_levels : int
        N of the input: 255 for 8-bit pixels.
    input_signed : bool
        The input is two's complement of 8 bits, -128..127, with a sign plane; ``input_levels`` is 255.
    timesteps : int
        T.
    input_mode : "repeat", "once" or "given"
        A static image is shown at every timestep, at the first only, or the caller gives all T frames.
    layers : tuple[Layer, ...]
        In execution order; a source names "input" or an earlier layer that fires.
    """

    name: str
    input_shape: tuple[int, int, int]
    input_levels: int
    timesteps: int
    input_mode: InputMode = "repeat"
    input_signed: bool = False
    layers: tuple[Layer, ...]

    def __post_init__(self):
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "layers", tuple(self.layers))
        require(isinstance(self.name, str) and self.name != "", "network.name", "a name", self.name)
        require(len(self.input_shape) == 3, "network.input_shape", "(C, H, W)", self.input_shape)
        for size in self.input_shape:
            require_int("network.input_shape", size, 1)
        require_int("network.input_levels", self.input_levels, 1, MAX_LEVELS)
        if self.input_signed:
            why = "a signed input is two's complement of 8 bits"
            require(self.input_levels == MAX_LEVELS, "network.input_levels", "255", self.input_levels, why)
        require_int("network.timesteps", self.timesteps, 1)
        modes = ("repeat", "once", "given")
        require(self.input_mode in modes, "network.input_mode", f"one of {modes}", self.input_mode)
        require(len(self.layers) > 0, "network.layers", "at least one layer", self.layers)
        _ = self.geometry  # walks the layers and raises where they do not fit together

    @cached_property
    def geometry(self) -> dict[str, Geometry]:
        """Layer name -> its sizes, in execution order."""
        found: dict[str, Geometry] = {}
        for layer in self.layers:
            require(layer.name not in found, "layer.name", "unique in the network", layer.name)
            sizes = [self._source_size(layer, source, found) for source in layer.sources]
            require(
                len(set(sizes)) == 1,
                f"layer {layer.name!r}: output sizes of the sources",
                "equal",
                sizes,
                "a join adds them position by position",
            )
            height, width = sizes[0]
            k = layer.pool.kernel if layer.pool else 1
            pooled = (height // k, width // k)
            require(
                min(pooled) >= 1, f"layer {layer.name!r}: output size after pooling", "at least 1x1", pooled
            )
            found[layer.name] = Geometry(
                conv=(height, width),
                computed=(pooled[0] * k, pooled[1] * k),
                feature=(layer.channels, *pooled),
            )
        return found

    def _source_size(self, layer: Layer, source: Source, found: dict[str, Geometry]) -> tuple[int, int]:
        here = f"layer {layer.name!r}: source {source.feature!r}"
        known = source.feature == "input" or source.feature in found
        require(known, here, f"'input' or an earlier layer {list(found)}", source.feature)
        if source.feature == "input":
            shape = self.input_shape
            if self.input_signed:
                only = len({s.feature for s in layer.sources}) == 1
                require(
                    only, here, "alone in its layer when the input is signed", source.feature, "planes differ"
                )
                require(layer.encoding == "bitplane", f"{here}: encoding", "'bitplane'", layer.encoding)
        else:
            shape = found[source.feature].feature
            fires = self.layer(source.feature).neuron.kind != "readout"
            require(
                fires, here, "a layer that fires", source.feature, "a readout writes potentials, not levels"
            )
        channels = int(np.prod(shape)) if source.flatten else shape[0]
        require(
            source.weight.shape[1] == channels,
            f"{here}: weight",
            f"of {channels} input channels for a feature of shape {shape}",
            source.weight.shape,
        )
        size = source.output_size(shape[1], shape[2])
        require(
            min(size) >= 1, f"{here}: output size", "at least 1x1", size, f"the feature has shape {shape}"
        )
        return size

    def layer(self, name: str) -> Layer:
        """The layer of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(
            f"network {self.name!r} has no layer {name!r}: {[layer.name for layer in self.layers]}"
        )

    def feature_shape(self, name: str) -> tuple[int, int, int]:
        """(C, H, W) of the feature: "input" or a layer's (after its pool)."""
        return self.input_shape if name == "input" else self.geometry[name].feature

    def feature_levels(self, name: str) -> int:
        """N of the feature; 0 for a readout."""
        return self.input_levels if name == "input" else self.layer(name).neuron.levels

    def feature_signed(self, name: str) -> bool:
        """True for a two's-complement input."""
        return name == "input" and self.input_signed


def equal(a: object, b: object) -> bool:
    """Field-by-field equality of two networks, or of any part of one, arrays included (== and same dtype)."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return type(a) is type(b) and all(equal(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(equal, a, b))
    return a == b
