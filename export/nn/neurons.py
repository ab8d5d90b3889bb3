"""Multi-level spiking neurons for PyTorch (arXiv 2510.24637, section "multi-level spiking neuron").

For t in 0..T-1, with the input current I, the threshold theta and N levels:

    U = leak(V) + I[t];   z = clip(floor(U / theta), 0, N);   V = U - z * theta   (soft reset)

The output z is a *level*, an integer 0..N that a floating-point tensor holds. With N = 1 it is the ordinary spike. Time
is the slowest axis and is folded into the batch: tensors are (T * B, ...), so that the convolutions, batch norms and
pools of ``torch.nn`` can stand between neurons as they are.
"""

from typing import Any

import torch
from torch import nn

from ...model.network.neuron import Reset
from ...support.errors import RepriseError

SURROGATES = ("rectangular", "sigmoid", "identity", "clipped")
RESETS = ("soft", "hard", "none")


class _Spike(torch.autograd.Function):
    """z = clip(floor(u), 0, N), with the gradient of a surrogate."""

    @staticmethod
    def forward(ctx: Any, u: torch.Tensor, levels: int, surrogate: str, width: float) -> torch.Tensor:
        ctx.save_for_backward(u)
        ctx.levels, ctx.surrogate, ctx.width = levels, surrogate, width
        return u.floor().clamp_(0, levels)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        (u,) = ctx.saved_tensors
        levels, width = ctx.levels, ctx.width
        if ctx.surrogate == "identity":
            return grad, None, None, None
        if ctx.surrogate == "clipped":
            return grad * (u < levels + 1 / 2), None, None, None
        if ctx.surrogate == "rectangular":
            window = (u > 1 - width / 2) & (u < levels + width / 2)
            return grad * window, None, None, None
        total = torch.zeros_like(u)
        for k in range(1, levels + 1):
            s = torch.sigmoid((u - k) * width)
            total += width * s * (1 - s)
        return grad * total, None, None, None


def spike(u: torch.Tensor, levels: int, surrogate: str = "rectangular", width: float | None = None) -> torch.Tensor:
    """Return the levels of normalized potentials.

    Parameters
    ----------
    u : Tensor
        The membrane potential divided by the threshold.
    levels : int
        N, the largest level.
    surrogate : str
        What the gradient is. ``"rectangular"``: 1 where ``1 - width/2 < u < N + width/2``, which for N = 1 is the usual
        rectangular window. ``"sigmoid"``: the sum over k = 1..N of the derivative of ``sigmoid(width (u - k))``.
        ``"identity"``: 1 everywhere, for barrier neurons. ``"clipped"``: 1 where ``u < N + 1/2``, so that it is 0 where
        one level more would be clipped.
    width : float
        Of the surrogate; by default 4 for ``"sigmoid"`` and 1 for all others.

    Raises
    ------
    ValueError
        There is no such surrogate.
    """
    if surrogate not in SURROGATES:
        raise RepriseError(f"surrogate must be one of {SURROGATES}, not {surrogate!r}")
    if width is None:
        width = 4.0 if surrogate == "sigmoid" else 1.0
    return _Spike.apply(u, levels, surrogate, width)


