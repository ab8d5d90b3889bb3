"""Runs a NIR graph in float64 as the standard defines its nodes, with one step of its equations for each timestep.

Nothing here knows how the graph is lowered: it is what an import of a graph is compared with.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ....model.network.neuron import Reset
from ...trace.graph import SourceRun, UnsupportedError
from .steps import Steps


def without_images(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without the axis of images (or of images and timesteps) that sinabs writes in front of a map's."""
    return shape[1:] if len(shape) in (2, 4) else shape


def for_one_image(name: str, node: Any) -> Any:
    """Return a neuron with its parameters for one image; other nodes stay as they are.

    Raises
    ------
    UnsupportedError
        A parameter has an axis of images, along which it differs.
    """
    made = copy.copy(node)
    for field in ("tau", "r", "v_leak", "v_threshold", "v_reset", "threshold"):
        value = np.asarray(getattr(node, field, None))
        if value.dtype != object and value.ndim in (2, 4):
            if bool((value != value[:1]).any()):
                raise UnsupportedError(name, f"{field} differs between images", "give one value for all")
            setattr(made, field, value[0])
    return made


def first_axis(node: Any) -> int:
    """Return from which axis of a map a Flatten node begins, without an axis of images."""
    given = node.input_type["input"]
    shape = () if given is None else tuple(int(v) for v in np.ravel(given))
    start = int(node.start_dim) + (len(shape) if node.start_dim < 0 else 0)
    return start - (len(shape) - len(without_images(shape)))


def _tensor(value: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(value, dtype=np.float64))


def _pair(value: Any) -> tuple[int, int]:
    values = [int(v) for v in np.ravel(value)]
    return (values[0], values[-1])


@dataclass(frozen=True, kw_only=True)
class NirSource:
    """Runs a graph on images (B, C, H, W), which it sees at every timestep.

    Members
    -------
    nodes, edges : of a graph of ``nir``
    order : the names of its nodes, each behind those that it reads
    timesteps : T
    steps : how long a timestep is, and how a LIF goes through it
    reset : of the neurons: to v_reset, or by the difference of v_threshold and v_reset
    fires : under which name the spikes of a node are added up, by its own name
    several : a neuron emits as many spikes as there are thresholds in its potential
    """

    nodes: Mapping[str, Any]
    edges: Sequence[tuple[str, str]]
    order: tuple[str, ...]
    timesteps: int
    steps: Steps
    reset: Reset
    fires: Mapping[str, str]
    several: bool = False

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> SourceRun:
        """Return the spikes of all neurons and the output; an integrator at the end gives what it adds up."""
        before: dict[str, list[str]] = {name: [] for name in self.order}
        for source, target in self.edges:
            before[target].append(source)
        states: dict[str, torch.Tensor] = {}
        spikes: dict[str, list[torch.Tensor]] = {name: [] for name in self.fires.values()}
        outputs: list[torch.Tensor] = []
        for _ in range(self.timesteps):
            values: dict[str, torch.Tensor] = {}
            emitted: dict[str, Any] = {}
            for name in self.order:
                node = self.nodes[name]
                kind = type(node).__name__
                if kind == "Input":
                    values[name] = images.reshape(
                        len(images), *without_images(tuple(int(v) for v in np.ravel(node.input_type["input"])))
                    )
                    continue
                try:
                    value = values[before[name][0]]
                    for other in before[name][1:]:
                        value = value + values[other]
                    fires = kind in ("IF", "LIF", "Threshold")
                    value = self._fire(name, node, value, states) if fires else self._apply(kind, node, value)
                except (RuntimeError, ValueError, LookupError) as error:
                    text = " ".join(str(error).split())[:200]
                    raise UnsupportedError(
                        name, f"{kind} cannot be computed ({text})", "make its shapes those of what it reads"
                    ) from error
                if fires:
                    emitted[self.fires.get(name, "")] = emitted.get(self.fires.get(name, ""), 0) + value
                values[name] = value
                if kind == "Output":
                    outputs.append(value)
            for name, parts in spikes.items():
                parts.append(emitted[name])
        count = (self.timesteps, len(images), -1)
        return SourceRun(
            spikes={name: torch.stack(parts).reshape(count) for name, parts in spikes.items()},
            output=torch.stack(outputs).reshape(count),
        )

    def _fire(self, name: str, node: Any, current: torch.Tensor, states: dict[str, torch.Tensor]) -> torch.Tensor:
        if type(node).__name__ == "Threshold":
            return (current > _tensor(node.threshold)).double()
        rest = _tensor(0.0 if node.v_reset is None else node.v_reset)
        v = states.get(name, rest + torch.zeros_like(current))
        if type(node).__name__ == "IF":
            v = v + self.steps.dt * _tensor(node.r) * current
        else:
            lost = self.steps.lost(name, node.tau)
            taken = torch.tensor(self.steps.taken(lost)) * _tensor(node.r)
            v = v + torch.tensor(lost) * (_tensor(node.v_leak) - v) + taken * current
        threshold = _tensor(node.v_threshold)
        fired = (v > threshold).double()
        if self.several:  # one for each threshold that is exceeded
            fired = (((v - rest) / (threshold - rest)).ceil() - 1).clamp_min(0)
        states[name] = v - fired * (threshold - rest) if self.reset == "soft" else torch.where(fired > 0, rest, v)
        return fired

    def _apply(self, kind: str, node: Any, value: torch.Tensor) -> torch.Tensor:
        if kind == "Conv2d":
            dilation, around = _pair(node.dilation), (0, 0)
            if (
                isinstance(node.padding, str) and node.padding == "same"
            ):  # half of what a kernel takes, and the odd one below and on the right
                lost = [d * (n - 1) for d, n in zip(dilation, node.weight.shape[2:], strict=True)]
                value = F.pad(value, (lost[1] // 2, lost[1] - lost[1] // 2, lost[0] // 2, lost[0] - lost[0] // 2))
            elif not isinstance(node.padding, str):
                around = _pair(node.padding)
            bias = None if node.bias is None else _tensor(node.bias)
            steps = dict(stride=_pair(node.stride), dilation=dilation, padding=around)
            return F.conv2d(value, _tensor(node.weight), bias, groups=int(node.groups), **steps)
        if kind in ("Affine", "Linear"):
            return F.linear(value, _tensor(node.weight), _tensor(node.bias) if kind == "Affine" else None)
        if kind in ("SumPool2d", "AvgPool2d"):
            divisor = 1 if kind == "SumPool2d" else None
            kernel, stride, padding = (_pair(v) for v in (node.kernel_size, node.stride, node.padding))
            return F.avg_pool2d(value, kernel, stride, padding, divisor_override=divisor)
        if kind == "Flatten":
            end = int(node.end_dim)
            return value.flatten(1 + first_axis(node), end if end < 0 else 1 + end)
        if kind == "Scale":
            return value * _tensor(node.scale)
        if kind == "I":
            return value * self.steps.dt * _tensor(node.r)
        return value
