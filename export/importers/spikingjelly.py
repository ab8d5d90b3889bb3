"""Reads SpikingJelly networks as a :class:`reprise.export.trace.graph.Graph`.

SpikingJelly's LIF computes H = (1 - 1/tau) V + X (or X / tau with decay_input) and S = H >= v_threshold. Then it resets
V hard to v_reset, or soft. With V' = V - v_reset, ours is the same recurrence with threshold v_threshold - v_reset, and
resets to 0. ParametricLIFNode has tau = 1 / sigmoid(w). ILIFNode rounds: z = round(clip(H / v_threshold, 0, N)). Half a
threshold that is added to V turns rounding into a floor. The leak takes its part of this half away in each timestep,
and the bias gives it back.

Classes are known by their qualified names, so that the package is not imported here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ...model.network.neuron import Reset
from ..qat.specs import NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError
from ..trace.modules import conv_attrs, module_node
from ..trace.running import ModuleSource, twin
from ..trace.tracer import trace
from .factory import make
from .leaks import told_leak
from .spikingjelly_attention import attention_nodes
from .torch_modules import paths, reads_flat

__all__ = ["make", "read"]

NODES = ("IFNode", "LIFNode", "ParametricLIFNode", "ILIFNode", "HalfThresholdIFNode", "SimpleIFNode", "SimpleLIFNode")
PACKAGE = "spikingjelly.activation_based."
LEAVES = tuple(f"{PACKAGE}{part}." for part in ("layer", "neuron", "encoding", "ann2snn"))
CONTAINERS = ("SeqToANNContainer", "MultiStepContainer", "StepModeContainer")
"""Modules that run others one after the other, with the axis of time folded away."""


def is_ours(m: Any, *names: str) -> bool:
    """Return whether a module is one of the classes of this package."""
    return f"{type(m).__module__}.".startswith(PACKAGE) and type(m).__name__ in names


def neuron_nodes(name: str, m: Any, changes: list[str]) -> tuple[float, float, NeuronSpec]:
    """Return the gain, the bias and the specification of one SpikingJelly neuron.

    What differs numerically from that neuron is appended to ``changes``.
    """
    kind = type(m).__name__
    if not is_ours(m, *NODES):
        raise UnsupportedError(name, f"neuron {kind} has no integer form here", f"use one of {', '.join(NODES)}")
    rest = 0.0 if m.v_reset is None else float(m.v_reset)
    threshold = float(m.v_threshold) - rest
    if threshold <= 0:
        raise UnsupportedError(name, f"v_threshold must exceed v_reset, {m.v_threshold} and {m.v_reset}", "raise it")
    leak, levels, v0, gain, bias = 256.0, 1, 0.0, 1.0, 0.0
    if kind == "HalfThresholdIFNode":
        v0 = 0.5
    if kind.startswith("Simple"):  # which starts from 0, be its reset potential as it may
        v0 = -rest / threshold
    if kind.endswith("LIFNode"):
        tau = 1 / float(torch.sigmoid(m.w.detach().double())) if kind == "ParametricLIFNode" else float(m.tau)
        leak = 256 * (1 - 1 / tau)
        gain = 1 / tau if m.decay_input else 1.0
        changes.extend(told_leak(name, leak))
    if kind == "ILIFNode":
        levels, v0 = int(m.surrogate_function.max_spike_count), 0.5
        bias = threshold / 2 * (1 - leak / 256)
        changes.append(
            f"{name}: rounding becomes a floor by half a threshold of initial potential and bias; "
            "exact halves round up instead of to the even level"
        )
    reset: Reset = "soft" if m.v_reset is None else "hard"
    if rest:
        changes.append(f"{name}: potentials are counted from v_reset {rest}, so that a hard reset is to 0")
    spec = NeuronSpec(
        levels=levels, kind="lif" if leak < 256 else "if", reset=reset, v0=v0, leak=leak, threshold=threshold
    )
    return gain, bias, spec


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a SpikingJelly module, in single-step or multi-step mode, or a classifier that makes the timesteps itself.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator; the message has its qualified name.
    """
    changes: list[str] = []
    pending: dict[str, tuple[float, float]] = {}
    paths_of: dict[str, str] = {}
    parts: dict[str, tuple[int, int]] = {}

    def convert(name: str, m: nn.Module, inputs: tuple[str, ...]) -> Node | None | list[Node]:
        if is_ours(m, *CONTAINERS):
            return chained(name, m, inputs)
        if is_ours(m, "SpikingSelfAttention"):
            nodes, neurons, found = attention_nodes(name, m, *inputs)
            parts.update(found)
            paths_of.update({node: path for node, (path, _) in neurons.items()})
            return [fired(n.name, neurons[n.name][1], n.inputs) if n.op == "neuron" else n for n in nodes]
        return fired(name, m, inputs) if hasattr(m, "v_threshold") else layer_node(name, m, inputs)

    def fired(name: str, m: Any, inputs: tuple[str, ...]) -> Node:
        gain, bias, spec = neuron_nodes(name, m, changes)
        pending[name] = (gain, bias)
        return Node(name=name, op="neuron", inputs=inputs, attrs=dict(spec=spec, timesteps=timesteps))

    def chained(name: str, m: Any, inputs: tuple[str, ...]) -> list[Node]:
        nodes: list[Node] = []
        for child, part in m.named_children():
            found = convert(f"{name}.{child}", part, inputs)
            nodes += found if isinstance(found, list) else [] if found is None else [found]
            inputs = (nodes[-1].name,) if nodes else inputs
        return nodes

    module = twin(module, reset)
    steps = any(getattr(m, "step_mode", "s") == "m" or is_ours(m, *CONTAINERS) for m in module.modules())
    if steps and not outside(module, "m"):  # only containers know of time: what stands between them gets it, too
        _multi_step(module)
    reading = trace(module, convert, leaves=LEAVES, frames=timesteps)
    graph = reading.graph()
    changes.append("every neuron starts from its reset potential for each image")
    source = ModuleSource(
        module=module,
        neurons=paths(graph) | paths_of,
        parts=parts,
        timesteps=timesteps,
        feed="once" if reading.unrolled else "frames" if steps else "steps",
        flat=reads_flat(graph),
        reset=reset,
        reduced=reading.reduce is not None,
    )
    return replace(graph, nodes=tuple(_with_gains(graph.nodes, pending)), changes=tuple(changes), source=source)


