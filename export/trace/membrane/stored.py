"""Finds the currents of a graph that are stored, so that they can be read again: those of membrane shortcuts.

A layer has at most two sources. A current that an addition and something else read, as x is in
``x + branch(neuron(x))``, could be computed again for each reader, but in a chain of blocks that takes more and more
sources. So wherever a sum would have more than two, and wherever a MembraneStream says so, such currents are stored as
integer maps.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..graph import Graph, Node

MAKES = ("conv", "linear", "vote", "attention", "tokens", "norm", "bias")
"""The operations that give a current, whatever they read."""

KEEPS = ("scale", "add", "cat", "avgpool", "maxpool")
"""Those that give a current if they read one."""


def _currents(graph: Graph) -> set[str]:
    """Return the names of the nodes that give currents."""
    currents = set[str]()
    for node in graph.nodes:
        if node.op in MAKES or (node.op in KEEPS and currents.intersection(node.inputs)):
            currents.add(node.name)
    return currents


def gains_in_neurons(graph: Graph) -> Graph:
    """Return a graph in which no factor stands between a stream of currents, or a sum over tokens, and its neuron.

    A neuron with g x as its input fires as one with x does whose threshold and constant current are 1/g as large. LIF
    neurons whose input decays have such a factor, which cannot be put into a stored current or into a sum of spikes.
    """
    nodes, currents, kept = {node.name: node for node in graph.nodes}, _currents(graph), stored(graph)
    for node in graph.nodes:
        factor = torch.as_tensor(node.attrs.get("factor", 0), dtype=torch.float64).flatten()
        read = node.inputs[0] if node.op == "scale" else ""
        if (
            read not in currents
            or not (read in kept or nodes[read].op in ("add", "tokens"))
            or not bool((factor > 0).all())
        ):
            continue
        behind, constant = graph.consumers(node.name), None
        if [n.op for n in behind] == ["bias"]:
            constant, behind = behind[0], graph.consumers(behind[0].name)
        if [n.op for n in behind] != ["neuron"]:
            continue
        gain = factor if len(factor) > 1 else float(factor[0])
        spec = behind[0].attrs["spec"]
        attrs = behind[0].attrs | dict(spec=replace(spec, threshold=spec.threshold / gain))
        inputs = (read,) if constant is None else (constant.name,)
        nodes[behind[0].name] = replace(behind[0], inputs=inputs, attrs=attrs)
        if constant is not None:
            value = torch.as_tensor(constant.attrs["value"], dtype=torch.float64) / gain
            nodes[constant.name] = replace(constant, inputs=(read,), attrs=constant.attrs | dict(value=value))
        del nodes[node.name]
    return replace(graph, nodes=tuple(nodes[node.name] for node in graph.nodes if node.name in nodes))


def stored(graph: Graph) -> set[str]:
    """Return the names of the nodes whose currents are stored."""
    nodes = {node.name: node for node in graph.nodes}
    currents, sources = _currents(graph), dict[str, int]()
    for node in graph.nodes:
        one = node.name not in currents or node.op in ("conv", "linear", "vote", "attention", "tokens", "cat")
        sources[node.name] = 1 if one else sum(sources[name] for name in node.inputs)

    def chain(node: Node) -> Iterator[Node]:
        """Yield the additions whose sum a node is a part of, and the currents that they add."""
        if node.name not in currents:
            return
        yield node
        if node.op == "add":
            for name in node.inputs:
                yield from chain(nodes[name])

    found = set()
    for node in graph.nodes:
        if node.op == "add" and node.name in currents and (sources[node.name] > 2 or "bits" in node.attrs):
            found |= {one.name for one in chain(node) if _read_again(graph, one)}
    return found


def _read_again(graph: Graph, node: Node) -> bool:
    """Return whether an addition and something else read a node, or whether it is an addition with several readers."""
    readers = [reader.op for reader in graph.consumers(node.name)]
    return len(readers) > 1 and (node.op == "add" or "add" in readers)
