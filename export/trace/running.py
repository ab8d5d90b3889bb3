"""Runs a user's own module in float64 and records what its neurons emit, in every timestep."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ...support.errors import RepriseError
from .graph import SourceRun

Feed = Literal["folded", "steps", "carried", "frames", "once"]


def twin(module: nn.Module, reset: Callable[[nn.Module], object] | None = None) -> nn.Module:
    """Return a copy of a module in float64 and in evaluation mode, made as :func:`copy_of` says."""
    return copy_of(module, reset).double().eval()


def copy_of(module: nn.Module, reset: Callable[[nn.Module], object] | None = None) -> nn.Module:
    """Return a copy of a module; the module itself stays as it is.

    ``reset`` clears the state of neurons, which cannot be copied while it belongs to a gradient. Weights that hooks
    make of others, by pruning or a norm, are fixed in the copy.

    Raises
    ------
    RepriseError
        The module holds something that cannot be copied.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    try:
        made = _copied(module)
    except Exception as error:  # whatever a part of it, which can be anything, says
        if reset is None:
            raise _uncopied(module, error) from error
        reset(module)
        try:
            made = _copied(module)
        except Exception as again:
            raise _uncopied(module, again) from again
    for part in made.modules():
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(part, hook._tensor_name)
            elif isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
    return made


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy. What hooks have left, tensors that belong to a gradient, is detached in it."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(module, memo)


def _uncopied(module: nn.Module, error: Exception) -> RepriseError:
    kind = type(module).__name__
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return RepriseError(
        f"{kind}: cannot be copied ({text}): leave out what is no part of the network",
        where=kind,
    )


@dataclass(frozen=True, kw_only=True)
class ModuleSource:
    """Runs a module on images (B, C, H, W).

    Members
    -------
    module : in float64
    neurons : the paths of its neurons by the names of their nodes
    timesteps : T
    feed : how it takes time. "folded": (T * B, ...), "steps": a call for each timestep, "carried": the same
        with the states that the call before has returned, "frames": (T, B, ...), and
        "once": it makes the timesteps itself
    flat : it takes its images flattened
    reset : clears the state of its neurons
    pick : what of a neuron's output is its spikes
    result : what of the module's output is compared, (B, ...) or (T, B, ...)
    reduced : it returns one value for all timesteps
    parts : of nodes whose spikes are only a part of their neuron's channels, in (T, B, C, ...): which of how many
    """

    module: nn.Module
    neurons: dict[str, str]
    timesteps: int
    feed: Feed
    flat: bool = False
    reset: Callable[[nn.Module], object] = lambda module: None
    pick: Callable[[Any], torch.Tensor] = lambda out: out
    result: Callable[[Any], torch.Tensor] = lambda out: out
    reduced: bool = False
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> SourceRun:
        """Return what the neurons emit and what the module returns.

        Raises
        ------
        RepriseError
            The module's own forward pass fails.
        """
        if self.flat:
            images = images.flatten(1)
        seen: dict[str, list[torch.Tensor]] = {name: [] for name in self.neurons}
        modules = dict(self.module.named_modules())
        hooks = [
            modules[path].register_forward_hook(
                lambda _module, _inputs, out, name=name: seen[name].append(self._spikes(name, out).clone())
            )
            for name, path in self.neurons.items()
        ]
        hooks += [m.register_forward_pre_hook(_in_float64, with_kwargs=True) for m in modules.values()]
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            self.reset(self.module)
            output = self._run(images)
            self.reset(self.module)
        except RepriseError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:300] or type(error).__name__
            kind = type(self.module).__name__
            raise RepriseError(
                f"{kind}: its own forward pass fails on images of shape {tuple(images.shape)} in float64: {text}",
                where=kind,
            ) from error
        finally:
            torch.set_default_dtype(default)
            for hook in hooks:
                hook.remove()
        shape = (self.timesteps, len(images))
        spikes = {name: torch.cat(parts).reshape(*shape, -1) for name, parts in seen.items() if parts}
        return SourceRun(spikes=spikes, output=output)

    def _spikes(self, name: str, out: Any) -> torch.Tensor:
        """Return the spikes of a node from what its neuron returns."""
        index, count = self.parts.get(name, (0, 1))
        spikes = self.pick(out).detach()
        return spikes if count == 1 else spikes.chunk(count, dim=2)[index]

    def _run(self, images: torch.Tensor) -> torch.Tensor:
        t, result = self.timesteps, self.result
        if self.feed == "steps":
            return torch.stack([result(self.module(images)) for _ in range(t)])
        if self.feed == "carried":
            outputs, states = [], None
            for _ in range(t):
                output, states = self.module(images, states)
                outputs.append(result(output))
            return torch.stack(outputs)
        if self.feed == "folded":
            return result(self.module(images.repeat(t, *(1,) * (images.ndim - 1)))).unflatten(0, (t, -1))
        shown = images.expand(t, *images.shape) if self.feed == "frames" else images
        output = result(self.module(shown))
        return output[None] if self.reduced else output


def _in_float64(_module: nn.Module, inputs: tuple, named: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Let a module read float64 where another one has given spikes in float32, which hold them as well."""

    def double(value: Any) -> Any:
        return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return tuple(map(double, inputs)), {name: double(value) for name, value in named.items()}
