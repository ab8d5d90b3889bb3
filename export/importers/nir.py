"""Reads NIR graphs as a :class:`reprise.export.trace.graph.Graph`.

It knows the nodes Conv2d, Linear, Affine, IF, LIF, Flatten, SumPool2d, AvgPool2d and Scale.

NIR's neurons are continuous in time. IF is ``v' = R I`` and LIF is ``tau v' = (v_leak - v) + R I``; where v exceeds
v_threshold there is a spike, and v becomes v_reset. One forward Euler step of length dt gives, with V = v - v_reset,

    U = (1 - dt/tau) V + (R dt/tau) I + (v_leak - v_reset) dt/tau,   spike where U >= v_threshold - v_reset

For IF, tau drops out, and the factor of I is R dt. A caller must ask for soft reset, because NIR has no word for it.
"""

import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...model.network.neuron import NeuronKind, Reset
from ...support.errors import RepriseError
from ..qat.layers import NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError, square

SUPPORTED = "Conv2d, Linear, Affine, IF, LIF, Flatten, SumPool2d, AvgPool2d, Scale"


def per_channel(name: str, field: str, value: Any) -> float | torch.Tensor:
    """Return a value as a scalar, or as (C,) if it differs between channels.

    Raises
    ------
    UnsupportedError
        The value differs within a channel.
    """
    array = np.asarray(value, dtype=np.float64)
    if array.size == 0 or np.all(array == array.flat[0]):
        return float(array.flat[0]) if array.size else 0.0
    flat = array.reshape(array.shape[0], -1)
    if np.any(flat != flat[:, :1]):
        raise UnsupportedError(name, f"{field} differs within a channel", "one value per channel is possible")
    return torch.tensor(flat[:, 0])


def neuron(
    name: str, n: Any, source: str, *, timesteps: int, dt: float, reset: Reset, changes: list[str]
) -> Iterator[Node]:
    """Yield the nodes of an IF or a LIF neuron: a gain and a bias, where they are needed, and the neuron.

    What differs numerically from NIR's neuron is appended to ``changes``.
    """
    rest = 0.0 if n.v_reset is None else per_channel(name, "v_reset", n.v_reset)
    threshold = per_channel(name, "v_threshold", n.v_threshold) - rest
    gain, leak = per_channel(name, "r", n.r) * dt, 256
    bias: float | torch.Tensor = 0.0
    if type(n).__name__ == "LIF":
        tau = per_channel(name, "tau", n.tau)
        if isinstance(tau, torch.Tensor):
            raise UnsupportedError(name, "tau differs between channels", "use one time constant per layer")
        if tau < dt:
            raise UnsupportedError(name, f"tau {tau} s is shorter than a timestep of {dt} s", "use a smaller dt")
        kept, gain = 1 - dt / tau, gain / tau
        leak, bias = round(256 * kept), (per_channel(name, "v_leak", n.v_leak) - rest) * dt / tau
        if abs(leak / 256 - kept) > 1e-9:
            changes.append(f"{name}: leak factor {kept:.6f} becomes {leak}/256")
        if leak < 256:
            changes.append(f"{name}: the leaked potential is rounded down to a whole weight step")
        changes.append(f"{name}: time is cut in steps of {dt} s (forward Euler)")
    else:
        changes.append(f"{name}: the input is integrated in steps of {dt} s")
    changes.append(f"{name}: fires at U >= threshold where NIR fires at v > threshold")
    if reset == "soft":
        changes.append(f"{name}: soft reset (subtract the threshold) in place of NIR's reset to v_reset")
    if np.any(np.asarray(rest) != 0):
        changes.append(f"{name}: potentials are counted from v_reset, so that a hard reset is to 0; they start there")
    if torch.as_tensor(threshold).min() <= 0:
        raise UnsupportedError(name, "v_threshold must exceed v_reset", "raise the threshold")
    if np.any(np.asarray(gain) != 1):
        yield Node(name=f"{name}.gain", op="scale", inputs=(source,), attrs=dict(factor=gain))
        source = f"{name}.gain"
    if np.any(np.asarray(bias) != 0):
        yield Node(name=f"{name}.bias", op="bias", inputs=(source,), attrs=dict(value=torch.as_tensor(bias)))
        source = f"{name}.bias"
    kind: NeuronKind = "lif" if leak < 256 else "if"
    spec = NeuronSpec(levels=1, kind=kind, reset=reset, v0=0.0, leak=leak, threshold=torch.as_tensor(threshold).float())
    yield Node(name=name, op="neuron", inputs=(source,), attrs=dict(spec=spec, timesteps=timesteps))


