"""Reads NIR graphs as a :class:`reprise.export.trace.graph.Graph`.

It knows the nodes Conv2d, Linear, Affine, IF, LIF, Threshold, Flatten, SumPool2d, AvgPool2d and Scale, and I as the
readout.

NIR's neurons are continuous in time. IF is ``v' = R I`` and LIF is ``tau v' = (v_leak - v) + R I``; where v exceeds
v_threshold there is a spike, and v becomes v_reset. One forward Euler step of length dt gives, with V = v - v_reset,

    U = (1 - dt/tau) V + (R dt/tau) I + (v_leak - v_reset) dt/tau,   spike where U >= v_threshold - v_reset

For IF, tau drops out, and the factor of I is R dt. The exact step, which sinabs' LIF computes, has 1 - exp(-dt/tau) in
place of dt/tau (:mod:`.nir_graphs.steps`); a file does not tell which one was meant. A caller must ask for soft reset,
because NIR has no word for it. He must say how long a timestep is, too: the standard means seconds, and several
exporters mean timesteps.
"""

import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...model.network.neuron import MAX_LEVELS, NeuronKind, Reset
from ...support.checks import require, require_int, require_positive
from ...support.errors import RepriseError
from ..qat.specs import WEIGHT_MAX, NeuronSpec
from ..trace.graph import Graph, Node, UnsupportedError, square
from ..trace.kernels import pair, same_padding, sides
from .leaks import per_channel, told_leak
from .nir_graphs import reference as nir_reference
from .nir_graphs.levels import SPIKING, combined, levels_spec
from .nir_graphs.steps import STEPS, LeakStep, Steps

SUPPORTED = "Conv2d, Linear, Affine, IF, LIF, Threshold, Flatten, SumPool2d, AvgPool2d, Scale, and I at the end"
WINDOW = ("kernel", "stride", "padding")


def mapped(value: float | torch.Tensor, n: Any) -> float | torch.Tensor:
    """Shape a value for each channel of a neuron so that it is broadcast over the neuron's map."""
    return value.view(-1, *(1,) * (np.ndim(n.r) - 1)) if isinstance(value, torch.Tensor) else value


def neuron(
    name: str, n: Any, source: str, *, timesteps: int, steps: Steps, reset: Reset, levels: int, changes: list[str]
) -> Iterator[Node]:
    """Yield the nodes of an IF or a LIF neuron: a gain and a bias, where they are needed, and the neuron.

    What differs numerically from NIR's neuron is appended to ``changes``.
    """
    rest = 0.0 if n.v_reset is None else per_channel(name, "v_reset", n.v_reset)
    threshold = per_channel(name, "v_threshold", n.v_threshold) - rest
    leak: float | torch.Tensor = 256.0
    bias: float | torch.Tensor = 0.0
    if type(n).__name__ == "LIF":
        lost = steps.lost(name, n.tau)
        share = per_channel(name, "tau", lost)
        leak, bias = 256 * (1 - share), (per_channel(name, "v_leak", n.v_leak) - rest) * share
        gain = per_channel(name, "r", n.r) * per_channel(name, "tau", steps.taken(lost))
        changes.extend((*told_leak(name, leak), *steps.told(name, n.tau)))
    else:
        gain = per_channel(name, "r", n.r) * steps.dt
        changes.append(f"{name}: the input is integrated in steps of {steps.length}")
    changes.append(f"{name}: fires at U >= threshold where NIR fires at v > threshold")
    if reset == "soft":
        changes.append(f"{name}: soft reset (subtract the threshold) in place of NIR's reset to v_reset")
    if levels > 1:
        changes.append(f"{name}: emits up to {levels} spikes in a timestep, one for each threshold in its potential")
    if np.any(np.asarray(rest) != 0):
        changes.append(f"{name}: potentials are counted from v_reset, so that a hard reset is to 0; they start there")
    if not torch.as_tensor(threshold).min() > 0:
        raise UnsupportedError(name, "v_threshold must exceed v_reset", "raise the threshold")
    if np.any(np.asarray(gain) != 1):
        yield Node(name=f"{name}.gain", op="scale", inputs=(source,), attrs=dict(factor=mapped(gain, n)))
        source = f"{name}.gain"
    if np.any(np.asarray(bias) != 0):
        yield Node(name=f"{name}.bias", op="bias", inputs=(source,), attrs=dict(value=bias))
        source = f"{name}.bias"
    kind: NeuronKind = "lif" if type(n).__name__ == "LIF" else "if"
    spec = NeuronSpec(
        levels=levels,
        kind=kind,
        reset=reset,
        v0=0.0,
        leak=leak,
        threshold=torch.as_tensor(threshold, dtype=torch.float64),
    )
    yield Node(name=name, op="neuron", inputs=(source,), attrs=dict(spec=spec, timesteps=timesteps))


