"""The proof of widths: worst-case bounds of every sum in a network, from its weights alone.

They hold for each layer and output channel, over every input that the levels allow:

- *tile result* is the sum of the weight rows at any of one tile's bits, which is what an accumulator holds;
- *row psum* is the same over all of K: hardware keeps one partial sum per binary row, planes apart;
- *psum* is the sum of the weighted planes, ``sum level * w`` with levels up to the real N (not the planes' 2**P - 1),
  and every intermediate sum when planes are added from the least significant one up;
- *membrane* is U before and V after each of the T timesteps, by intervals over the cases of the reset;
- *steps* is ``N * D``, the largest multiple that the comparators compare with;
- *integers* is what the shift of a sum leaves of U, before it is clipped to the sum's bits.

In a product of two maps, the integers of the operand stand where other layers have weights. Each lies in the range
that was proven for the operand's channel, so layers are taken in their order.

Some input attains the first three where weights are constant, so these bounds are tight. Those of products, and the
interval of the membrane, are sound and may be wider than any input reaches. The arithmetic is in integers of Python or
of 64 bits, so that the proof itself cannot overflow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ...support.checks import require
from ...support.errors import RepriseError
from ..hardware import Registers
from ..network.layer import Layer, Product
from ..network.network import Network
from ..network.neuron import LEAK_ONE, Neuron
from ..prosparsity.tiling import weight_rows


class WidthError(RepriseError):
    """A sum can exceed the width that hardware has for it."""


@dataclass(frozen=True)
class Range:
    """An interval of integers, ends included."""

    low: int
    high: int

    @property
    def bits(self) -> int:
        """Bits of the smallest two's-complement number that can hold both ends."""
        return max(max(self.high, -self.low - 1, 0).bit_length() + 1, 1)

    def __or__(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, kw_only=True)
