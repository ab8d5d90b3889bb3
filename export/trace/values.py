"""The values of a graph while layers are put together: a map of levels, or a current that has not been fired yet."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from ...model.network.pool import MaxPool
from ..qat.membrane import Stream
from ..qat.specs import ProductSpec, SourceSpec
from .graph import Node


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A map of levels.

    Members
    -------
    shape : (C, H, W)
    levels : the largest level
    unit : the real value of one level: a number, a tensor (C,), or one (C*H*W,) if the map is flattened
    avgpool : height and width of the windows that its reader still has to sum; 1 and 1 if there are none
    flat : its reader sees it flattened
    """

    name: str
    shape: tuple
    levels: int
    unit: float | torch.Tensor = 1.0
    avgpool: tuple[int, int] = (1, 1)
    flat: bool = False

    @property
    def window(self) -> int:
        """How many positions its reader still has to sum, each time."""
        return self.avgpool[0] * self.avgpool[1]

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns of positions behind its average pool."""
        return self.shape[1] // self.avgpool[0], self.shape[2] // self.avgpool[1]


@dataclass(frozen=True, kw_only=True)
class Masked:
    """A map that is read where a mask has spikes; only what has weights can read it.

    Members
    -------
    feature : what is read; its unit is that of both
    mask : name of the map that masks it
    """

    feature: Feature
    mask: str

    def through(self, current: "Current") -> "Current":
        """Return the current of what reads the map as the current of what reads it masked."""
        return replace(current, sources=tuple(replace(s, mask=self.mask) for s in current.sources))


@dataclass(frozen=True, kw_only=True)
class Current:
    """The input current of a neuron under construction: one or two sources, a bias, and at most one batch norm.

    It may have an addend, a stored current, and then needs no sources; its batch norm is that of the sources if there
    are any.

    Members
    -------
    levels_in : the largest level of every source
    shape : (C, H, W)
    pool : the max pool that follows the neuron
    overlapping : the node of a max pool that follows the neuron as a layer of its own
    identity : all sources take their maps as they are
    product : the product of two maps that the current is, in place of sources; the one source that it has then holds
        the value of one integer of the product for each channel
    stream, addend : the stream of currents that it belongs to, and the map of it that is added, or ""
    """

    name: str
    sources: tuple
    levels_in: tuple
    shape: tuple
    bias: torch.Tensor | None = None
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None
    pool: MaxPool | None = None
    overlapping: Node | None = None
    identity: bool = False
    product: ProductSpec | None = None
    stream: Stream | None = None
    addend: str = ""


def product_current(product: ProductSpec, shape: tuple, unit: float, where: str) -> Current:
    """Return the product of two maps as a current of ``shape``; ``unit`` is the value of one of its integers."""
    weight = torch.full((shape[0], 1, 1, 1), unit, dtype=torch.float64)
    source = SourceSpec(feature=product.feature, weight=weight, fixed=True)
    return Current(name=where, sources=(source,), levels_in=(product.levels,), shape=shape, product=product)


def over_weight(gain: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Shape a factor, which is a scalar or has a value for each output channel, so that it multiplies a weight."""
    return gain.view(-1, *(1,) * (weight.ndim - 1)) if gain.ndim else gain


def fold_norm(x: Current) -> Current:
    """Fold the batch norm into weights and bias, by its running statistics."""
    n = x.norm
    assert n is not None and n.running_mean is not None and n.running_var is not None
    gain = (n.weight / (n.running_var + n.eps).sqrt()).detach()
    return replace(
        scaled(x, gain), bias=n.bias.detach() + gain * ((0 if x.bias is None else x.bias) - n.running_mean), norm=None
    )


def scaled(x: Current, gain: torch.Tensor) -> Current:
    """Return a current times a factor, which is a scalar or has a value for each output channel."""
    sources = tuple(
        replace(
            s,
            weight=s.weight * over_weight(gain, s.weight),
            step=None if s.step is None or bool((gain == 0).any()) else s.step * gain.abs(),
        )
        for s in x.sources
    )
    return replace(x, sources=sources, bias=None if x.bias is None else x.bias * gain)