def number(name: str, value: Any, what: str) -> int:
    """Return one integer from a number or from an equal pair."""
    return square(name, [int(v) for v in np.ravel(value)] * (1 if np.size(value) > 1 else 2), what)


def operation(name: str, n: Any, source: str) -> Node:
    """Turn a NIR node without state into a node of the graph."""
    kind = type(n).__name__

    def node(op: str, **attrs: Any) -> Node:
        return Node(name=name, op=op, inputs=(source,), attrs=attrs)

    if kind == "Conv2d":
        weight = torch.tensor(np.asarray(n.weight), dtype=torch.float32)
        if isinstance(n.padding, str):
            same = n.padding == "same" and weight.shape[2] % 2 and number(name, n.stride, "stride") == 1
            if n.padding != "valid" and not same:
                raise UnsupportedError(name, f"padding {n.padding!r} is not symmetric", "give it as a number")
            padding = weight.shape[2] // 2 if same else 0
        else:
            padding = number(name, n.padding, "padding")
        if number(name, n.dilation, "dilation") != 1:
            raise UnsupportedError(name, f"dilation must be 1, is {n.dilation}", "use a larger dense kernel")
        bias = None if n.bias is None else torch.tensor(np.asarray(n.bias), dtype=torch.float32)
        stride = number(name, n.stride, "stride")
        return node("conv", weight=weight, bias=bias, stride=stride, padding=padding, groups=int(n.groups))
    if kind in ("Linear", "Affine"):
        bias = torch.tensor(np.asarray(n.bias), dtype=torch.float32) if kind == "Affine" else None
        return node("linear", weight=torch.tensor(np.asarray(n.weight), dtype=torch.float32), bias=bias)
    if kind == "Flatten":
        return node("flatten")
    if kind == "Scale":
        factor = per_channel(name, "scale", n.scale)
        return node("scale", factor=factor)
    if kind in ("SumPool2d", "AvgPool2d"):
        kernel, stride = number(name, n.kernel_size, "kernel"), number(name, n.stride, "stride")
        if stride != kernel or number(name, n.padding, "padding"):
            raise UnsupportedError(
                name, f"kernel {kernel} and stride {stride} must be equal, without padding", "make them so"
            )
        return node("avgpool", kernel=kernel, total=kind == "SumPool2d")
    raise UnsupportedError(name, f"NIR node {kind} has no form on the accelerator", f"use {SUPPORTED}")


def read(graph: Any, *, timesteps: int, dt: float = 1e-4, reset: Reset = "hard") -> Graph:
    """Read a NIR graph, which is an object of ``nir`` or an HDF5 file.

    Parameters
    ----------
    timesteps : T of the network
    dt : seconds of a timestep; time constants are in seconds as well
    reset : "hard" as NIR defines it, or "soft" where the source tool meant that

    Raises
    ------
    RepriseError
        The file is no NIR graph.
    UnsupportedError
        The accelerator has no such node, or the graph is recurrent or has several inputs or outputs.
    """
    if isinstance(graph, str | Path):
        import nir

        try:
            graph = nir.read(str(graph))
        except Exception as error:  # it is no HDF5, or one without NIR's groups; NIR checks these with assertions
            raise RepriseError(
                f"{graph}: must be a NIR graph (HDF5): {str(error) or type(error).__name__}", where=str(graph)
            ) from None
    if reset not in ("hard", "soft"):
        raise RepriseError(f"reset must be hard or soft, not {reset!r}")
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        before[target].append(source)
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as e:
        raise UnsupportedError(str(e.args[1][0]), "a recurrent connection", "only feed-forward graphs can run") from e
    nodes: list[Node] = []
    changes: list[str] = []
    ends: list[Node] = []
    for name in order:
        n, inputs = graph.nodes[name], before[name]
        kind = type(n).__name__
        if kind == "Input":
            nodes.append(Node(name=name, op="input"))
            continue
        if not inputs:
            raise UnsupportedError(name, "has no input", "connect or remove it")
        source = inputs[0]
        for i, other in enumerate(inputs[1:]):
            nodes.append(Node(name=f"{name}.sum{i}", op="add", inputs=(source, other)))
            source = f"{name}.sum{i}"
        if kind == "Output":
            ends.append(Node(name=name, op="output", inputs=(source,)))
        elif kind in ("IF", "LIF"):
            nodes += neuron(name, n, source, timesteps=timesteps, dt=dt, reset=reset, changes=changes)
        else:
            nodes.append(operation(name, n, source))
    if len(ends) != 1 or sum(n.op == "input" for n in nodes) != 1:
        raise UnsupportedError("graph", f"has {len(ends)} outputs, one input and one output are needed", "split it")
    changes.append("every neuron starts from its reset potential for each image")
    return Graph(nodes=tuple(nodes + ends), changes=tuple(changes))