def whole_step(weight: torch.Tensor) -> torch.Tensor | None:
    """Return the step 1 (O,) of weights that are whole numbers within int8 already, which are kept; else None."""
    if not weight.numel():
        return None
    whole = bool((weight == weight.round()).all()) and float(weight.abs().max()) <= WEIGHT_MAX
    return torch.ones(len(weight), dtype=torch.float64) if whole and bool(weight.any()) else None


def number(name: str, value: Any, what: str) -> int:
    """Return one integer from a number or from an equal pair."""
    return square(name, [int(v) for v in np.ravel(value)] * (1 if np.size(value) > 1 else 2), what)


def operation(name: str, n: Any, source: str, *, maxpool: bool = False) -> Node:
    """Turn a NIR node without state into a node of the graph; ``maxpool`` says that a SumPool2d is one."""
    kind = type(n).__name__

    def node(op: str, **attrs: Any) -> Node:
        return Node(name=name, op=op, inputs=(source,), attrs=attrs)

    if kind == "Conv2d":
        weight = torch.tensor(np.asarray(n.weight), dtype=torch.float64)
        dilation = pair(np.ravel(n.dilation).tolist())
        if isinstance(n.padding, str):
            padding = same_padding(weight.shape[2:], dilation) if n.padding == "same" else sides(0)
        else:
            padding = sides(np.ravel(n.padding).tolist())
            if min(padding) < 0:
                raise UnsupportedError(name, f"a padding of {padding} cuts the map", "use one of 0 or more")
        bias = None if n.bias is None else torch.tensor(np.asarray(n.bias), dtype=torch.float64)
        stride = number(name, n.stride, "stride")
        attrs = dict(weight=weight, bias=bias, stride=stride, padding=padding, dilation=dilation, groups=int(n.groups))
        return node("conv", **attrs, step=whole_step(weight))
    if kind in ("Linear", "Affine"):
        bias = torch.tensor(np.asarray(n.bias), dtype=torch.float64) if kind == "Affine" else None
        weight = torch.tensor(np.asarray(n.weight), dtype=torch.float64)
        return node("linear", weight=weight, bias=bias, step=whole_step(weight))
    if kind == "Flatten":
        shape = tuple(int(v) for v in np.ravel(n.input_type["input"])) if n.input_type["input"] is not None else (0,)
        kept = nir_reference.without_images(shape)
        start = n.start_dim + (len(shape) if n.start_dim < 0 else 0)
        if any(v != 1 for v in shape[len(shape) - len(kept) : start]) or n.end_dim not in (-1, len(shape) - 1):
            raise UnsupportedError(
                name,
                f"flattens the axes {n.start_dim}..{n.end_dim} of {tuple(int(v) for v in shape)}, not all of them",
                "flatten from axis 0 to the last one",
            )
        return node("flatten", columns=None)
    if kind == "Scale":
        if not np.size(n.scale):
            raise UnsupportedError(name, "has no value", "give a factor, or one for each channel")
        return node("scale", factor=torch.tensor(np.asarray(n.scale, dtype=np.float64)))
    if kind == "SumPool2d" and maxpool:
        sizes = {what: number(name, getattr(n, f"{what}_size" if what == "kernel" else what), what) for what in WINDOW}
        return node("maxpool", **sizes)
    if kind in ("SumPool2d", "AvgPool2d"):
        kernel, stride = number(name, n.kernel_size, "kernel"), number(name, n.stride, "stride")
        if stride != kernel or number(name, n.padding, "padding"):
            raise UnsupportedError(
                name, f"kernel {kernel} and stride {stride} must be equal, without padding", "make them so"
            )
        return node("avgpool", kernel=kernel, divisor=1 if kind == "SumPool2d" else None)
    raise UnsupportedError(name, f"NIR node {kind} has no form on the accelerator", f"use {SUPPORTED}")


