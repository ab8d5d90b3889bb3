"""Runs a network on one image, in all timesteps, and collects what its convolutions and linear layers read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ...support.errors import RepriseError
from ..nn.neurons import MultiLevelIF
from ..trace.running import copy_of


@dataclass(kw_only=True, eq=False)
class Seen:
    """What one layer has read so far."""

    module: nn.Conv2d | nn.Linear
    parts: list[torch.Tensor] = field(default_factory=list)


def copied(module: nn.Module) -> nn.Module:
    """Return a copy of a network on the CPU that starts without potentials; the network itself stays as it is."""
    return copy_of(module, _reset).cpu().float().eval()


@contextmanager
def watching(module: nn.Module) -> Iterator[tuple[nn.Module, dict[str, Seen]]]:
    """Collect what each convolution and linear layer reads, in the order in which they are first called."""
    seen: dict[str, Seen] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple], None]:
        def see(part: Any, inputs: tuple) -> None:
            value = inputs[0] if inputs else None
            if not isinstance(value, torch.Tensor):
                value = getattr(value, "value", None)  # Brevitas has a tensor and its scale
            if isinstance(value, torch.Tensor):
                seen.setdefault(name, Seen(module=part)).parts.append(value.detach().clone().float())

        return see

    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_pre_hook(hook(name or type(part).__name__))
    with torch.no_grad():
        yield module, seen


def _call(module: nn.Module, *inputs: Any) -> Any:
    try:
        return module(*inputs)
    except Exception as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise RepriseError(
            f"{type(module).__name__}: its forward pass fails on {tuple(inputs[0].shape)}: {text}; time must be how it "
            "takes its timesteps (steps, frames, folded, once)",
            where=type(module).__name__,
        ) from error


def _reset(module: nn.Module) -> None:
    """Clear the potentials of neurons of the frameworks that keep them."""
    for part in module.modules():
        one: Any = part
        packages = {kind.__module__.partition(".")[0] for kind in type(part).__mro__}
        if "spikingjelly" in packages and callable(getattr(part, "reset", None)):
            one.reset()
        if "sinabs" in packages and callable(getattr(part, "reset_states", None)):
            one.reset_states()
        if "snntorch" in packages:
            for name in ("mem", "syn", "syn_exc", "syn_inh", "spk"):
                if isinstance(getattr(part, name, None), torch.Tensor):
                    setattr(part, name, torch.zeros(0))


def run(module: nn.Module, shown: torch.Tensor, time: str, seen: dict[str, Seen]) -> str:
    """Run the network over all timesteps of an image (T, 1, C, H, W), and return how it took them."""
    timesteps = len(shown)
    _reset(module)
    if time == "auto" and any(getattr(part, "step_mode", "s") == "m" for part in module.modules()):
        time = "once" if _repeats(module, shown[0], seen, timesteps) else "frames"
    if time == "frames":
        _call(module, shown)
        return time
    if time == "folded" or (time == "auto" and any(isinstance(part, MultiLevelIF) for part in module.modules())):
        _call(module, shown.flatten(0, 1))
        return "frames"
    states: tuple = ()
    for step in range(timesteps):
        out = _call(module, shown[step], *states)
        if time == "auto" and timesteps > 1 and step == 0:
            time = "once" if _makes_time(module, seen, timesteps) else "steps"
        if time == "once":
            return time
        carried = isinstance(out, tuple) and len(out) == 2 and type(module).__name__ == "SequentialState"
        states = (out[1],) if carried else ()
    return "steps"


def _repeats(module: nn.Module, image: torch.Tensor, seen: dict[str, Seen], timesteps: int) -> bool:
    """Return whether a network of multi-step modules takes one image and shows it at all timesteps itself."""
    try:
        module(image)
        found = _makes_time(module, seen, timesteps)
    except Exception:  # its modules take (T, 1, C, H, W), and the image has no axis of time
        found = False
    seen.clear()
    _reset(module)
    return found


def _rows(part: torch.Tensor, layer: nn.Module) -> int:
    """Return how many maps, or rows of features, a layer has read in one call."""
    axes = 3 if isinstance(layer, nn.Conv2d) else 1
    return part.numel() // max(int(np.prod(part.shape[-axes:])), 1)


def _makes_time(module: nn.Module, seen: dict[str, Seen], timesteps: int) -> bool:
    """Return whether the first call has given a layer all timesteps already.

    A linear layer that reads several rows may have read timesteps or tokens, and tells nothing.
    """
    told = [
        sum(_rows(part, one.module) for part in one.parts)
        for one in seen.values()
        if isinstance(one.module, nn.Conv2d) or all(_rows(part, one.module) == 1 for part in one.parts)
    ]
    if seen and not told:
        raise RepriseError(
            f"{type(module).__name__}: whether its linear layers read tokens or timesteps cannot be seen: give time as "
            "steps, frames, folded or once",
            where=type(module).__name__,
        )
    return any(count >= timesteps for count in told)


def in_time(parts: list[torch.Tensor], layer: nn.Module, timesteps: int, how: str) -> torch.Tensor:
    """Return what a layer has read with the axes (T, calls and tokens, ...)."""
    axes, counts = (3 if isinstance(layer, nn.Conv2d) else 1), {_rows(part, layer) for part in parts}
    rows = [part.reshape(-1, *part.shape[-axes:]) for part in parts]
    calls, count = len(parts), max(counts)
    if len(counts) == 1 and calls % timesteps == 0 and not (how == "frames" and count % timesteps == 0):
        return torch.cat(rows).unflatten(0, (timesteps, -1))
    if len(counts) == 1 and count % timesteps == 0:
        return torch.cat([part.unflatten(0, (timesteps, -1)) for part in rows], 1)
    total = sum(_rows(part, layer) for part in parts)
    raise RepriseError(f"it has read {total} maps, which is no multiple of T = {timesteps}")
