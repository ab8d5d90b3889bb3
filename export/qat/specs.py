"""What a layer is made of before its quantization: its sources and its neuron."""

from dataclasses import dataclass
from functools import cached_property

import torch

from ...model.network.neuron import NeuronKind, Reset


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source of a layer, before quantization.

    Members
    -------
    feature : name of the feature map that is read
    weight : Tensor (O, C // groups, KH, KW) in units of one input level, or (O, C*H*W) with columns (c, y, x) if linear
    avgpool : k of the k x k windows that are summed first; 1 if there are none
    linear : the source is a linear layer over the whole map
    in_shape : (C, H, W) of the map
    fixed : the weights are integers already and are used as they are, as those of sums of levels
    """

    feature: str
    weight: torch.Tensor
    stride: int = 1
    padding: int = 0
    groups: int = 1
    avgpool: int = 1
    linear: bool = False
    in_shape: tuple = ()
    fixed: bool = False

    @cached_property
    def factor(self) -> int:
        """The integer by which the map enters the sum, or 0 if that takes a convolution."""
        one = self.fixed and self.stride == 1 and self.weight.shape[1:] == (1, 1, 1)
        return int(self.weight[0]) if one and bool((self.weight == self.weight[0]).all()) else 0


@dataclass(frozen=True, kw_only=True)
class NeuronSpec:
    """The neuron of a layer, which with ``levels`` 0 is a readout; ``threshold`` is a scalar or a tensor (O,).

    ``leak`` is the part of the potential that is kept, in 1/256: a scalar or a tensor (O,). It need not be a whole
    number, to which the integers round it.
    """

    levels: int
    kind: NeuronKind = "if"
    reset: Reset = "soft"
    v0: float = 0.5
    leak: torch.Tensor | float = 256
    surrogate: str = "rectangular"
    width: float | None = None
    threshold: torch.Tensor | float = 1.0
    trainable: bool = False
