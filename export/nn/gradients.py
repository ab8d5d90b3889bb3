"""The operations of quantization-aware layers that have gradients of their own: rounding, firing and pooling."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from ...model.network.pool import MaxPool
from .neurons import spike


class Firing(Protocol):
    """The part of a neuron's specification on which its levels and their gradient depend."""

    @property
    def levels(self) -> int: ...

    @property
    def surrogate(self) -> str: ...

    @property
    def width(self) -> float | None: ...


class _Straight(torch.autograd.Function):
    """``to_whole(x)``, such as ``torch.round``, with a gradient of 1."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, to_whole: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return to_whole(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad, None


class _Fire(torch.autograd.Function):
    """z = clip(floor(U / D), 0, N), whose gradient is 1 or 0, so that each way takes one pass over U."""

    @staticmethod
    def forward(ctx: Any, u: torch.Tensor, d: torch.Tensor, levels: int, surrogate: str, width: float) -> torch.Tensor:
        x = u / d
        ctx.save_for_backward(x, d)
        ctx.levels, ctx.surrogate, ctx.width = levels, surrogate, width
        return x.floor().clamp_(0, levels)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        x, d = ctx.saved_tensors
        if ctx.surrogate == "clipped":
            grad = grad * (x < ctx.levels + 1 / 2)
        elif ctx.surrogate == "rectangular":
            centre = (ctx.levels + 1) / 2
            grad = grad * ((x - centre).abs_() < centre - 1 + ctx.width / 2)
        grad = grad / d
        # D is (O, 1, 1), so that its gradient is summed over batch and positions.
        grad_d = -(grad * x).sum((0, 2, 3), keepdim=True)[0] if ctx.needs_input_grad[1] else None
        return grad, grad_d, None, None, None


def fire(u: torch.Tensor, d: torch.Tensor, neuron: Firing) -> torch.Tensor:
    """Return the levels (B, O, H, W) of integer potentials U of that shape, for steps D (O, 1, 1)."""
    if neuron.surrogate == "sigmoid":
        return spike(u / d, neuron.levels, "sigmoid", neuron.width)
    return _Fire.apply(u, d, neuron.levels, neuron.surrogate, neuron.width or 1.0)


def floor_ste(x: torch.Tensor) -> torch.Tensor:
    """Round down, with a gradient of 1."""
    return _Straight.apply(x, torch.floor)


def sums(u: torch.Tensor, bits: int, shift: int) -> torch.Tensor:
    """Return ``u >> shift``, clipped to two's complement of ``bits``: what a sum writes of integer sums."""
    half = 1 << (bits - 1)
    return floor_ste(u / (1 << shift)).clamp(-half, half - 1)


def round_ste(x: torch.Tensor) -> torch.Tensor:
    """Round, with a gradient of 1."""
    return _Straight.apply(x, torch.round)


def max_pool(levels: torch.Tensor, pool: MaxPool) -> torch.Tensor:
    """Return the largest level of each window of (B, C, H, W); the gradient goes to where it was."""
    return F.max_pool2d(levels, pool.kernel, pool.stride, pool.padding)
