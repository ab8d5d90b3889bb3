"""What a layer is made of before its quantization: its sources and its neuron."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F

from ...model.network.neuron import NeuronKind, Reset, SumBits

WEIGHT_MAX = 127
WHOLE = 1e-3  # how far from a whole number the weights of a source network's integers may be
JUST_BELOW = 2.0**-8  # how far below a whole number a threshold may lie that means "above the number before"
ROUNDINGS = frozenset({"weights", "leak", "threshold"})
"""The kinds of rounding: weights to int8; leaks to 1/256 and the leaked potentials; thresholds, biases and v0."""
COARSE = 16  # weight steps of a threshold below which its rounding is coarse


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source of a layer, before quantization.

    Members
    -------
    feature : name of the feature map that is read
    weight : Tensor (O, C // groups, KH, KW) in units of one input level, or (O, C*H*W) with columns (c, y, x) if linear
    avgpool : height and width of the windows that are summed first; 1 and 1 if there are none
    linear : the source is a linear layer over the whole map
    in_shape : (C, H, W) of the map
    fixed : the weights are integers already and are used as they are, as those of sums of levels
    mask : name of the map that masks the feature, or "" (:class:`reprise.model.network.layer.Source`)
    step : the value (O,) of one integer of weights that were quantized before, and are kept as they are; else None
    """

    feature: str
    weight: torch.Tensor
    stride: int = 1
    padding: int = 0
    groups: int = 1
    avgpool: tuple[int, int] = (1, 1)
    linear: bool = False
    in_shape: tuple = ()
    fixed: bool = False
    mask: str = ""
    step: torch.Tensor | None = None

    @cached_property
    def factor(self) -> int:
        """The integer by which the map enters the sum, or 0 if that takes a convolution."""
        alone = self.weight.shape[1:] == (1, 1, 1) and self.groups == len(self.weight)  # a channel from a channel
        one = self.fixed and self.stride == 1 and alone
        return int(self.weight[0]) if one and bool((self.weight == self.weight[0]).all()) else 0

    def sums(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the sums of products (T, B, O, H, W) of a map (T, B, C, H, W) with a weight of this source's shape.

        Timesteps that are views of one image are computed once.
        """
        repeated = x.shape[0] > 1 and x.stride(0) == 0
        flat = (x[:1] if repeated else x).flatten(0, 1).to(weight.dtype)
        if self.avgpool != (1, 1):
            flat = F.avg_pool2d(flat, self.avgpool, divisor_override=1)
        if self.factor:
            y = flat if self.factor == 1 else flat * self.factor
        elif self.linear:
            y = F.linear(flat.flatten(1), weight)[..., None, None]
        else:
            y = F.conv2d(flat, weight, stride=self.stride, padding=self.padding, groups=self.groups)
        y = y.unflatten(0, (-1, x.shape[1]))
        return y.expand(x.shape[0], *y.shape[1:]) if repeated else y


@dataclass(frozen=True, kw_only=True)
class ProductSpec:
    """A product of two maps (:class:`reprise.model.network.layer.Product`).

    Members
    -------
    levels : the largest level of the feature
    most : the largest integer of the operand
    depth : K, the products of each output
    """

    feature: str
    operand: str
    over: Literal["tokens", "channels"]
    heads: int
    levels: int
    most: int
    depth: int


@dataclass(frozen=True, kw_only=True)
class NeuronSpec:
    """The neuron of a layer, which with ``levels`` 0 is a readout, or a sum of ``bits``, shifted by ``shift``.

    ``threshold``, ``leak`` and ``v0`` are scalars or tensors (O,). The leak is the part of the potential that is kept,
    in 1/256, and need not be a whole number, to which the integers round it; v0 is a part of the threshold.
    """

    levels: int
    kind: NeuronKind = "if"
    reset: Reset = "soft"
    v0: torch.Tensor | float = 0.5
    leak: torch.Tensor | float = 256
    surrogate: str = "rectangular"
    width: float | None = None
    threshold: torch.Tensor | float = 1.0
    trainable: bool = False
    bits: SumBits = 32
    shift: int = 0


def kept_step(
    specs: Sequence[SourceSpec], neuron: NeuronSpec, bias: torch.Tensor | None = None, *, normed: bool = False
) -> tuple[int, torch.Tensor | None]:
    """Return how weights that are integers already are kept: times which whole number, and the step (O,) of the result.

    There is no step if a source has none, if the steps of both sources differ, or if those of the channels of a readout
    do, whose potentials are compared. The number is 1, but where a threshold of few steps would be rounded coarsely, it
    is the largest one that the weights can bear. Nothing is coarse where all constants are whole steps.
    """
    steps = [s.step for s in specs]
    first = steps[0]
    if first is None or any(step is None or not torch.equal(step, first) for step in steps):
        return 1, None
    if neuron.levels == 0 and not bool((first == first[0]).all()):
        return 1, None
    first = first.detach()
    whole = [s.weight / first.view(-1, *(1,) * (s.weight.ndim - 1)) for s in specs]
    if not all(bool(w.isfinite().all()) for w in whole):
        return 1, None
    most = max(int(w.round().abs().max()) for w in whole)
    if most > WEIGHT_MAX or any(bool(((w - w.round()).abs() > WHOLE).any()) for w in whole):
        return 1, None
    least = (torch.as_tensor(neuron.threshold) / first).min() if neuron.levels else COARSE
    fine = least >= COARSE or (not normed and _whole(neuron, bias, first))
    multiple = 1 if fine else max(WEIGHT_MAX // max(most, 1), 1)
    return multiple, first / multiple


def _whole(neuron: NeuronSpec, bias: torch.Tensor | None, step: torch.Tensor) -> bool:
    """Return whether the threshold, the start and the bias of a neuron are whole steps of sums that are whole, too.

    A threshold that lies just below a whole number fires at this one.
    """
    d = torch.as_tensor(neuron.threshold, dtype=torch.float64).detach() / step
    below = d.round() - d
    rest = [torch.as_tensor(neuron.v0, dtype=torch.float64) * d] + ([] if bias is None else [bias.detach() / step])
    near = all(bool(((one.round() - one).abs() < JUST_BELOW).all()) for one in rest)
    return near and bool(((below > -WHOLE * JUST_BELOW) & (below < JUST_BELOW)).all())
