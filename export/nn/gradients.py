"""Operations of the quantization-aware layers with gradients of their own: rounding and firing."""

from typing import Any, Protocol

import torch

from .neurons import spike


class Firing(Protocol):
    """What of a neuron's specification its levels and their gradient depend on."""

    @property
    def levels(self) -> int: ...

    @property
    def surrogate(self) -> str: ...

    @property
    def width(self) -> float | None: ...


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad


class _Fire(torch.autograd.Function):
    """z = clip(floor(U / D), 0, N) with a gradient of 1 or 0: one pass over U each way."""

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
        # over batch and positions: D is (O, 1, 1)
        grad_d = -(grad * x).sum((0, 2, 3), keepdim=True)[0] if ctx.needs_input_grad[1] else None
        return grad, grad_d, None, None, None


def fire(u: torch.Tensor, d: torch.Tensor, neuron: Firing) -> torch.Tensor:
    """Levels (B, O, H, W) of integer potentials U for steps D (O, 1, 1)."""
    if neuron.surrogate == "sigmoid":
        return spike(u / d, neuron.levels, "sigmoid", neuron.width)
    return _Fire.apply(u, d, neuron.levels, neuron.surrogate, neuron.width or 1.0)


def round_ste(x: torch.Tensor) -> torch.Tensor:
    """round(x) with gradient 1."""
    return _Round.apply(x)
