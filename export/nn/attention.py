"""Attention of spikes as modules that the accelerator runs: spiking self-attention, and spike-driven attention.

The first is that of Spikformer (Zhou et al. 2023), the second that of the Spike-driven Transformer (Yao et al. 2023,
arXiv 2307.01694): K and V are multiplied token by token and added up, and Q passes where that makes a channel fire.

Attention without softmax is a product of three maps of levels, ``(Q K^T) V = Q (K^T V)``, in heads. ``G = K^T V`` comes
first, because it is a small matrix for each head and timestep: it takes the place of int8 weights, and the rows of both
products are spikes. Time is folded into the batch, and tokens are the positions (y, x) of a map.
"""

from collections.abc import Callable

import torch
from torch import nn

from ...support.errors import RepriseError
from .gradients import floor_ste

G_MOST = 127
"""The largest integer of G, which is stored as int8."""


def over_tokens(k: torch.Tensor, v: torch.Tensor, heads: int) -> torch.Tensor:
    """Return ``G = K^T V`` of maps (..., heads * d, H, W) and (..., heads * dv, H, W): (..., dv, heads, d)."""
    rows, weights = (x.unflatten(-3, (heads, -1)).flatten(-2) for x in (k, v))
    return (weights @ rows.transpose(-1, -2)).transpose(-3, -2)


def over_channels(q: torch.Tensor, g: torch.Tensor, heads: int) -> torch.Tensor:
    """Return ``Q G`` of a map (..., heads * d, H, W) and of G (..., dv, heads, d): (..., heads * dv, H, W)."""
    rows = q.unflatten(-3, (heads, -1)).flatten(-2)
    return (g.transpose(-3, -2) @ rows).flatten(-3, -2).unflatten(-1, q.shape[-2:])


class AttentionProducts(nn.Module):
    """``Q (K^T V)``, head by head, of three maps of levels: what stands between the neurons of attention.

    Where G could exceed 127, which is L N_K N_V for L tokens, it is shifted to the right by ``shift`` and clipped to
    127. That is a part of what is computed and trained; the result stays in the same units.

    Parameters
    ----------
    heads : int
        Into so many parts of equal size the channels of each map are cut.
    shift : int
        Low bits of G that are dropped, 0..31. Hardware writes sums as they are: the compiler refuses any but 0.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    def __init__(self, heads: int, *, shift: int = 0) -> None:
        super().__init__()
        if heads < 1:
            raise RepriseError(f"heads must be at least 1, not {heads}")
        if not 0 <= shift <= 31:
            raise RepriseError(f"shift must be in 0..31, not {shift}")
        self.heads, self.shift = heads, shift

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        step = 1 << self.shift
        g = floor_ste(over_tokens(k, v, self.heads) / step).clamp(max=G_MOST)
        return over_channels(q, g * step, self.heads)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, shift={self.shift}"


class _Branches(nn.Module):
    """The linear layers of an attention, each with its batch norm and its neuron.

    Parameters
    ----------
    channels : of the map (T * B, channels, H, W), whose positions are the tokens
    neurons : makes the neuron of each branch, by its name; None leaves a current
    """

    def __init__(self, channels: int, neurons: dict[str, Callable[[], nn.Module] | None]) -> None:
        super().__init__()
        for name, neuron in neurons.items():  # a convolution of 1x1 is a linear layer on every token
            self.add_module(name, nn.Conv2d(channels, channels, 1, bias=False))
            self.add_module(f"{name}_norm", nn.BatchNorm2d(channels))
            self.add_module(f"{name}_neuron", neuron() if neuron else nn.Identity())

    def branch(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Return what the neuron of a branch fires, or its current."""
        for part in (name, f"{name}_norm", f"{name}_neuron"):
            x = self.get_submodule(part)(x)
        return x


class SpikingSelfAttention(_Branches):
    """``neuron(BN(proj(neuron(Q (K^T V)))))`` with q, k, v = neuron(BN(linear(x))).

    Parameters
    ----------
    channels : int
        Of the map x (T * B, channels, H, W), whose positions are the tokens.
    heads : int
    neuron : callable
        Makes the neurons of q, v and proj.
    key : callable or None
        Makes the neuron of k, whose levels multiply the width of G; by default ``neuron``.
    attention : callable
        Makes the neuron of ``Q (K^T V)``. Its threshold is the step of attention, a whole number.
    shift : int
        Of :class:`AttentionProducts`.
    current : bool
        End with the current of the projection, which a membrane shortcut adds to its stream, in place of its neuron.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        neuron: Callable[[], nn.Module],
        attention: Callable[[], nn.Module],
        key: Callable[[], nn.Module] | None = None,
        shift: int = 0,
        current: bool = False,
    ) -> None:
        if channels % heads:
            raise RepriseError(f"heads must divide the {channels} channels, not {heads}")
        super().__init__(channels, {"q": neuron, "k": key or neuron, "v": neuron, "proj": None if current else neuron})
        self.products, self.neuron = AttentionProducts(heads, shift=shift), attention()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (self.branch(name, x) for name in "qkv")
        return self.branch("proj", self.neuron(self.products(q, k, v)))


class SpikeMask(nn.Module):
    """The spikes of a map where a second map has one, too: of its shape, or with one position for all of them.

    Both maps are spikes 0 and 1, of neurons of one level.
    """

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask


class TokenSum(nn.Module):
    """The sum of a map (..., C, H, W) over its positions, (..., C, 1, 1)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum((-2, -1), keepdim=True)


class SpikeDrivenAttention(_Branches):
    """``neuron(BN(proj(Q where attention(sum over tokens of K * V))))`` with q, k, v = neuron(BN(linear(x))).

    Parameters
    ----------
    channels : int
        Of the map x (T * B, channels, H, W), whose positions are the tokens.
    neuron : callable
        Makes the neurons of proj.
    spikes : callable or None
        Makes the neurons of q, k and v, which have one level; by default ``neuron``.
    attention : callable
        Makes the neuron of the sum, which has one level.
    current : bool
        As in :class:`SpikingSelfAttention`: the published network has a membrane shortcut.
    """

    def __init__(
        self,
        channels: int,
        *,
        neuron: Callable[[], nn.Module],
        attention: Callable[[], nn.Module],
        spikes: Callable[[], nn.Module] | None = None,
        current: bool = False,
    ) -> None:
        first = spikes or neuron
        super().__init__(channels, {"q": first, "k": first, "v": first, "proj": None if current else neuron})
        self.both, self.tokens, self.neuron, self.passed = SpikeMask(), TokenSum(), attention(), SpikeMask()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (self.branch(name, x) for name in "qkv")
        channels = self.neuron(self.tokens(self.both(k, v)))
        return self.branch("proj", self.passed(q, channels))