class LayerBounds:
    """The proven ranges of one layer, over all its output channels.

    ``integers`` is that of a sum, and None for other neurons; ``clips`` says that it exceeds the sum's bits, so that
    an input may be clipped. ``observed`` holds the ranges of "psum" and "membrane" that were seen on the images given
    to :func:`prove`, or None.
    """

    tile_result: Range
    row_psum: Range
    psum: Range
    membrane: Range
    steps: Range
    integers: Range | None = None
    clips: bool = False
    observed: dict[str, Range] | None = None


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Bits (two's complement) that hardware has for each sum; a sum whose width is None is not checked."""

    tile_result: int | None = None
    row_psum: int | None = None
    psum: int | None = None
    membrane: int | None = None
    steps: int | None = None

    @classmethod
    def of(cls, registers: Registers) -> Widths:
        """The widths of a configuration. Tile results and steps always fit, so they are not checked."""
        wide = registers.membrane_bits
        return cls(row_psum=registers.psum_bits, psum=wide, membrane=wide)


def _covering(low: np.ndarray, high: np.ndarray) -> Range:
    return Range(int(min(low)), int(max(high)))


def _parts(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the positive weights and the negative weights of int8[K, O], each per output channel."""
    wide = matrix.astype(np.int64)
    return np.maximum(wide, 0).sum(axis=0), np.minimum(wide, 0).sum(axis=0)


Sums = tuple[Range, Range, np.ndarray, np.ndarray]
"""The tile result, the row psum, and the psum of every channel (low, high)."""

Values = tuple[np.ndarray, np.ndarray]
"""The smallest and the largest value of every channel of a map."""


def _product_sums(network: Network, product: Product, operand: Values, tile_k: int) -> Sums:
    terms, heads = product.depth(network.feature_shape(product.feature)), product.heads
    low, high = np.minimum(operand[0], 0), np.maximum(operand[1], 0)
    if product.over == "tokens":  # a channel of the output has the products of all heads
        low, high = low.reshape(heads, -1).min(axis=0), high.reshape(heads, -1).max(axis=0)
    else:
        low, high = np.tile(low, heads), np.tile(high, heads)
    row, most = _covering(terms * low, terms * high), network.feature_levels(product.feature) * terms
    few = min(terms, tile_k)
    return _covering(few * low, few * high), row, most * low, most * high


def _values(layer: Layer, low: np.ndarray, high: np.ndarray) -> tuple[Values, Range | None]:
    """Return the values of a layer's map for sums in ``low`` to ``high``, and the range of a sum before it is clipped.

    A readout has no map; its values have no meaning.
    """
    neuron = layer.neuron
    if neuron.kind != "sum":
        return (np.zeros(layer.channels, np.int64), np.full(layer.channels, layer.levels)), None
    ends = [(end + neuron.bias) >> neuron.shift for end in (low, high)]
    clipped = [np.clip(end, *neuron.integers) for end in ends]
    return (clipped[0], clipped[1]), _covering(*ends)


def _sums(network: Network, layer: Layer, tile_k: int) -> Sums:
    tile = row = Range(0, 0)
    row_high = row_low = high = low = np.zeros(layer.channels, dtype=np.int64)
    for source in layer.convolutions:
        matrix = weight_rows(source, network.feature_shape(source.feature)[0])
        for k in range(0, len(matrix), tile_k):
            up, down = _parts(matrix[k : k + tile_k])
            tile |= _covering(down, up)
        up, down = _parts(matrix)
        row_high, row_low = row_high + up, row_low + down
        least, most = (
            (-128, 127) if network.feature_signed(source.feature) else (0, network.feature_levels(source.feature))
        )
        # the low planes of a level are a number in 0..most, so sums over them lie within these bounds too
        high, low = high + most * up + least * down, low + most * down + least * up
    return tile, row | _covering(row_low, row_high), low, high


def _after_reset(neuron: Neuron, channel: int, u: Range) -> Range:
    """Return the range of V after firing and reset, for U in ``u``."""
    step, top = int(neuron.threshold[channel]), int(neuron.threshold[channel]) * neuron.levels
    if neuron.reset == "none":
        return u
    cases = []
    if u.low < step:  # does not fire
        cases.append(Range(u.low, min(u.high, step - 1)))
    if u.high >= step and neuron.reset == "hard":
        cases.append(Range(0, 0))
    elif u.high >= step:
        if u.low < top + step:  # the remainder of a division
            cases.append(Range(0, min(step - 1, u.high)))
        if u.high >= top + step:  # beyond the largest level: N steps are taken off
            cases.append(Range(max(u.low, top + step) - top, u.high - top))
    result = cases[0]
    for case in cases[1:]:
        result |= case
    return result


def membrane_range(neuron: Neuron, low: np.ndarray, high: np.ndarray, timesteps: int) -> Range:
    """Return the range of every U and V of a layer over all timesteps.

    Parameters
    ----------
    neuron : Neuron
    low, high : integers [O]
        The bounds of the partial sum of each channel.
    timesteps : int
    """
    found = Range(int(neuron.v0.min()), int(neuron.v0.max()))
    for channel in range(neuron.channels):
        leak, bias = int(neuron.leak[channel]), int(neuron.bias[channel])
        v = Range(int(neuron.v0[channel]), int(neuron.v0[channel]))
        for _ in range(timesteps):
            kept = v if leak == LEAK_ONE else Range((v.low * leak) >> 8, (v.high * leak) >> 8)
            u = Range(kept.low + int(low[channel]) + bias, kept.high + int(high[channel]) + bias)
            after = _after_reset(neuron, channel, u)
            found |= u | after
            if after == v:  # a fixed point: later timesteps add nothing
                break
            v = after
    return found


def _observe(network: Network, images: np.ndarray) -> dict[str, dict[str, Range]]:
    from .runner import run

    seen = run(network, images, record=("psums", "potentials"))
    ranges = {}
    for layer in network.layers:
        psum, potential = seen.psums[layer.name], seen.potentials[layer.name]
        ranges[layer.name] = {
            "psum": Range(int(psum.min()), int(psum.max())),
            "membrane": Range(int(potential.min()), int(potential.max())),
        }
    return ranges


def prove(network: Network, tile_k: int, images: np.ndarray | None = None) -> dict[str, LayerBounds]:
    """Prove the bounds of every layer, in execution order.

    Parameters
    ----------
    network : Network
    tile_k : int
        Bits of a row in a tile, 1..64.
    images : integers or None
        If given, the network is run on them, and what is seen is reported beside the bounds.
    """
    require(1 <= tile_k <= 64, "tile_k", "in 1..64", tile_k)
    seen = {} if images is None else _observe(network, images)
    bounds, values = dict[str, LayerBounds](), dict[str, Values]()
    for layer in network.layers:
        if layer.product:
            tile, row, low, high = _product_sums(network, layer.product, values[layer.product.operand], tile_k)
        else:
            tile, row, low, high = _sums(network, layer, tile_k)
        if layer.addend:
            least, most = values[layer.addend]
            low, high = (low << layer.shift) + least, (high << layer.shift) + most
        neuron = layer.neuron
        values[layer.name], integers = _values(layer, low, high)
        bounds[layer.name] = LayerBounds(
            tile_result=tile,
            row_psum=row,
            psum=_covering(low, high) | Range(0, 0),
            membrane=membrane_range(neuron, low, high, network.timesteps),
            steps=Range(0, int(neuron.threshold.max()) * neuron.levels),
            integers=integers,
            clips=integers is not None and integers.bits > neuron.bits,
            observed=seen.get(layer.name),
        )
    return bounds


def check(network: Network, widths: Widths, tile_k: int) -> dict[str, LayerBounds]:
    """Prove the bounds of every layer, and refuse a network that could overflow.

    Raises
    ------
    WidthError
        A sum could overflow; the message names the layer, the sum, its bound, the bits that it needs and the width that
        hardware has.
    """
    bounds = prove(network, tile_k)
    for name, found in bounds.items():
        for one in fields(Widths):
            width, needed = getattr(widths, one.name), getattr(found, one.name)
            if width is not None and needed.bits > width:
                raise WidthError(
                    f"layer {name!r}: {one.name} must fit {width} bits, but its worst case "
                    f"{needed.low}..{needed.high} needs {needed.bits}: the network could overflow"
                )
    return bounds
