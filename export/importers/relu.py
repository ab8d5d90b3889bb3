"""Turns a trained plain ReLU network into one of multi-level neurons, whose levels are chosen on calibration images.

A ReLU becomes a multi-level neuron of N levels at T = 1, which rounds: s clip(round(x / s), 0, N). The step s is the
one of a few that leaves the smallest squared error on the values that the images give there.
"""

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ...support.checks import require, require_int
from ...support.errors import RepriseError
from ..nn.neurons import MultiLevelIF
from ..trace.graph import Graph, UnsupportedError
from ..trace.running import twin
from . import torch_modules

ONCE = "make one module for each use"
SHARES = tuple(k / 20 for k in range(4, 21))
"""The largest levels that are tried, as shares of the largest value."""


class Times(nn.Module):
    """Multiplies by a number: the value of one level."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def best_step(values: torch.Tensor, levels: int) -> float:
    """Return the step of ``levels`` levels with the smallest squared error for values that are not negative."""
    most = float(values.max())

    def error(step: float) -> float:
        return float(((values / step).round().clamp(0, levels) * step - values).square().sum())

    return min((share * most / levels for share in SHARES), key=error)


def own_output(module: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Return what a network returns; an error of its forward pass, or another thing than a tensor, is told."""
    kind = type(module).__name__
    try:
        found = module(pixels)
    except RepriseError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise RepriseError(
            f"{kind}: its own forward pass fails on images of shape {tuple(pixels.shape)} in float64: {text}",
            where=kind,
        ) from error
    require(isinstance(found, torch.Tensor), "module", "a network that returns one tensor", type(found).__name__)
    return found


def _see(seen: dict[str, torch.Tensor], name: str, out: torch.Tensor) -> None:
    if name in seen:
        raise UnsupportedError(name, "the module is used twice", ONCE)
    seen[name] = out.detach()


@torch.no_grad()
def read(module: nn.Module, images: np.ndarray, *, scale: float, levels: int) -> Graph:
    """Replace the ReLUs of a module by multi-level neurons and trace the result.

    Parameters
    ----------
    module : layers of ``torch.nn``, whose ReLUs are modules of their own, each used once
    images : uint8[n, C, H, W], on which the levels are chosen
    scale : the module takes ``images * scale``
    levels : N of each ReLU

    Raises
    ------
    RepriseError
        The module has no ReLU, or one of them gives nothing for these images.
    """
    require_int("relu_levels", levels, 1, 255)
    require(isinstance(module, nn.Module), "module", "a torch.nn.Module", type(module).__name__)
    found = twin(module)
    uses = [(name, part) for name, part in found.named_modules(remove_duplicate=False) if type(part) is nn.ReLU]
    names = [name for name, _ in uses if name]
    for i, (name, relu) in enumerate(uses):
        if (first := next((one for one, other in uses[:i] if other is relu), None)) is not None:
            raise UnsupportedError(name, f"this ReLU is the one of {first}, too", ONCE)
    if not names:
        raise RepriseError(field="module", rule="a network with nn.ReLU modules", value=type(module).__name__)
    pixels = torch.tensor(images).double() * scale
    plain, seen = copy.deepcopy(found), dict[str, torch.Tensor]()
    for name in names:
        part = plain.get_submodule(name)
        part.inplace = False  # type: ignore[assignment]  # a field of ReLU
        part.register_forward_hook(lambda _module, _inputs, out, name=name: _see(seen, name, out))
    theirs = own_output(plain, pixels)
    changes = []
    for name in names:
        values = seen.get(name, torch.zeros(1)).flatten()
        if float(values.max()) <= 0:
            raise RepriseError(f"{name}: this ReLU gives nothing for the calibration images; check scale ({scale:g})")
        step = best_step(values, levels)
        above = float((values > (levels + 0.5) * step).double().mean())
        changes.append(
            f"{name}: the ReLU becomes {levels} levels of {step:.4g}; {100 * above:.2f} % of its values are cut"
        )
        neuron = MultiLevelIF(levels, threshold=step).double()
        neuron.threshold.fill_(step)  # in float64
        parent, _, last = name.rpartition(".")
        setattr(found.get_submodule(parent), last, nn.Sequential(neuron, Times(step)))
    same = float((own_output(found, pixels).flatten(1).argmax(1) == theirs.flatten(1).argmax(1)).double().mean())
    changes.append(f"with these levels, {100 * same:.2f} % of {len(images)} images keep the module's class")
    graph = torch_modules.read(found, timesteps=1)
    return replace(graph, changes=(*changes, *graph.changes))
