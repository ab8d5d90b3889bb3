"""The Spike-driven Transformer (Yao et al. 2023, arXiv 2307.01694), whose shortcuts are currents.

Neurons stand in front of every convolution behind the stem, and what goes past them is a stream of currents, to which
each branch adds its own. Three things differ from the published network: pools are of 2x2 and stand behind neurons, and
the last neuron fires for every token before the mean over the tokens is taken.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from ...model.network.neuron import SumBits
from .attention import SpikeDrivenAttention
from .membrane import MembraneStream
from .spikformer import stem_stages


class Branch(nn.Sequential):
    """A neuron, a convolution and its batch norm, once for each pair of channels: what adds to a stream."""

    def __init__(self, neuron: Callable[..., nn.Module], *channels: int, kernel: int = 1) -> None:
        super().__init__()
        for number, (c_in, c_out) in enumerate(zip(channels, channels[1:], strict=False), 1):
            self.add_module(f"neuron{number}", neuron())
            self.add_module(f"conv{number}", nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False))
            self.add_module(f"norm{number}", nn.BatchNorm2d(c_out))


class Block(nn.Module):
    """``x = x + attention(neuron(x))``, then ``x = x + mlp(x)``."""

    def __init__(self, neuron: Callable[..., nn.Module], dim: int, hidden: int, step: float, stream: partial) -> None:
        super().__init__()
        one = partial(neuron, levels=1)
        attention = partial(one, threshold=step)
        self.neuron = neuron()
        self.attention = SpikeDrivenAttention(dim, neuron=neuron, spikes=one, attention=attention, current=True)
        self.mlp, self.join1, self.join2 = Branch(neuron, dim, hidden, dim), stream(), stream()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.join1(x, self.attention(self.neuron(x)))
        return self.join2(x, self.mlp(x))


class SpikeDrivenTransformer(nn.Module):
    """A stem of convolutions, which makes the tokens and the stream, blocks of attention, and the mean over all tokens.

    Parameters
    ----------
    channels : int
        Of the images.
    stem : pairs of channels and whether a 2x2 max pool follows
        The last one has the channels of a token. A convolution behind them begins the stream.
    depth : int
        The number of blocks.
    neuron : callable
        ``neuron(levels=N, threshold=D)`` makes a neuron; both have a default.
    classes : int
    ratio : int
        By how much a block's hidden layer is wider than a token.
    step : float
        The threshold of the attention's neuron: at how many tokens both K and V have to fire.
    bits : int
        Of the integers that hold the stream.
    """

    def __init__(
        self,
        channels: int,
        stem: Sequence[tuple[int, bool]],
        *,
        depth: int,
        neuron: Callable[..., nn.Module],
        classes: int = 10,
        ratio: int = 2,
        step: float = 1.0,
        bits: SumBits = 16,
    ) -> None:
        super().__init__()
        stages, dim = stem_stages(neuron, channels, stem)
        stream = partial(MembraneStream, bits)
        blocks = [(f"block{n + 1}", Block(neuron, dim, ratio * dim, step, stream)) for n in range(depth)]
        self.stem, self.blocks = [name for name, _ in stages], [name for name, _ in blocks]
        for name, part in (*stages, *blocks):
            self.add_module(name, part)
        self.tokens, self.norm = nn.Conv2d(dim, dim, 3, padding=1, bias=False), nn.BatchNorm2d(dim)
        self.position, self.join = Branch(neuron, dim, dim, kernel=3), stream()
        self.last, self.pool, self.flatten = neuron(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head = nn.Linear(dim, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.stem:
            x = self.get_submodule(name)(x)
        x = self.norm(self.tokens(x))
        x = self.join(x, self.position(x))
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        return self.head(self.flatten(self.pool(self.last(x))))
