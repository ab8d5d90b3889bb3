"""Values of the graph while layers are put together: a map of levels, or a current still to be fired."""

from dataclasses import dataclass, replace

import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A map of levels: ``unit`` is the real value of one level; its reader still has to sum ``avgpool`` windows."""

    name: str
    shape: tuple
    levels: int
    unit: float = 1.0
    avgpool: int = 1
    flat: bool = False


@dataclass(frozen=True, kw_only=True)
class Current:
    """Input current of a neuron under construction: one or two sources, bias, at most one batch norm behind them."""

    name: str
    sources: tuple
    levels_in: tuple
    shape: tuple
    bias: torch.Tensor | None = None
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None
    pool: int = 0
    identity: bool = False


def over_weight(gain: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A scalar or per-output-channel factor, shaped to multiply a weight."""
    return gain.view(-1, *(1,) * (weight.ndim - 1)) if gain.ndim else gain


def fold_norm(x: Current) -> Current:
    """Batch norm with its running statistics folded into weights and bias."""
    n = x.norm
    assert n is not None and n.running_mean is not None and n.running_var is not None
    gain = (n.weight / (n.running_var + n.eps).sqrt()).detach()
    bias = n.bias.detach() + gain * ((0 if x.bias is None else x.bias) - n.running_mean)
    sources = tuple(replace(s, weight=s.weight * over_weight(gain, s.weight)) for s in x.sources)
    return replace(x, sources=sources, bias=bias, norm=None)
