"""Finds the currents of a graph that are stored, so that they can be read again: those of membrane shortcuts.

A layer has at most two sources. A current that an addition and something else read, as x is in
``x + branch(neuron(x))``, could be computed again for each reader, but in a chain of blocks that takes more and more
sources. So wherever a sum would have more than two, and wherever a MembraneStream says so, such currents are stored as
integer maps.
"""

from collections.abc import Iterator

from ..graph import Graph, Node

MAKES = ("conv", "linear", "vote", "attention", "tokens", "norm", "bias")
"""The operations that give a current, whatever they read."""

KEEPS = ("scale", "add", "cat", "avgpool", "maxpool")
"""Those that give a current if they read one."""


def stored(graph: Graph) -> set[str]:
    """Return the names of the nodes whose currents are stored."""
    nodes = {node.name: node for node in graph.nodes}
    currents, sources = set[str](), dict[str, int]()
    for node in graph.nodes:
        if node.op in MAKES or (node.op in KEEPS and currents.intersection(node.inputs)):
            currents.add(node.name)
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
