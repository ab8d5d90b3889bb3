"""Layers of a stream of currents, as a membrane shortcut has it: ``x + branch(x)``, with x a map of integers.

All branches into a stream add up in one unit u for each channel. The weights of a branch are int8 in steps of
``u 2**shift``, and its sums count 2**shift times, so that wide and narrow branches keep their precision. Biases are
whole multiples of u, and so are the thresholds of neurons on the stream. The batch norm of a branch cannot go into a
threshold, because other branches are added behind it. So it goes into the weights before they are rounded, with the
statistics of the batch in training, and with the running ones otherwise. With g = gamma / sigma,

    q = round(g w / (u 2**shift)),   c = round((beta - g mu + g b) / u),   x' = (q z << shift) + c + x

A stored current is clipped to the bits of its map. That is a part of what is trained and computed, and u is so large
that what was seen in training has room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...model.network.layer import MOST_SHIFT
from ...model.network.neuron import SumBits
from ..nn.gradients import round_ste
from .layers import QatLayer
from .network import QatNetwork
from .specs import ROUNDINGS, WEIGHT_MAX, NeuronSpec, SourceSpec

HEADROOM = 1.25
"""How many times the largest current that was seen in training fits the map."""

LEAST_UNIT = 2.0**-8
"""The smallest unit of a channel, in the mean of all: weights that are nearly zero need no finer steps."""

PLANES = 8
"""Planes and shift of a branch together, as hardware weighs them."""

KEPT = 0.99
"""The part of the largest current seen before that is kept if a batch's is smaller."""


class Stream:
    """A stream of currents: the layers that add to it, and the unit in which they do.

    Members
    -------
    bits : of the integer maps that hold it
    branches : the layers with weights, in the order of their execution
    """

    def __init__(self, bits: SumBits) -> None:
        self.bits = bits
        self.branches: list[QatMembrane] = []
        self.held: tuple[torch.Tensor, list[int]] | None = None

    @property
    def most(self) -> int:
        """The largest integer of a map, and one more of a negative one."""
        return (1 << (self.bits - 1)) - 1

    def begin(self) -> None:
        """Choose the unit for a forward pass in training, in which statistics change from layer to layer."""
        self.held = self.choose()

    def steps(self) -> tuple[torch.Tensor, list[int]]:
        """Return the unit (O,) and the shift of every branch."""
        return self.held if self.held is not None and self.branches[0].training else self.choose()

    @torch.no_grad()
    def choose(self) -> tuple[torch.Tensor, list[int]]:
        """Return the finest unit that the maps can hold, and by how many bits the sums of each branch are shifted.

        The branch that begins a stream cannot be shifted, because there is nothing yet that it is added to.
        """
        fine = [branch.finest() for branch in self.branches]
        floor = HEADROOM / self.most * torch.stack([branch.peak for branch in self.branches]).amax(0)
        means = [max(float(one.mean()), 1e-30) for one in fine]
        reached = [mean / (1 << branch.most_shift) for mean, branch in zip(means, self.branches, strict=True)]
        base = max(min(means), float(floor.mean()), *reached)
        shifts = [
            min(max(round(math.log2(mean / base)), 0), branch.most_shift)
            for mean, branch in zip(means, self.branches, strict=True)
        ]
        unit = torch.stack([one / (1 << s) for one, s in zip(fine, shifts, strict=True)]).amax(0).maximum(floor)
        return unit.maximum(LEAST_UNIT * unit.mean()).clamp_min(1e-12), shifts


