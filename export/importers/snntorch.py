"""Reads snnTorch networks of Leaky neurons as a :class:`reprise.export.trace.graph.Graph`.

Leaky computes U[t] = beta V[t-1] + X[t] and S[t] = U[t] > threshold, with beta cut to 0..1. With ``reset_delay=False``
the potential is reset at once: by the threshold, or to zero. With ``reset_delay=True``, the default, the reset follows
in the next timestep. To zero, that is the same. By subtraction, it takes the threshold behind the leak, so that

    U[t+1] = beta U[t] - threshold S[t] + X[t+1],

which is our soft reset if nothing leaks (beta = 1), and no neuron of ours if something does: it is refused.

The loop over the timesteps is outside of the module (Sequential with ``init_hidden``), or in its forward pass. There,
what the first timestep computes is taken for all of them, and the comparison with the module proves it. Classes are
known by their qualified names, so that the package is not imported here.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ...model.network.neuron import Reset
from ..qat.specs import NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError
from ..trace.modules import module_node
from ..trace.running import ModuleSource, twin
from ..trace.tracer import trace
from .leaks import per_channel, told_leak
from .torch_modules import paths, reads_flat

PACKAGE = "snntorch."
RESETS: dict[str, Reset] = {"subtract": "soft", "zero": "hard", "none": "none"}


def is_neuron(m: Any) -> bool:
    """Return whether a module is a neuron of this package."""
    return f"{type(m).__module__}.".startswith(PACKAGE)


def of_one_image(value: torch.Tensor) -> torch.Tensor:
    """Return a parameter in float64 without the axis of images, of length 1, that it may have in front of a map's."""
    value = value.detach().double()
    return value[0] if value.ndim in (2, 4) and len(value) == 1 else value


def spec_of(name: str, m: Any, changes: list[str]) -> tuple[NeuronSpec, float]:
    """Return the specification of a neuron and the value of its spikes.

    What differs numerically from that neuron is appended to ``changes``.
    """
    kind = type(m).__name__
    if kind != "Leaky":
        raise UnsupportedError(name, f"snnTorch's {kind} has no integer form here", "use Leaky")
    if m.inhibition or m.state_quant:
        what = "inhibition" if m.inhibition else "state_quant"
        raise UnsupportedError(name, f"{what} couples or rounds potentials", f"use Leaky without {what}")
    beta = of_one_image(m.beta).clamp(0, 1)
    leak = per_channel(name, "beta", 256 * beta)
    threshold = per_channel(name, "threshold", of_one_image(m.threshold))
    graded = per_channel(name, "graded_spikes_factor", of_one_image(m.graded_spikes_factor))
    if isinstance(graded, torch.Tensor):
        raise UnsupportedError(name, "graded_spikes_factor differs between channels", "use one for all")
    if graded <= 0 or not bool((torch.as_tensor(threshold) > 0).all()):
        raise UnsupportedError(name, "threshold and graded_spikes_factor must be positive", "use positive ones")
    reset = RESETS[m.reset_mechanism]
    leaks = bool((beta < 1).any())
    if reset == "soft" and leaks and m.reset_delay:
        raise UnsupportedError(
            name,
            "reset_delay=True (snnTorch's default) subtracts the threshold one timestep later, behind the leak",
            "construct and train it with reset_delay=False; reset_mechanism='zero' and beta=1 are exact as they are",
        )
    changes.extend(told_leak(name, leak))
    changes.append(f"{name}: fires at U >= threshold where snnTorch fires at U > threshold")
    if reset == "soft" and not m.reset_delay:
        changes.append(
            f"{name}: where a reset leaves more than the threshold, snnTorch subtracts another one before it fires; "
            "here the neuron fires first"
        )
    spec = NeuronSpec(
        levels=1, kind="lif" if leaks else "if", reset=reset, v0=0.0, leak=leak, threshold=threshold, trainable=False
    )
    return spec, graded


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a snnTorch module.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator; the message has its qualified name.
    """
    changes: list[str] = []

    def convert(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None:
        if is_neuron(m):
            spec, unit = spec_of(name, m, changes)
            attrs = dict(spec=spec, timesteps=timesteps, unit=unit)
            return Node(name=name, op="neuron", inputs=inputs, attrs=attrs)
        return module_node(name, m, inputs)

    module = twin(module, reset)
    reading = trace(module, convert, leaves=(PACKAGE,), frames=timesteps, stateful=is_neuron)
    graph = reading.graph()
    if reading.left_out:
        changes.append("the membrane potentials that the module returns beside its spikes are left out")
    changes.append("every neuron starts from potential 0 for each image")
    source = ModuleSource(
        module=module,
        neurons=paths(graph),
        timesteps=timesteps,
        feed="frames" if reading.indexed else "once" if reading.unrolled else "steps",
        flat=reads_flat(graph),
        reset=reset,
        pick=first,
        result=first,
        reduced=reading.reduce is not None,
    )
    return replace(graph, changes=tuple(changes), source=source)


def first(out: Any) -> torch.Tensor:
    """Return the spikes of what a neuron or a network returns: alone, or with membrane potentials behind them."""
    return out[0] if isinstance(out, tuple | list) else out


def reset(module: nn.Module) -> None:
    """Clear the potentials of all neurons, as snnTorch's ``utils.reset`` does for those that it knows."""
    for m in module.modules():
        if is_neuron(m) and isinstance(getattr(m, "mem", None), torch.Tensor):
            m.mem = torch.zeros(0)
