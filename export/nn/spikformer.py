"""Spikformer (Zhou et al. 2023, arXiv 2209.15425), with joins that clip.

The published network adds spikes to spikes, so that levels pile up from block to block and every later layer reads more
planes. Here a barrier behind each addition ends that. Pools are of 2x2, not of 3x3.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from .attention import SpikingSelfAttention


class Chain(nn.Sequential):
    """Convolutions with their batch norms and neurons: conv1, norm1, neuron1, conv2 and so on."""

    def __init__(self, neuron: Callable[..., nn.Module], channels: Sequence[int], kernel: int = 1) -> None:
        super().__init__()
        for number, (c_in, c_out) in enumerate(pairwise(channels), 1):
            self.add_module(f"conv{number}", nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False))
            self.add_module(f"norm{number}", nn.BatchNorm2d(c_out))
            self.add_module(f"neuron{number}", neuron())


def stem_stages(
    neuron: Callable[..., nn.Module], channels: int, stem: Sequence[tuple[int, bool]]
) -> tuple[list[tuple[str, nn.Module]], int]:
    """Return the stages of a stem with their names, and the channels that it makes.

    Parameters
    ----------
    neuron : makes a neuron
    channels : of the input
    stem : pairs of channels and whether a 2x2 max pool follows
    """
    stages: list[tuple[str, nn.Module]] = []
    for number, (wide, pooled) in enumerate(stem, 1):
        stages += [(f"stem{number}", Chain(neuron, (channels, wide), 3))]
        stages += [(f"pool{number}", nn.MaxPool2d(2))] if pooled else []
        channels = wide
    return stages, channels


class Block(nn.Module):
    """``x = join(x, attention(x))``, then ``x = join(x, mlp(x))``."""

    def __init__(self, attention: SpikingSelfAttention, mlp: nn.Module, barrier: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.attention, self.mlp = attention, mlp
        self.join1, self.join2 = barrier(), barrier()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.join1(x + self.attention(x))
        return self.join2(x + self.mlp(x))


class Spikformer(nn.Module):
    """A stem of convolutions, which makes the tokens, blocks of attention, and the mean over all tokens.

    Parameters
    ----------
    channels : int
        Of the images.
    stem : pairs of channels and whether a 2x2 max pool follows
        The last one has the channels of a token.
    heads, depth : int
        Heads of the attention, and the number of blocks.
    neuron : callable
        ``neuron(levels=N, threshold=D)`` makes a neuron; both have a default.
    barrier : callable
        Makes the neuron behind an addition.
    classes : int
    ratio : int
        By how much a block's hidden layer is wider than a token.
    step : float or None
        The threshold of the attention's neuron; by default the channels of a head.
    shift : int
        Of :class:`reprise.export.nn.attention.AttentionProducts`.
    """

    def __init__(
        self,
        channels: int,
        stem: Sequence[tuple[int, bool]],
        *,
        heads: int,
        depth: int,
        neuron: Callable[..., nn.Module],
        barrier: Callable[[], nn.Module],
        classes: int = 10,
        ratio: int = 2,
        step: float | None = None,
        shift: int = 0,
    ) -> None:
        super().__init__()
        stages, dim = stem_stages(neuron, channels, stem)
        self.position, self.join = Chain(neuron, (dim, dim), 3), barrier()
        blocks = []
        for number in range(depth):
            attention = SpikingSelfAttention(
                dim,
                heads,
                neuron=neuron,
                key=partial(neuron, levels=1),
                attention=partial(neuron, threshold=step or dim // heads),
                shift=shift,
            )
            mlp = Chain(neuron, (dim, ratio * dim, dim))
            blocks += [(f"block{number + 1}", Block(attention, mlp, barrier))]
        self.stem, self.blocks = [name for name, _ in stages], [name for name, _ in blocks]
        for name, part in (*stages, *blocks):
            self.add_module(name, part)
        self.pool, self.flatten, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(dim, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.stem:
            x = self.get_submodule(name)(x)
        x = self.join(x + self.position(x))
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        return self.head(self.flatten(self.pool(x)))