class QatMembrane(QatLayer):
    """A layer of a stream: a branch that adds to it, with sources of its own, or a neuron on the stored current.

    Parameters
    ----------
    sources : of the branch; there are none in front of a neuron on the stored current
    neuron : what follows the sum; of kind "sum", the stream is stored
    stream : what the layer belongs to
    addend : the map of the stream that is added, or "" where the stream begins
    norm : of the sources if there are any, and else of the stored current
    """

    peak: torch.Tensor
    seen: torch.Tensor

    def __init__(
        self,
        name: str,
        sources: Sequence[SourceSpec],
        neuron: NeuronSpec,
        *,
        stream: Stream,
        addend: str,
        channels: int,
        levels_in: Sequence[int],
        norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> None:
        one = torch.ones(channels, 1, 1, 1)
        held = [SourceSpec(feature=addend, weight=one, groups=channels, fixed=True)] if addend else []
        levels = (*levels_in, *([stream.most + 1] if addend else []))
        options |= dict(norm=None if sources else norm, levels_in=levels, dtype=dtype)
        super().__init__(name, (*sources, *held), neuron, **options)
        self.stream, self.addend, self.branches = stream, addend, len(sources)
        self.batch: tuple[torch.Tensor, torch.Tensor] | None = None
        self.folded = bool(sources) and norm is not None
        if sources:
            stream.branches.append(self)
            self.register_buffer("peak", torch.zeros(channels, dtype=dtype))
        if self.folded:
            assert norm is not None and norm.running_mean is not None and norm.running_var is not None
            self.gamma = nn.Parameter(norm.weight.detach().clone().to(dtype))
            self.beta = nn.Parameter(norm.bias.detach().clone().to(dtype))
            self.register_buffer("mean", norm.running_mean.clone().to(dtype))
            self.register_buffer("var", norm.running_var.clone().to(dtype))
            count = norm.num_batches_tracked
            self.register_buffer("seen", torch.tensor(0) if count is None else count.clone())
            self.eps, self.momentum = norm.eps, norm.momentum if norm.momentum is not None else 0.1

    @property
    def most_shift(self) -> int:
        """The largest shift that a branch may have beside the planes of its levels."""
        planes = max(levels.bit_length() for levels in self.levels_in[: self.branches])
        return min(MOST_SHIFT, PLANES - planes) if self.addend else 0

    def own_shift(self) -> int:
        """Return the shift of the branch, which is 0 without sources."""
        return self.stream.steps()[1][self.stream.branches.index(self)] if self.branches else 0

    def scale(self) -> torch.Tensor:
        return self.stream.steps()[0]

    def finest(self) -> torch.Tensor:
        """Return the steps (O,) of int8 weights that hold the weights of the branch, with running statistics."""
        peak = torch.stack([w.detach().flatten(1).abs().amax(1) for w in self.weights[: self.branches]]).amax(0)
        return peak * self._gain(self.var).detach().abs() / WEIGHT_MAX if self.folded else peak / WEIGHT_MAX

    def _gain(self, var: torch.Tensor) -> torch.Tensor:
        return self.gamma / (var + self.eps).sqrt()

    def integer_weights(self, scale: torch.Tensor) -> list[torch.Tensor]:
        """Return the weights of the branch times 2**shift, and those of the addend, which are 1."""
        step, out = float(1 << self.own_shift()), []
        for w in self.weights[: self.branches]:
            column = (-1, *(1,) * (w.ndim - 1))
            folded = w * self._gain(self.batch[1] if self.batch else self.var).view(column) if self.folded else w
            q = folded / (step * scale.view(column))
            out.append((round_ste(q).clamp(-WEIGHT_MAX, WEIGHT_MAX) if "weights" in self.rounding else q) * step)
        return [*out, *self.weights[self.branches :]]

    def _unrounded(
        self, scale: torch.Tensor, mean: torch.Tensor | None, var: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.folded:
            return super()._unrounded(scale, mean, var)
        theta = (self.threshold.clamp_min(1e-6) if self.neuron.trainable else self.threshold).expand(self.channels)
        mean, var = self.batch or (self.mean, self.var)
        shifted = (0 if self.bias is None else self.bias) - mean
        return theta / scale, (self.beta + self._gain(var) * shifted) / scale

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        if self.training and self.branches and self is self.stream.branches[0]:
            self.stream.begin()
        if self.training and self.folded:
            self.batch = self._statistics(inputs)
        out = super().forward(inputs)
        self.batch = None
        if self.training and self.neuron.kind == "sum":
            with torch.no_grad():
                self.meet((out.abs().amax((0, 1, 3, 4)) * self.scale()).to(self.peak.dtype))
        return out

    def meet(self, peak: torch.Tensor) -> None:
        """Note the largest current (O,) of a batch, for which the map has to have room."""
        self.peak.copy_(torch.maximum(peak, self.peak * KEPT))

    def _statistics(self, inputs: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance (O,) of what the unrounded weights give, and average them into the running ones."""
        y = self.branch_sums(inputs, list(self.weights[: self.branches]))
        var, mean = torch.var_mean(y[:1] if y.stride(0) == 0 else y, dim=(0, 1, 3, 4), unbiased=False)
        mean = mean if self.bias is None else mean + self.bias
        with torch.no_grad():
            self.seen += 1
            part = max(self.momentum, 1 / float(self.seen))
            self.mean.lerp_(mean, part)
            self.var.lerp_(var, part)
        return mean, var

    def branch_sums(self, inputs: list[torch.Tensor], weights: list[torch.Tensor]) -> torch.Tensor:
        """Return the sums of the branch alone, without what it is added to, for weights of any values."""
        rounding, self.rounding = self.rounding, frozenset()
        try:
            return super().partial_sums(inputs, weights)
        finally:
            self.rounding = rounding

    def fire(
        self,
        y: torch.Tensor,
        d: torch.Tensor,
        c: torch.Tensor,
        v0: torch.Tensor,
        potentials: list[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return what follows the sums; a stored current is clipped only where all is rounded, as the source is not."""
        if self.neuron.kind != "sum" or self.rounding == ROUNDINGS:
            return super().fire(y, d, c, v0, potentials)
        if potentials is not None:
            potentials.extend(y + c)
        return y + c


@torch.no_grad()
def calibrate(net: QatNetwork, images: torch.Tensor) -> None:
    """Let the streams of a network have room for the currents of images, for which nothing is rounded."""
    layers = [one for one in net.layers if isinstance(one, QatMembrane) and one.neuron.kind == "sum" and one.branches]
    if not layers:
        return
    maps = net.quantize(False).trace(images)[0]
    units = [one.scale() for one in layers]  # each peak changes the unit of its stream
    for layer, unit in zip(layers, units, strict=True):
        layer.meet((maps[layer.name].abs().amax((0, 1, 3, 4)) * unit).to(layer.peak.dtype))
