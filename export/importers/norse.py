"""Reads Norse networks of LIFBoxCell and IAFCell in a SequentialState as a :class:`reprise.export.trace.graph.Graph`.

LIFBoxCell is one Euler step of a leaky neuron, v + dt / tau (v_leak - v + x), which fires above v_th. Then v becomes
v_reset, or loses v_th. With V = v - v_reset, that is our recurrence with the threshold v_th - v_reset, the factor
dt / tau for the input, and the constant current (v_leak - v_reset) dt / tau. It starts at v_leak. IAFCell adds its
input up. LIFCell has a synaptic current with a memory of its own, which no neuron of ours has.

Classes are known by their qualified names, so that the package is not imported here.
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

PACKAGE = "norse.torch.module."
SEQUENTIAL = f"{PACKAGE}sequential."
RESETS: dict[str, Reset] = {"reset_value": "hard", "reset_subtract": "soft"}


def is_neuron(m: Any) -> bool:
    """Return whether a module is a cell of this package."""
    name = f"{type(m).__module__}."
    return name.startswith(PACKAGE) and not name.startswith(SEQUENTIAL)


def nodes_of(name: str, m: Any, inputs: tuple[str, ...], timesteps: int, changes: list[str]) -> list[Node]:
    """Return the nodes of a cell: a factor and a constant current, and the neuron.

    What differs numerically from that cell is appended to ``changes``.
    """
    kind = type(m).__name__
    if kind not in ("LIFBoxCell", "IAFCell"):
        raise UnsupportedError(name, f"Norse's {kind} has no integer form here", "use LIFBoxCell or IAFCell")
    reset = RESETS.get(getattr(getattr(m.p, "reset_method", None), "__name__", "reset_value"))
    if reset is None:
        raise UnsupportedError(name, f"the reset {m.p.reset_method} is none of {', '.join(RESETS)}", "use one of them")
    rest = 0.0 if reset == "soft" else per_channel(name, "v_reset", m.p.v_reset)
    threshold = per_channel(name, "v_th", m.p.v_th) - rest
    if not bool((torch.as_tensor(threshold, dtype=torch.float64) > 0).all()):
        raise UnsupportedError(name, "v_th must exceed v_reset", "raise the threshold")
    leak: float | torch.Tensor = 256.0
    start: float | torch.Tensor = 0.0
    nodes: list[Node] = []
    if kind == "LIFBoxCell":
        lost = per_channel(name, "tau_mem_inv", m.dt * m.p.tau_mem_inv)
        if not bool(((torch.as_tensor(lost) > 0) & (torch.as_tensor(lost) <= 1)).all()):
            raise UnsupportedError(name, f"dt * tau_mem_inv must be in 0..1, is {lost}", "use a smaller dt")
        start = per_channel(name, "v_leak", m.p.v_leak) - rest
        leak = 256 * (1 - lost)
        nodes.append(Node(name=f"{name}.gain", op="scale", inputs=inputs, attrs=dict(factor=shaped(lost, m))))
        changes.extend(told_leak(name, leak))
        if bool((torch.as_tensor(start) != 0).any()):
            attrs = dict(value=start * lost)
            nodes.append(Node(name=f"{name}.bias", op="bias", inputs=(nodes[-1].name,), attrs=attrs))
    changes.append(f"{name}: fires at v >= v_th where Norse fires at v > v_th")
    first = start / threshold
    source = (nodes[-1].name,) if nodes else inputs
    spec = NeuronSpec(levels=1, kind="lif" if nodes else "if", reset=reset, v0=first, leak=leak, threshold=threshold)
    nodes.append(Node(name=name, op="neuron", inputs=source, attrs=dict(spec=spec, timesteps=timesteps)))
    return nodes


def shaped(value: float | torch.Tensor, m: Any) -> float | torch.Tensor:
    """Shape a value for each channel as the cell has it, so that it is broadcast over the cell's map."""
    return value.view(m.p.tau_mem_inv.shape) if isinstance(value, torch.Tensor) else value


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a Norse module that takes an image and its states, and returns its output and the next ones.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator; the message has its qualified name.
    """
    changes: list[str] = []

    def convert(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None | list[Node]:
        return nodes_of(name, m, inputs, timesteps, changes) if is_neuron(m) else module_node(name, m, inputs)

    module = twin(module)
    kinds = {kind.__module__ for m in module.modules() for kind in type(m).__mro__}  # and what a class is derived from
    leaves = tuple(f"{kind}." for kind in kinds if f"{kind}.".startswith(PACKAGE) and f"{kind}." != SEQUENTIAL)
    graph = trace(module, convert, leaves=leaves, stateful=is_neuron).graph()
    changes.append("every neuron starts from its initial potential for each image")
    source = ModuleSource(
        module=module,
        neurons=paths(graph),
        timesteps=timesteps,
        feed="carried",
        flat=reads_flat(graph),
        pick=lambda out: out[0],
    )
    return replace(graph, changes=tuple(changes), source=source)