def read(
    graph: Any,
    *,
    timesteps: int,
    dt: float | None = None,
    per_step: bool = False,
    reset: Reset = "hard",
    levels: int = 1,
    leak_step: LeakStep = "euler",
) -> Graph:
    """Read a NIR graph, which is an object of ``nir`` or an HDF5 file.

    Parameters
    ----------
    timesteps : T of the network
    dt : seconds of a timestep; the graph's time constants are in seconds as well
    per_step : the graph's time constants and resistances are in timesteps instead
    reset : "hard" as NIR defines it, or "soft" where the source tool meant that
    levels : how many spikes an IF or a LIF may emit in a timestep, where the source tool meant several (sinabs does);
        the reset must be soft
    leak_step : how a LIF goes through a timestep (:mod:`.nir_graphs.steps`): "euler", as the standard's equations are
        usually solved, or "exact" or "decay", which sinabs' LIF computes with and without ``norm_input``

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
            graph = nir.read(str(graph), type_check=False)  # which is wrong for kernels that are not square
        except Exception as error:  # it is no HDF5, or one without NIR's groups; NIR checks these with assertions
            raise RepriseError(
                f"{graph}: must be a NIR graph (HDF5): {str(error) or type(error).__name__}", where=str(graph)
            ) from None
    if reset not in ("hard", "soft"):
        raise RepriseError(f"reset must be hard or soft, not {reset!r}")
    require(leak_step in STEPS, "leak_step", f"one of {', '.join(STEPS)}", leak_step)
    require_int("levels", levels, 1, MAX_LEVELS)
    require(
        levels == 1 or reset == "soft", "levels", "1 with a hard reset", levels, "several spikes subtract (reset soft)"
    )
    if (dt is None) == (not per_step):
        raise RepriseError(
            "dt must be given in seconds, or per_step, which of both the graph's exporter means (--dt SECONDS or "
            "--per-step): NIR's time constants are in seconds, and several tools write timesteps"
        )
    require_positive("dt", 1.0 if dt is None else dt)
    steps = Steps(dt=1.0 if dt is None else float(dt), leak=leak_step, per_step=per_step)
    if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
        raise RepriseError(field="graph", rule="a NIR graph, or the file of one", value=type(graph).__name__)
    given = {name: nir_reference.for_one_image(name, node) for name, node in graph.nodes.items()}
    before: dict[str, list[str]] = {name: [] for name in given}
    for source, target in graph.edges:
        if missing := {source, target} - before.keys():
            rule = f"the edge from {source} to {target} leads to a node that is not there"
            raise UnsupportedError(missing.pop(), rule, "give the node, or leave the edge out")
        if source in before[target]:
            raise UnsupportedError(target, f"the edge from {source} comes twice", "give it once")
        before[target].append(source)
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as e:
        raise UnsupportedError(str(e.args[1][0]), "a recurrent connection", "only feed-forward graphs can run") from e
    groups = combined(given, before, several=levels > 1)
    nodes: list[Node] = []
    changes: list[str] = []
    ends: list[Node] = []
    for name in order:
        if name not in groups.before:
            continue
        n, inputs = given[name], groups.before[name]
        kind = type(n).__name__
        if kind == "Input":
            shape = nir_reference.without_images(tuple(int(v) for v in np.ravel(n.input_type["input"])))
            nodes.append(Node(name=name, op="input", attrs=dict(flat=len(shape) == 1, shape=shape)))
            continue
        if not inputs:
            raise UnsupportedError(name, "has no input", "connect or remove it")
        source = inputs[0]
        for i, other in enumerate(inputs[1:]):
            nodes.append(Node(name=f"{name}.sum{i}", op="add", inputs=(source, other)))
            source = f"{name}.sum{i}"
        if kind == "Output":
            ends.append(Node(name=name, op="output", inputs=(source,)))
        elif kind == "I" and all(type(given[target]).__name__ == "Output" for at, target in graph.edges if at == name):
            factor = mapped(per_channel(name, "r", n.r) * steps.dt, n)
            nodes.append(Node(name=name, op="scale", inputs=(source,), attrs=dict(factor=factor)))
            changes.append(f"{name}: the input is integrated in steps of {steps.length}")
        elif kind in ("IF", "LIF"):
            how: dict[str, Any] = dict(timesteps=timesteps, steps=steps, reset=reset, levels=levels, changes=changes)
            nodes += neuron(name, n, source, **how)
        elif kind == "Threshold":
            members = [given[one].threshold for one in groups.members.get(name, (name,))]
            lowest = [per_channel(name, "threshold", m) for m in members]
            spec, bias = levels_spec(lowest, timesteps=timesteps, reset=reset)
            if bias is not None:
                nodes.append(Node(name=f"{name}.bias", op="bias", inputs=(source,), attrs=dict(value=bias)))
                source = nodes[-1].name
            nodes.append(Node(name=name, op="neuron", inputs=(source,), attrs=dict(spec=spec, timesteps=timesteps)))
            changes.append(f"{name}: fires at U >= threshold where NIR fires at v > threshold")
        else:
            nodes.append(operation(name, n, source, maxpool=name in groups.maxpools))
    if len(ends) != 1 or sum(n.op == "input" for n in nodes) != 1:
        raise UnsupportedError("graph", f"has {len(ends)} outputs, one input and one output are needed", "split it")
    changes.append("every neuron starts from its reset potential for each image")
    parts = {one: name for name, members in groups.members.items() for one in members}
    fires = {one: parts.get(one, one) for one in order if type(given[one]).__name__ in SPIKING}
    fires = {one: name for one, name in fires.items() if name in groups.before}  # a max pool's Threshold is no neuron
    source_run = nir_reference.NirSource(
        nodes=given,
        edges=graph.edges,
        order=tuple(order),
        timesteps=timesteps,
        steps=steps,
        reset=reset,
        fires=fires,
        several=levels > 1,
    )
    return Graph(nodes=tuple(nodes + ends), changes=tuple(changes), source=source_run)