def outside(module: nn.Module, mode: str) -> bool:
    """Return whether a module in this step mode stands outside of containers that fold the time away themselves."""
    parts = [part for part in module.children() if not is_ours(part, *CONTAINERS)]
    return any(getattr(part, "step_mode", "") == mode or outside(part, mode) for part in parts)


def _multi_step(module: Any) -> None:
    """Let all modules of a copy take (T, B, ...), but for those in containers that fold the time away themselves."""
    for part in module.children():
        if hasattr(part, "step_mode") and not is_ours(part, *CONTAINERS):
            part.step_mode = "m"
        if not is_ours(part, *CONTAINERS):
            _multi_step(part)


def reset(module: nn.Module) -> None:
    """Clear the state of all neurons, as SpikingJelly's ``reset_net`` does."""
    for m in module.modules():
        clear = getattr(m, "reset", None)
        if callable(clear):
            clear()


def layer_node(name: str, m: Any, inputs: tuple[str, ...]) -> Node | None:
    """Return the node of a layer without state."""
    if is_ours(m, "WSConv2d", "WSLinear"):
        weight, op = m.get_weight().detach(), "conv" if hasattr(m, "kernel_size") else "linear"
        bias = None if m.bias is None else m.bias.detach()
        attrs = conv_attrs(name, m) if op == "conv" else dict(bias=bias)
        return Node(name=name, op=op, inputs=inputs, attrs={**attrs, "weight": weight})
    if is_ours(m, "ThresholdDependentBatchNorm1d", "ThresholdDependentBatchNorm2d"):
        return Node(name=name, op="norm", inputs=inputs, attrs=dict(module=m))
    if is_ours(m, "VotingLayer"):
        return Node(name=name, op="vote", inputs=inputs, attrs=dict(size=int(m.voting_size)))
    if is_ours(m, "Dropout", "Dropout2d"):
        return None
    return module_node(name, m, inputs)


def _with_gains(nodes: Iterable[Node], pending: dict[str, tuple[float, float]]) -> Iterator[Node]:
    """Insert a factor and a constant current in front of neurons that need them."""
    for node in nodes:
        if node.op == "neuron":
            gain, bias = pending[node.name]
            source = node.inputs[0]
            if gain != 1:
                yield Node(name=f"{node.name}.gain", op="scale", inputs=(source,), attrs=dict(factor=gain))
                source = f"{node.name}.gain"
            if bias:
                yield Node(name=f"{node.name}.bias", op="bias", inputs=(source,), attrs=dict(value=bias))
                source = f"{node.name}.bias"
            node = Node(name=node.name, op="neuron", inputs=(source,), attrs=node.attrs)
        yield node