class MultiLevelIF(nn.Module):
    """Multi-level integrate-and-fire neuron.

    Parameters
    ----------
    levels : int
        N in 1..255, the largest level of one timestep.
    timesteps : int
        T; the leading axis of the input is T * B.
    threshold : float
        theta > 0, the potential that one level takes.
    trainable : bool
        Train the threshold, which is one scalar, or one for each channel if ``channels`` is given.
    channels : int | None
        The number of channels (axis 1 of the input), for a threshold for each of them.
    reset : str
        ``"soft"`` subtracts z * theta, ``"hard"`` sets V to 0 where z > 0, and ``"none"`` keeps U.
    v0 : float
        The initial potential as a fraction of the threshold; with 0.5, levels are rounded instead of truncated.
    surrogate, width
        See :func:`spike`.

    Raises
    ------
    ValueError
        A parameter is out of range, or the leading axis of an input is no multiple of T.
    """

    leak = 256  # l of the integer neuron, which multiplies V by l / 256

    def __init__(
        self,
        levels: int = 1,
        timesteps: int = 1,
        *,
        threshold: float = 1.0,
        trainable: bool = False,
        channels: int | None = None,
        reset: Reset = "soft",
        v0: float = 0.5,
        surrogate: str = "rectangular",
        width: float | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= levels <= 255:
            raise RepriseError(f"levels must be in 1..255 (a level is stored in 8 bits), not {levels}")
        if timesteps < 1:
            raise RepriseError(f"timesteps must be at least 1, not {timesteps}")
        if not threshold > 0:
            raise RepriseError(f"threshold must be positive (it is a divisor), not {threshold}")
        if reset not in RESETS:
            raise RepriseError(f"reset must be one of {RESETS}, not {reset!r}")
        if surrogate not in SURROGATES:
            raise RepriseError(f"surrogate must be one of {SURROGATES}, not {surrogate!r}")
        self.levels, self.timesteps, self.reset, self.v0 = levels, timesteps, reset, v0
        self.surrogate, self.width = surrogate, width
        value = torch.full((channels,) if channels else (), float(threshold))
        if trainable:
            self.threshold = nn.Parameter(value)
        else:
            self.register_buffer("threshold", value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] % self.timesteps:
            raise RepriseError(f"input axis 0 must be a multiple of timesteps {self.timesteps}, not {x.shape[0]}")
        current = x.unflatten(0, (self.timesteps, -1))
        theta = self.threshold.clamp_min(1e-6)
        if theta.ndim:
            theta = theta.view(-1, *(1,) * (x.ndim - 2))
        v = self.v0 * theta
        out = []
        for t in range(self.timesteps):
            u = v * (self.leak / 256) + current[t]
            z = spike(u / theta, self.levels, self.surrogate, self.width)
            v = reset_potential(u, z, theta, self.reset)
            out.append(z)
        return torch.cat(out)

    def extra_repr(self) -> str:
        return f"levels={self.levels}, timesteps={self.timesteps}, reset={self.reset}, v0={self.v0}"


def reset_potential(u: torch.Tensor, z: torch.Tensor, theta: torch.Tensor, reset: str) -> torch.Tensor:
    """Return the potential after firing; levels are detached, so that the gradient flows through U alone."""
    if reset == "soft":
        return u - z.detach() * theta
    if reset == "hard":
        return torch.where(z.detach() > 0, torch.zeros_like(u), u)
    return u


class MultiLevelLIF(MultiLevelIF):
    """Multi-level leaky integrate-and-fire neuron.

    V is multiplied by ``leak / 256`` before each timestep, and so is the initial potential.

    Parameters
    ----------
    leak : int
        l in 0..256, the integer factor of the deployed neuron: ``leak(V) = (V * l) >> 8``, rounded down. With 256
        nothing leaks.

    All other parameters are those of :class:`MultiLevelIF`.
    """

    def __init__(self, levels: int = 1, timesteps: int = 1, *, leak: int = 128, **kwargs: Any) -> None:
        super().__init__(levels, timesteps, **kwargs)
        if not 0 <= leak <= 256:
            raise RepriseError(f"leak must be in 0..256 (V * leak >> 8), not {leak}")
        self.leak = leak


class Barrier(MultiLevelIF):
    """Barrier neuron: a multi-level neuron on a residual join (arXiv 2510.24637, Sparse-ResNet).

    It takes the sum of the levels of main path and shortcut, 0..2N, and emits 0..N, so that levels do not pile up from
    block to block. Its gradient is straight-through; ``surrogate`` is ``identity`` or ``clipped``. By default the
    initial potential is 0 and one level of the sum gives one level.
    """

    def __init__(self, levels: int = 1, timesteps: int = 1, *, v0: float = 0.0, **kwargs: Any) -> None:
        kwargs.setdefault("surrogate", "identity")
        super().__init__(levels, timesteps, v0=v0, **kwargs)
