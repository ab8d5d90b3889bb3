"""A small graph of operations, which tracing a PyTorch module or reading a NIR file yields, and which is then lowered.

The operations have these attributes, of which arrays are torch tensors in the module's precision:

- ``conv``: weight (O, C/groups, KH, KW), bias, stride, padding (a number, a pair for rows and columns, or four numbers
  for above, left, below and right), dilation (a number or a pair; 1), groups
- ``linear``: weight (O, K), bias
- both, if the weights are quantized already: step (O,), the value of one integer; and bias_in_steps, the bits of the
  bias if it is rounded to steps of the sum
- ``norm``: module, which is a BatchNorm2d or a BatchNorm1d
- ``neuron``: spec (:class:`reprise.export.qat.specs.NeuronSpec`), timesteps, and unit, the value of one level (1)
- ``avgpool``: kernel, or 0 for windows that give ``output`` (1) positions in both directions; and divisor, by which the
  sum of a window is divided, or None for the mean
- ``maxpool``: kernel; stride, which is the kernel if it is left out; padding (0); and ceil (False), whether windows
  that hang over the edge count, as average pools may say, too
- ``scale``: factor, a number or a tensor that NumPy's rules broadcast to the map (C, H, W), or to its flattened form
- ``bias``: value
- ``flatten``: columns, how many there must be, or None
- ``input``: flat, true if the network reads its images flattened
- ``output``: reduce, which is "mean" or "sum" over the timesteps, or None
- ``vote``: size, the number of neighbouring channels whose mean is one output
- ``attention``: heads and shift; it reads Q, K and V (:class:`reprise.export.nn.attention.AttentionProducts`)
- ``mask`` and ``tokens`` have none (:class:`reprise.export.nn.attention.SpikeMask` and ``TokenSum``)
- ``add``: bits, of the stream of currents that is added to (:class:`reprise.export.nn.membrane.MembraneStream`); or
  none for any addition
- ``cat``: dim, the axis; and frames, true if an axis of time may stand in front
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ...support.errors import RepriseError

FORBIDDEN = re.compile(r"[^A-Za-z0-9_]+")
"""What the name of a layer in a network file cannot hold."""


class UnsupportedError(RepriseError):
    """The accelerator cannot run a module, a layer or an arrangement; the message names it and says what to do."""

    def __init__(self, where: str, rule: str, remedy: str) -> None:
        super().__init__(f"{where}: {rule}; {remedy}", where=where, rule=rule, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: its own name, the names of the nodes that it reads, and its attributes."""

    name: str
    op: str
    inputs: tuple = ()
    attrs: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceRun:
    """What the source network itself gives for a batch of images, in float64.

    Members
    -------
    spikes : what each neuron node emits, (T, B, ...), by the node's name
    output : what the network returns in each timestep (T, B, ...); (1, B, ...) if it returns one value for all of them
    """

    spikes: dict[str, torch.Tensor]
    output: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in the order of their execution.

    Members
    -------
    changes : the numerical differences from the source network, as sentences
    source : runs the source network itself on images (B, C, H, W) of its own input values in float64
    """

    nodes: tuple
    changes: tuple = ()
    source: Callable[[torch.Tensor], SourceRun] | None = None

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read a node."""
        return [n for n in self.nodes if name in n.inputs]

    def ends_behind(self, node: Node) -> bool:
        """Return whether nothing but flattening lies between a node and the output."""
        readers = self.consumers(node.name)
        if len(readers) == 1 and readers[0].op == "flatten":
            return self.ends_behind(readers[0])
        return [reader.op for reader in readers] == ["output"]


def unique_name(name: str, taken: set[str]) -> str:
    """Return a name that a network file may hold and that is not yet among those ``taken``, and add it to them."""
    base = FORBIDDEN.sub("_", name).strip("_") or "layer"
    unique, i = base, 2
    while unique in taken:
        unique, i = f"{base}_{i}", i + 1
    taken.add(unique)
    return unique


def square(where: str, value: Any, what: str) -> int:
    """Return one integer from an integer or from a pair of equal ones; a pair that differs raises UnsupportedError."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(set(pair)) != 1 or pair[0] is None:
        raise UnsupportedError(where, f"{what} must be equal in both directions, is {pair}", "use a square one")
    return int(pair[0])
