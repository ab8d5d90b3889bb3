"""The integer network: what the exporter produces, the model runs and the compiler turns into a program.

Everything is an integer. A network is a tuple of layers in execution order. A layer is
``neuron(sum over its sources of conv(feature, weight))``, and max pooling on the levels may follow; or it is
``neuron(product of two features)``, as in attention. A stored integer map may be added to the sums.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ...support.checks import require, require_int
from .join import Join
from .layer import OPERAND_LEVELS, Encoding, Layer, Product, Shape, Source
from .neuron import LEAK_ONE, MAX_LEVELS, Neuron, NeuronKind, Reset
from .pool import MaxPool

__all__ = [
    "LEAK_ONE",
    "MAX_LEVELS",
    "Encoding",
    "Geometry",
    "InputMode",
    "Join",
    "Layer",
    "MaxPool",
    "Network",
    "Neuron",
    "NeuronKind",
    "Product",
    "Reset",
    "Source",
    "equal",
]

InputMode = Literal["repeat", "once", "given"]

MOST_ELEMENTS = 1 << 26
"""The most elements of a feature over all timesteps of one image. The largest features of VGG-16 have 3.2 million."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes of one layer in a network.

    Members
    -------
    conv : (H, W) that the convolution could give, or the product
    computed : (H, W) of the part that is computed, without edges that no pool window covers
    feature : (C, H, W) that the layer writes
    """

    conv: tuple[int, int]
    computed: tuple[int, int]
    feature: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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
        T, the number of timesteps.
    input_mode : "repeat", "once" or "given"
        A static image is shown at every timestep ("repeat") or at the first only ("once"), or the caller gives all T
        frames ("given").
    layers : tuple[Layer, ...]
        The layers in execution order. A source names "input" or an earlier layer that fires, a product's operand an
        earlier layer whose map fits int8, and an addend an earlier layer whose neuron is a sum.
    calibration : (n, C, H, W), or (n, T, C, H, W), or None
        Some images, by which a compiler may find out how the layers' spikes are. They change no result.
    """

    name: str
    input_shape: tuple[int, int, int]
    input_levels: int
    timesteps: int
    input_mode: InputMode = "repeat"
    input_signed: bool = False
    layers: tuple[Layer, ...]
    calibration: np.ndarray | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
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
        self._check_size("network.input_shape", self.input_shape)
        _ = self.geometry  # walks the layers and raises where they do not fit together

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        low = -128 if self.input_signed else 0
        levels = f"{low}..{self.input_levels + low}"
        return f"Network({self.name}: {len(self.layers)} layers, input {shape} of {levels}, T={self.timesteps})"

    @cached_property
    def geometry(self) -> dict[str, Geometry]:
        """The sizes of every layer by its name, in execution order."""
        found: dict[str, Geometry] = {}
        for layer in self.layers:
            require(layer.name not in found, "layer.name", "unique in the network", layer.name)
            if layer.product:
                shape = self._product_shape(layer, layer.product, found)
                self._check_size(f"layer {layer.name!r}: output shape", shape)
                found[layer.name] = Geometry(conv=shape[1:], computed=shape[1:], feature=shape)
                continue
            sizes = [self._source_size(layer, source, found) for source in layer.convolutions]
            if layer.addend is not None:
                sizes.append(self._addend_size(layer, layer.addend, found))
            require(
                len(set(sizes)) == 1,
                f"layer {layer.name!r}: output sizes of the sources{' and of the addend' if layer.addend else ''}",
                "equal",
                sizes,
                "a join adds them position by position",
            )
            height, width = sizes[0]
            pooled = computed = (height, width)
            if (pool := layer.pool) is not None:
                pooled = (pool.outputs(height), pool.outputs(width))
                computed = (pool.covered(height), pool.covered(width))
            require(min(pooled) >= 1, f"layer {layer.name!r}: output size after pooling", "at least 1x1", pooled)
            self._check_size(f"layer {layer.name!r}: output shape", (layer.channels, height, width))
            if layer.join is not None:
                self._check_join(layer, layer.join, found, (layer.channels, *pooled))
            found[layer.name] = Geometry(
                conv=(height, width),
                computed=computed,
                feature=(layer.channels, *pooled),
            )
        return found

    def _check_size(self, name: str, shape: tuple[int, ...]) -> None:
        size = math.prod(map(int, shape)) * self.timesteps
        rule, why = f"of at most {MOST_ELEMENTS} elements over all timesteps", "memory is taken in proportion"
        require(size <= MOST_ELEMENTS, name, rule, shape, why)

    def _read_shape(self, layer: Layer, feature: str, found: dict[str, Geometry]) -> Shape:
        """Return the shape of a feature that a layer reads as rows, or refuse one that has no levels."""
        here = f"layer {layer.name!r}: source {feature!r}"
        known = feature == "input" or feature in found
        require(known, here, f"'input' or an earlier layer {list(found)}", feature)
        if feature != "input":
            kind = self.layer(feature).neuron.kind
            require(kind != "readout", here, "a layer that fires", feature, "a readout writes potentials, not levels")
            why = "a sum writes integers, not levels; put a neuron that fires in front"
            require(kind != "sum", here, "a layer that fires", feature, why)
            return found[feature].feature
        if self.input_signed:
            only = len({s.feature for s in layer.sources}) == 1
            require(only, here, "alone in its layer when the input is signed", feature, "planes differ")
            require(layer.encoding == "bitplane", f"{here}: encoding", "'bitplane'", layer.encoding)
        return self.input_shape

    def _product_shape(self, layer: Layer, product: Product, found: dict[str, Geometry]) -> Shape:
        shape = self._read_shape(layer, product.feature, found)
        signed = product.feature == "input" and self.input_signed
        require(
            not signed,
            f"layer {layer.name!r}: source 'input'",
            "unsigned in a product",
            "signed",
            "it has no sign plane",
        )
        here = f"layer {layer.name!r}: operand {product.operand!r}"
        why = "its integers take the place of weights, which are int8"
        known = product.operand in found
        require(known, here, f"an earlier layer {list(found)}", product.operand, "a map in memory is read as weights")
        neuron = self.layer(product.operand).neuron
        require(neuron.kind != "readout", here, "a sum or a layer that fires", product.operand, "no potentials; " + why)
        if neuron.kind == "sum":
            remedy = f"{why}; give the sum 8 bits, and a shift that lets its values fit"
            require(neuron.bits == 8, f"{here}: bits", "8", neuron.bits, remedy)
        most = self.feature_levels(product.operand)
        require(most <= OPERAND_LEVELS, f"{here}: levels", f"at most {OPERAND_LEVELS}", most, why)
        made = product.output_shape(shape, found[product.operand].feature)
        rule = f"{made[0]}, as the product has"
        require(layer.channels == made[0], f"layer {layer.name!r}: channels of the neuron", rule, layer.channels)
        return made

    def _source_size(self, layer: Layer, source: Source, found: dict[str, Geometry]) -> tuple[int, int]:
        here = f"layer {layer.name!r}: source {source.feature!r}"
        shape = self._read_shape(layer, source.feature, found)
        if source.mask is not None:
            self._check_mask(layer, source, source.mask, found)
        channels = int(np.prod(shape)) if source.flatten else shape[0]
        require(
            source.weight.shape[1] == channels,
            f"{here}: weight",
            f"of {channels} input channels for a feature of shape {shape}",
            source.weight.shape,
        )
        size = source.output_size(shape[1], shape[2])
        require(min(size) >= 1, f"{here}: output size", "at least 1x1", size, f"the feature has shape {shape}")
        return size

    def _check_mask(self, layer: Layer, source: Source, mask: str, found: dict[str, Geometry]) -> None:
        """Require that a mask has a level for each of its feature, or for each channel, in the same planes."""
        here = f"layer {layer.name!r}: mask {mask!r}"
        shape, own = (self._read_shape(layer, name, found) for name in (source.feature, mask))
        rule = f"{shape}, as the feature has, or ({shape[0]}, 1, 1), a level for each channel"
        require(own in (shape, (shape[0], 1, 1)), f"{here}: shape", rule, own)
        signed = any(map(self.feature_signed, (source.feature, mask)))
        require(not signed, f"{here}: input", "unsigned", "signed", "planes are combined one by one")
        levels = [self.feature_levels(name) for name in (source.feature, mask)]
        plain = max(levels) == 1 or layer.encoding == "thermometer"
        why = "the smaller of two levels has the planes that both have, if these are thermometer planes"
        require(plain, f"{here}: encoding", "'thermometer' for levels above 1", layer.encoding, why)

    def _addend_size(self, layer: Layer, addend: str, found: dict[str, Geometry]) -> tuple[int, int]:
        here = f"layer {layer.name!r}: addend {addend!r}"
        require(addend in found, here, f"an earlier layer {list(found)}", addend)
        kind, why = self.layer(addend).neuron.kind, "what is added is a map of integers, as a sum writes it"
        require(kind == "sum", here, "a layer whose neuron is a sum", kind, why)
        channels, height, width = found[addend].feature
        require(channels == layer.channels, f"{here}: channels", f"{layer.channels}, as the layer has", channels)
        return height, width

    def _check_join(self, layer: Layer, join: Join, found: dict[str, Geometry], shape: Shape) -> None:
        here = f"layer {layer.name!r}: join with {join.feature!r}"
        require(join.feature in found, here, f"an earlier layer {list(found)}", join.feature)
        kind = self.layer(join.feature).neuron.kind
        require(self.layer(join.feature).neuron.fires, here, "a layer that fires", kind, "levels are added to levels")
        own = found[join.feature].feature
        require(own == shape, f"{here}: shape", f"{shape}, as the layer writes", own)

    def layer(self, name: str) -> Layer:
        """Return the layer of that name, or raise KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"network {self.name!r} has no layer {name!r}: {[layer.name for layer in self.layers]}")

    def feature_shape(self, name: str) -> tuple[int, int, int]:
        """Return (C, H, W) of a feature: of "input", or of a layer's after its pool."""
        return self.input_shape if name == "input" else self.geometry[name].feature

    def feature_levels(self, name: str) -> int:
        """Return N of a feature, which is 0 where a layer does not fire."""
        return self.input_levels if name == "input" else self.layer(name).levels

    def feature_bits(self, name: str) -> int:
        """Return the bits of an integer map, 8, 16 or 32, which is 0 for levels and for the potentials of a readout."""
        if name == "input" or (neuron := self.layer(name).neuron).kind != "sum":
            return 0
        return neuron.bits

    def depth(self, name: str) -> int:
        """Return K of a layer, the number of products per output, which is 0 without sources.

        A product's is that of one head and timestep.
        """
        layer = self.layer(name)
        product, sources = layer.product, layer.convolutions
        return product.depth(self.feature_shape(product.feature)) if product else sum(s.depth for s in sources)

    def feature_signed(self, name: str) -> bool:
        """Return whether a feature is in two's complement, as only an input can be."""
        return name == "input" and self.input_signed


def equal(a: object, b: object) -> bool:
    """Compare two networks, or any part of one, field by field; arrays must have the same values and dtype.

    Calibration images are no part of what a network computes, and are left out.
    """
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a) if field.compare]
        return type(a) is type(b) and all(equal(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(equal, a, b))
    return a == b
