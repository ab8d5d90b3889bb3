"""Quantization-aware layers: what they compute in training *is* the integer arithmetic of the hardware.

A :class:`QatLayer` is one layer of the accelerator: one or two sources (convolution, linear or identity), batch norm,
neuron and max pool. Its weights are floating-point parameters w. The forward pass rounds them to int8 with a scale s
for each output channel and convolves integers, so that the partial sum Y is an integer tensor. The neuron compares
without a scale: with the batch norm ``gamma (s Y - mu) / sigma + beta`` and the threshold theta,

    D = round(theta sigma / (gamma s)),   c = round((beta sigma / gamma - mu + b) / s),   v0 = round(f D)

and ``U = leak(V) + Y + c``, ``z = clip(floor(U / D), 0, N)``. The gradient passes rounding unchanged. In training mode,
mu and sigma are those of the batch. In evaluation they are the running ones, and these are exported.

Floating-point numbers hold these integers exactly: every pass bounds |Y| and |U| by its weights, and a layer that could
leave the 24 bits of float32 computes in float64 (see :meth:`QatLayer.dtype_for`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ...model.network.pool import MaxPool
from ...support.errors import RepriseError
from ..nn.gradients import fire, max_pool, round_ste, sums
from ..nn.neurons import reset_potential
from .specs import ROUNDINGS, WEIGHT_MAX, NeuronSpec, ProductSpec, SourceSpec, kept_step

LEAST_GAMMA = 1e-2  # training divides by the factor of a batch norm
NEGLIGIBLE = 1e-6  # the sum of a channel's inputs, relative to its threshold or bias, that can be left out
PRUNED_STEPS = 1016  # how finely the threshold and the bias of a channel without weights are cut
MOST_STEPS = 1 << 20  # and those of any other channel, so that registers can hold them
EXACT32 = 1 << 24
EXACT64 = 1 << 53
# Integers stay exact in float32 only as sums of products: NNPACK's Winograd kernels round, and cuDNN's TF32 drops bits.
torch.backends.nnpack.set_flags(False)
torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False


class QatLayer(nn.Module):
    """One layer of the accelerator, which can be trained.

    ``forward(inputs)`` takes a tensor of levels (T, B, C, H, W) for each source, and returns the levels
    (T, B, O, H', W'), or the potentials of a readout. ``rounding`` has the kinds of rounding that are on; with none
    of them, it is the network in floating point. The largest levels of the sources, ``levels_in``, bound the sums.
    """

    bias: nn.Parameter | None
    threshold: torch.Tensor
    leaks: torch.Tensor
    step: torch.Tensor | None
    mean: torch.Tensor
    var: torch.Tensor
    origin: str = ""  # the node of the source network's neuron that this layer is, if it is one
    unit: float | torch.Tensor = 1.0  # the value of one level in the source network, or one for each channel
    pool_first: bool = False  # the source network pools in front of its neuron
    product: ProductSpec | None = None  # of two maps, if the layer computes one
    addend = ""  # the integer map that is added to the sums
    record: Callable[[QatLayer, torch.Tensor, torch.Tensor, list[torch.Tensor] | None], None] | None

    def __init__(
        self,
        name: str,
        sources: Sequence[SourceSpec],
        neuron: NeuronSpec,
        *,
        bias: torch.Tensor | None = None,
        norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None,
        pool: MaxPool | None = None,
        levels_in: Sequence[int] = (),
        timesteps: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.name, self.neuron, self.pool, self.timesteps = name, neuron, pool, timesteps
        self.specs, self.levels_in = tuple(sources), tuple(levels_in)
        self.reads = (*(s.feature for s in sources), *(s.mask for s in sources if s.mask))  # what ``forward`` takes
        self.rounding: frozenset[str] = ROUNDINGS
        self.record = None
        self.weights = nn.ParameterList(
            nn.Parameter(s.weight.detach().clone().to(dtype), requires_grad=not s.fixed) for s in sources
        )
        self.channels = self.weights[0].shape[0]
        self.multiple, step = kept_step(self.specs, neuron, bias, normed=norm is not None)
        self.register_buffer("step", step, persistent=False)
        self.bias = None if bias is None else nn.Parameter(torch.as_tensor(bias).detach().clone().to(dtype))
        threshold = torch.as_tensor(neuron.threshold, dtype=dtype).detach().clone()
        leak = torch.as_tensor(neuron.leak, dtype=dtype).detach().clone()
        self.register_buffer("leaks", leak.view(-1, 1, 1) if leak.ndim else leak, persistent=False)
        if neuron.trainable:
            self.threshold = nn.Parameter(threshold)
        else:
            self.register_buffer("threshold", threshold)
        self.normed = norm is not None
        if norm is not None:
            assert norm.running_mean is not None and norm.running_var is not None  # refused by the tracer
            self.gamma = nn.Parameter(norm.weight.detach().clone().to(dtype))
            self.beta = nn.Parameter(norm.bias.detach().clone().to(dtype))
            self.register_buffer("mean", norm.running_mean.clone().to(dtype))
            self.register_buffer("var", norm.running_var.clone().to(dtype))
            self.eps, self.momentum = norm.eps, norm.momentum if norm.momentum is not None else 0.1

    @property
    def readout(self) -> bool:
        """Whether the layer does not fire."""
        return self.neuron.levels == 0

    @property
    def fixed(self) -> bool:
        """Whether all weights are fixed integers."""
        return all(s.fixed for s in self.specs)

    def scale(self) -> torch.Tensor:
        """Return the values (O,) of one integer weight step, which all sources share.

        The values are the same for all channels of a readout, so that its potentials can be compared. A channel whose
        weights are zero, or too small to matter beside threshold and bias, takes its step from these; and no step is so
        small that these would not fit the registers.
        """
        if self.fixed:
            return torch.ones_like(self.weights[0].flatten(1)[:, 0])
        if self.step is not None:
            return self.step
        peak = torch.stack([w.detach().flatten(1).abs().amax(1) for w in self.weights]).amax(0)
        constant = self._largest_constant()
        if self.readout:
            peak, constant = (value.amax().expand_as(value) for value in (peak, constant))
        columns = sum(n * w[0].numel() for n, w in zip(self.levels_in, self.weights, strict=False))
        pruned = peak * (columns * self.timesteps) <= NEGLIGIBLE * constant
        return torch.where(
            pruned, constant / PRUNED_STEPS, (peak / WEIGHT_MAX).maximum(constant / MOST_STEPS)
        ).clamp_min(1e-12)

    @torch.no_grad()
    def _largest_constant(self) -> torch.Tensor:
        """Return the larger one of threshold and bias (O,), in units of the current."""
        one = torch.ones_like(self.weights[0].flatten(1)[:, 0])
        statistics = (self.mean, self.var) if self.normed else (None, None)
        d, c = (value.abs() for value in self._unrounded(one, *statistics))
        return c if self.readout else torch.maximum(d, c)

    def _unrounded(
        self, scale: torch.Tensor, mean: torch.Tensor | None, var: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return threshold and bias (O,) in weight steps, with a batch norm of these statistics, if there is one."""
        theta = (self.threshold.clamp_min(1e-6) if self.neuron.trainable else self.threshold).expand(self.channels)
        if mean is None or var is None:
            d, c = theta / scale, torch.zeros_like(scale)
        else:
            gamma = self.gamma.abs().clamp_min(LEAST_GAMMA)
            sigma = (var + self.eps).sqrt()
            d, c = theta * sigma / (gamma * scale), (self.beta * sigma / gamma - mean) / scale
        return d, c if self.bias is None else c + self.bias / scale

    def own_shift(self) -> int:
        """Return the bits by which the sums are shifted beside an addend; the integer weights hold the shift."""
        return 0

    def integer_weights(self, scale: torch.Tensor) -> list[torch.Tensor]:
        """Return the weights of all sources in integer steps: floating-point tensors of integers in -127..127."""
        out = []
        for w, s in zip(self.weights, self.specs, strict=True):
            q = w if s.fixed else w / scale.view(-1, *(1,) * (w.ndim - 1))
            out.append(round_ste(q).clamp(-WEIGHT_MAX, WEIGHT_MAX) if "weights" in self.rounding else q)
        return out

    def dtype_for(
        self, weights: list[torch.Tensor], c: torch.Tensor | None = None, v0: torch.Tensor | None = None
    ) -> torch.dtype:
        """Return float32 if every sum stays below 2**24 in magnitude, and float64 if not.

        Without ``c`` and ``v0``, the sums are the partial sums; with them, they are the potentials.

        Raises
        ------
        ValueError
            A sum could reach 2**53, beyond which float64 is not exact either.
        """
        pairs = zip(weights, self.levels_in, strict=True)
        bound: Any = sum(w.detach().abs().flatten(1).double().sum(1) * n for w, n in pairs)
        if c is not None:
            bound = self.timesteps * (bound + c.detach().abs()) + (0 if v0 is None else v0.detach().abs())
            if self.neuron.kind == "lif":
                bound = bound * 256
        bound = float(bound.max())
        if bound >= EXACT64:
            raise RepriseError(
                f"layer {self.name}: |potential| may reach {bound:.4g}, must stay below 2**53 to be exact; "
                "lower the timesteps or the input levels, or scale the weights"
            )
        if weights[0].dtype == torch.float64:
            return torch.float64
        # Evaluation takes float64 on a GPU, because the convolution may be a transform (Winograd) there.
        small = bound < EXACT32 and (self.training or weights[0].device.type == "cpu")
        return torch.float32 if small else torch.float64

    def partial_sums(self, inputs: list[torch.Tensor], weights: list[torch.Tensor]) -> torch.Tensor:
        """Return the partial sums Y (T, B, O, H, W), which are integers."""
        total: torch.Tensor | None = None
        for x, w, s in zip(inputs, weights, self.specs, strict=False):  # masks follow all that has weights
            y = s.sums(torch.minimum(x, inputs[len(self.specs)]) if s.mask else x, w)
            total = y if total is None else total + y
        assert total is not None
        if "weights" in self.rounding and total.device.type != "cpu":
            total = round_ste(total)
        return total

    def constants(
        self, scale: torch.Tensor, y: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return (D, c, v0), each (O,) and of integers.

        If ``y`` is given, its statistics are used instead of the running ones, and are averaged into these.
        """
        rounds = "threshold" in self.rounding
        rnd = round_ste if rounds else (lambda v: v)
        mean, var = (self.mean, self.var) if self.normed else (None, None)
        if self.normed and y is not None:
            var, mean = torch.var_mean(y[:1] if y.stride(0) == 0 else y, dim=(0, 1, 3, 4), unbiased=False)
            mean, var = (mean * scale).to(self.mean.dtype), (var * scale**2).to(self.var.dtype)
            mean = mean if self.bias is None else mean + self.bias  # so that it cancels out, as it does in the module
            with torch.no_grad():
                self.mean.lerp_(mean, self.momentum)
                self.var.lerp_(var, self.momentum)
        d, c = self._unrounded(scale, mean, var)
        if rounds:
            d, c = rnd(d).clamp_min(1), rnd(c)
        if self.readout:
            return d, c, torch.zeros_like(d)
        v0 = self.neuron.v0 * d
        # A sum of integers reaches half a step only with the next whole number, so that v0 rounded up fires too soon.
        return d, c, v0.floor() if rounds and self.fixed else rnd(v0)

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        scale = self.scale()
        weights = self.integer_weights(scale)
        dtype = self.dtype_for(weights)
        y = self.partial_sums(inputs, [w.to(dtype) for w in weights])
        d, c, v0 = self.constants(scale, y if self.training and self.normed else None)
        if self.rounding and dtype == torch.float32:
            dtype = self.dtype_for(weights, c, v0)
        potentials: list[torch.Tensor] | None = None if self.record is None else []
        d, c, v0 = (p.to(dtype).view(-1, 1, 1) for p in (d, c, v0))
        out = self.fire(y.to(dtype), d, c, v0, potentials)
        if self.pool:
            out = max_pool(out.flatten(0, 1), self.pool).unflatten(0, (out.shape[0], -1))
        if self.record is not None:
            self.record(self, out, y, potentials)
        return out if self.readout else out.to(self.threshold.dtype)

    def fire(
        self,
        y: torch.Tensor,
        d: torch.Tensor,
        c: torch.Tensor,
        v0: torch.Tensor,
        potentials: list[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return the levels (T, B, O, H, W) of partial sums; ``potentials`` takes V, or a sum's U, of each timestep."""
        n = self.neuron
        if n.kind == "sum":  # not a rounding that could be switched off, but what the network computes
            if potentials is not None:
                potentials.extend(y + c)
            return sums(y + c, n.bits, n.shift)
        if self.readout:
            return (y + c).cumsum(0)
        v, out = v0, []
        for t in range(y.shape[0]):
            u = y[t] + (self.leak(v) + c)
            z = fire(u, d, n)
            if potentials is not None or t + 1 < y.shape[0]:
                v = reset_potential(u, z, d, n.reset)
            if potentials is not None:
                potentials.append(v)
            out.append(z)
        return torch.stack(out) if len(out) > 1 else z[None]

    def leak(self, v: torch.Tensor) -> torch.Tensor:
        """Return (V * l) >> 8, as an arithmetic shift gives it, with a gradient that passes the rounding unchanged.

        Without rounding, l is what the source network has, and need not be a whole number.
        """
        if self.neuron.kind != "lif":
            return v
        rounds = "leak" in self.rounding
        leaked = v * (self.leaks.round() if rounds else self.leaks) / 256
        return leaked + (leaked.floor() - leaked).detach() if rounds else leaked
