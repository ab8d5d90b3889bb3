"""The parts of a network: neuron parameters, sources with their weights, pools and layers.

Arrays are copied, cast and set read-only when a dataclass is made, so a validated part stays valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...support.checks import int_array, require, require_int
from .join import Join
from .neuron import Neuron
from .pool import MaxPool

Encoding = Literal["bitplane", "thermometer"]
Shape = tuple[int, int, int]


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
    mask : str or None
        "input" or the name of an earlier layer, of the feature's shape or of one value for each channel, (C, 1, 1).
        The source reads the smaller of the two levels; of binary spikes, a spike where both have one.
    """

    feature: str
    weight: np.ndarray
    stride: int = 1
    padding: int = 0
    flatten: bool = False
    mask: str | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.feature, str) and self.feature != "", "source.feature", "a name", self.feature)
        named = self.mask is None or (isinstance(self.mask, str) and self.mask != "")
        require(named, "source.mask", "a name or None", self.mask)
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
        masked = f" where {self.mask}" if self.mask else ""
        return f"Source({self.feature}{masked}, weights {'x'.join(map(str, self.weight.shape))})"

    def levels(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the levels that the source reads, (..., C, H, W): those of its feature, masked if it has a mask."""
        feature = features[self.feature]
        return feature if self.mask is None else np.minimum(feature, features[self.mask])

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


OPERAND_LEVELS = 127
"""The largest level, and the largest integer, of a product's operand: it takes the place of int8 weights."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """The product of two feature maps, head by head, at the same image and timestep: what attention is made of.

    Channels of both maps are cut into ``heads`` parts of equal size, d channels of the feature and dv of the operand::

        over "tokens"     out[j, head, i] = sum over positions p of feature[head*d + i, p] * operand[head*dv + j, p]
        over "channels"   out[head*dv + j, y, x] = sum over i of feature[head*d + i, y, x] * operand[j, head, i]

    So the first, of K and V, gives ``G = K^T V`` as a map (dv, heads, d), and the second, of Q and G, gives ``Q G`` as
    a map of dv channels a head. The levels of ``feature`` become binary rows, as those of a source do; the integers of
    ``operand`` take the place of weights.

    Parameters
    ----------
    feature : str
        "input" or the name of an earlier layer that fires.
    operand : str
        The name of an earlier layer whose map fits int8: the integer map of a sum of 8 bits, or levels up to 127.
    over : "tokens" or "channels"
        What is summed over.
    heads : int
    """

    feature: str
    operand: str
    over: Literal["tokens", "channels"]
    heads: int = 1

    def __post_init__(self) -> None:
        for field in ("feature", "operand"):
            name = getattr(self, field)
            require(isinstance(name, str) and name != "", f"product.{field}", "a name", name)
        require(self.over in ("tokens", "channels"), "product.over", "'tokens' or 'channels'", self.over)
        require_int("product.heads", self.heads, 1)

    def __repr__(self) -> str:
        return f"Product({self.feature} x {self.operand} over {self.over}, {self.heads} heads)"

    def output_shape(self, feature: Shape, operand: Shape) -> Shape:
        """Return (C, H, W) of the product of two maps of these shapes, or refuse maps that do not fit together."""
        heads, here = self.heads, f"product of {self.feature!r} and {self.operand!r}"
        require(feature[0] % heads == 0, f"{here}: heads", f"a divisor of the feature's {feature[0]} channels", heads)
        d = feature[0] // heads
        if self.over == "channels":
            rule = f"(dv, {heads}, {d}), of a column for each channel of a head"
            why = "a product over tokens of as many heads makes such a map"
            require(operand[1:] == (heads, d), f"{here}: shape of the operand", rule, operand, why)
            return heads * operand[0], *feature[1:]
        rule = f"(C, {feature[1]}, {feature[2]}), of the positions of the feature"
        require(operand[1:] == feature[1:], f"{here}: shape of the operand", rule, operand)
        require(operand[0] % heads == 0, f"{here}: heads", f"a divisor of the operand's {operand[0]} channels", heads)
        return operand[0] // heads, heads, d

    def depth(self, feature: Shape) -> int:
        """Return K, the products per output: the positions of a feature of that shape, or the channels of a head."""
        return feature[1] * feature[2] if self.over == "tokens" else feature[0] // self.heads


MOST_SHIFT = 7
"""The largest shift of sums beside an addend."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Layer:
    """Sources, a neuron and an optional pool.

    Parameters
    ----------
    name : str
        Unique in the network. The feature that the layer writes has the same name.
    sources : tuple[Source, ...] or tuple[Product]
        One, or two (main and shortcut) of the same output shape, whose products are added. A product of two maps is
        alone. There may be none if there is an addend: neurons on a stored current.
    neuron : Neuron
    encoding : "bitplane" or "thermometer"
        How the levels that this layer *reads* become binary rows; one choice for all its sources.
    pool : MaxPool or None
        What follows the neuron; one that does not fire has none, and neither has a product or an addend.
    addend : str or None
        The name of an earlier layer whose neuron is a sum. Its integers, which are of the shape that this layer
        computes, are added to the sums of products at every timestep, as the bias is: a membrane shortcut.
    shift : int
        Beside an addend, the sums of products count 2**shift times: so they are in the unit of the addend, which is the
        finest of all that is added up.
    join : Join or None
        What is added to the levels that the neuron fires, timestep by timestep; the feature is the sum. The compiler
        makes it of two layers (:mod:`reprise.compiler.rows.joins`), and no network file has one.
    """

    name: str
    sources: tuple[Source | Product, ...]
    neuron: Neuron
    encoding: Encoding = "bitplane"
    pool: MaxPool | None = None
    addend: str | None = None
    shift: int = 0
    join: Join | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.name, str) and self.name not in ("", "input"), "layer.name", "a name", self.name)
        object.__setattr__(self, "sources", tuple(self.sources))
        here = f"layer {self.name!r}"
        count, rule = len(self.sources), "one or two, or none beside an addend"
        require(count in (1, 2) or (count == 0 and self.addend is not None), f"{here}: sources", rule, count)
        encodings = ("bitplane", "thermometer")
        require(self.encoding in encodings, f"{here}: encoding", f"one of {encodings}", self.encoding)
        if self.product:
            require(len(self.sources) == 1, f"{here}: sources", "one, as one is a product", len(self.sources))
            require(self.pool is None, f"{here}: pool", "None behind a product", self.pool, "pool its operands instead")
            why = "add it in the layer behind the product"
            require(self.addend is None, f"{here}: addend", "None beside a product", self.addend, why)
        require_int(f"{here}: shift", self.shift, 0, MOST_SHIFT, "planes of so many bits are weighed")
        alone = self.shift == 0 or (self.addend is not None and self.convolutions)
        require(bool(alone), f"{here}: shift", "0 without an addend or sources", self.shift, "multiply the weights")
        if self.addend is not None:
            named = isinstance(self.addend, str) and self.addend != ""
            require(named, f"{here}: addend", "the name of a layer", self.addend)
            why = "integers are added in the order of positions; pool in a layer behind"
            require(self.pool is None, f"{here}: pool", "None beside an addend", self.pool, why)
        if any(source.mask for source in self.convolutions):
            why = "a mask takes the place of the second map"
            require(len(self.sources) == 1, f"{here}: sources", "one, as it has a mask", len(self.sources), why)
        for source in self.convolutions:
            require(
                source.weight.shape[0] == self.neuron.channels,
                f"{here}: weight of source {source.feature!r}",
                f"of {self.neuron.channels} output channels, as the neuron has",
                source.weight.shape,
            )
        if not self.neuron.fires:
            require(
                self.pool is None, f"{here}: pool", "None", self.pool, f"a {self.neuron.kind} has no levels to pool"
            )
        if self.join is not None:
            alone = self.pool is None and not self.product and self.neuron.fires
            why = "levels are added in the order of positions"
            require(
                alone, f"{here}: join", "None beside a pool, a product, or neurons that do not fire", self.join, why
            )

    def __repr__(self) -> str:
        pool = f", max pool {self.pool.kernel}{' by 2' * self.pool.overlaps}" if self.pool else ""
        reads = " + ".join([*map(repr, self.sources), *([self.addend] if self.addend else [])])
        join = f", {self.join!r}" if self.join else ""
        return f"Layer({self.name}: {reads}, {self.neuron!r}{join}, {self.encoding}{pool})"

    @property
    def channels(self) -> int:
        """O, the number of output channels."""
        return self.neuron.channels

    @property
    def levels(self) -> int:
        """N of the feature that the layer writes: that of its neuron, or of its join; 0 if it does not fire."""
        return self.join.levels if self.join else self.neuron.levels

    @property
    def columns(self) -> int:
        """The columns of a weight matrix: O, but those of one head where a product writes all heads side by side."""
        product = self.product
        return self.channels // product.heads if product and product.over == "channels" else self.channels

    @property
    def product(self) -> Product | None:
        """The product of two maps that the layer computes, or None if its weights are its own."""
        return next((source for source in self.sources if isinstance(source, Product)), None)

    @property
    def convolutions(self) -> tuple[Source, ...]:
        """The sources that bring their own weights, which are all or none of them."""
        return tuple(source for source in self.sources if isinstance(source, Source))

    @property
    def rows(self) -> tuple[str, ...]:
        """The features whose planes are rows: those of its sources, and a mask of them."""
        masks = (source.mask for source in self.convolutions if source.mask)
        return *(source.feature for source in self.sources), *masks

    @property
    def reads(self) -> tuple[str, ...]:
        """The features that the layer reads: of its sources, a mask, the operand of a product, the addend, the join."""
        addend = (self.addend,) if self.addend else ()
        join = (self.join.feature,) if self.join else ()
        return *self.multiplied, *addend, *join

    @property
    def multiplied(self) -> tuple[str, ...]:
        """The features that the sums of products are made of: those of rows, and the operand of a product."""
        return *self.rows, *((self.product.operand,) if self.product else ())
