"""Reads modules of ``torch.nn`` layers and our own neurons as a :class:`reprise.export.trace.graph.Graph`."""

from dataclasses import replace

from torch import nn

from ..trace.graph import Graph, Node
from ..trace.running import ModuleSource, twin
from ..trace.tracer import trace


def read(module: nn.Module, *, timesteps: int) -> Graph:
    """Trace a module, whose neurons are those of :mod:`reprise.export.nn.neurons`.

    Raises
    ------
    UnsupportedError
        A module has no form on the accelerator; the message has its qualified name.
    """
    module = twin(module)
    reading = trace(module)
    graph = reading.graph()
    source = ModuleSource(
        module=module, neurons=paths(graph), timesteps=timesteps, feed="folded", flat=reads_flat(graph)
    )
    return replace(graph, source=source)


def paths(graph: Graph) -> dict[str, str]:
    """Return the paths of the neurons' modules by the names of their nodes, which are the same."""
    return {n.name: n.name for n in graph.nodes if n.op == "neuron"}


def reads_flat(graph: Graph) -> bool:
    """Return whether the network takes its images flattened."""
    node: Node = next(n for n in graph.nodes if n.op == "input")
    return bool(node.attrs["flat"])
