"""Turns a graph of operations into layers of the accelerator.

Nodes are folded greedily. A layer is one or two convolutions, linear layers or identities, then perhaps a batch norm, a
neuron, and perhaps a max pool. :mod:`reprise.export.trace.sources` turns convolutions, linear layers and average pools
into sources, and :mod:`reprise.export.trace.joins` turns additions into layers of two sources. What has no such form is
refused by its name, with a remedy.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from ...model.network.layer import POOL_KERNELS
from ...model.network.network import InputMode
from ..qat.layers import NeuronSpec, QatLayer
from ..qat.network import QatNetwork
from . import joins
from .graph import Graph, Node, UnsupportedError, trace
from .sources import conv_current, identity_current, linear_current
from .values import Current, Feature, fold_norm, over_weight

Value = TypeVar("Value", Feature, Current)
NAME = re.compile(r"[^A-Za-z0-9_]+")


class Lowering:
    """Lowers one graph: it goes through the nodes in order, and the method ``OP_`` makes the value of a node.

    A value is a map of levels or a current that has not been fired yet. Layers are emitted as soon as they are
    complete.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        input_shape: Sequence[int],
        input_levels: int,
        timesteps: int,
        input_scale: float,
        fold: bool = False,
    ) -> None:
        self.graph, self.timesteps, self.fold = graph, timesteps, fold
        self.input = Feature(name="input", shape=tuple(input_shape), levels=input_levels, unit=input_scale)
        self.layers: list[QatLayer] = []
        self.names = {"input"}
        self.values: dict[str, Feature | Current] = {}
        self.changes = list(graph.changes)

    def run(self) -> list[QatLayer]:
        """Return the layers of the graph."""
        for node in self.graph.nodes:
            args = [self.values[i] for i in node.inputs]
            value = getattr(self, node.op + "_")(node, *args)
            if isinstance(value, Current) and value.identity:
                if [c.op for c in self.graph.consumers(node.name)] not in (["neuron"], ["norm"]):
                    value = self.spikes(value)
            self.values[node.name] = value
        return self.layers

    # --- helpers
    def layer_name(self, name: str) -> str:
        """Return a name that a network file may hold and that no layer has yet."""
        base = NAME.sub("_", name).strip("_") or "layer"
        unique, i = base, 2
        while unique in self.names:
            unique, i = f"{base}_{i}", i + 1
        self.names.add(unique)
        return unique

    def need(self, node: Node, value: Any, kind: type[Value], what: str) -> Value:
        """Return the value if it is of ``kind``, and else raise UnsupportedError with ``what`` to do."""
        if not isinstance(value, kind):
            have = "a current that no neuron has turned into spikes" if isinstance(value, Current) else "spikes"
            raise UnsupportedError(node.name, f"{node.op} reads {have}", what)
        return value

    def emit(self, current: Current, spec: NeuronSpec, unit: float = 1.0) -> Feature:
        """Append the layer that fires a current, and return its map of levels."""
        if current.norm is not None and (self.fold or (current.norm.weight <= 0).any()):
            current = fold_norm(current)
        layer = QatLayer(
            self.layer_name(current.name),
            current.sources,
            spec,
            bias=current.bias,
            norm=current.norm,
            pool=current.pool,
            levels_in=current.levels_in,
            timesteps=self.timesteps,
        )
        self.layers.append(layer)
        _, h, w = current.shape
        p = max(current.pool, 1)
        return Feature(name=layer.name, shape=(layer.channels, h // p, w // p), levels=spec.levels, unit=unit)

    def spikes(self, join: Current) -> Feature:
        """Emit a sum of two maps of levels, as SEW has it: with identity weights and D = 1, z = a + b exactly."""
        levels = joins.summed_levels(join)
        ones, unit = joins.integers_of(join)
        return self.emit(joins.with_integers(join, ones), NeuronSpec(levels=levels, v0=0.0), unit)

    # --- operations
    def input_(self, node: Node) -> Feature:
        return self.input

    def conv_(self, node: Node, x: Feature | Current) -> Current:
        return conv_current(node, self.need(node, x, Feature, "put a neuron between the two"))

    def linear_(self, node: Node, x: Feature | Current) -> Current:
        return linear_current(node, self.need(node, x, Feature, "put a neuron between the two"))

    def add_(self, node: Node, a: Feature | Current, b: Feature | Current) -> Current:
        return joins.add_currents(node.name, a, b)

    def norm_(self, node: Node, x: Feature | Current) -> Current:
        x = self.need(node, x, Current, "put the batch norm behind a convolution")
        if x.norm is not None:
            x = fold_norm(x)
        if x.pool:
            raise UnsupportedError(node.name, "a batch norm behind a max pool", "put it in front of the pool")
        return replace(x, norm=node.attrs["module"], identity=False)

    def scale_(self, node: Node, x: Feature | Current) -> Feature | Current:
        if isinstance(x, Feature):
            return replace(x, unit=x.unit * node.attrs["factor"])
        x = fold_norm(x) if x.norm is not None else x
        gain = torch.as_tensor(node.attrs["factor"])
        sources = tuple(replace(s, weight=s.weight * over_weight(gain, s.weight)) for s in x.sources)
        return replace(x, sources=sources, bias=None if x.bias is None else x.bias * gain)

    def bias_(self, node: Node, x: Feature | Current) -> Current:
        """Add a constant current in front of a neuron; it is a scalar or a value for each channel."""
        x = self.need(node, x, Current, "put it behind a convolution")
        x = fold_norm(x) if x.norm is not None else x
        value = torch.as_tensor(node.attrs["value"]).expand(x.shape[0])
        return replace(x, bias=value if x.bias is None else x.bias + value, identity=False)

    def neuron_(self, node: Node, x: Feature | Current) -> Feature:
        if isinstance(x, Feature):
            x = identity_current(x, node.name)
        if node.attrs["timesteps"] != self.timesteps:
            raise UnsupportedError(
                node.name,
                f"has {node.attrs['timesteps']} timesteps, the network {self.timesteps}",
                "use one T everywhere",
            )
        spec = node.attrs["spec"]
        fixed = x.identity and not spec.trainable
        weights, unit = joins.integers_of(x, spec.threshold) if fixed else ([], 1.0)
        if weights:
            return self.emit(joins.with_integers(x, weights), replace(spec, threshold=spec.threshold / unit))
        return self.emit(x, spec)

    def maxpool_(self, node: Node, x: Feature | Current) -> Feature | Current:
        k = node.attrs["kernel"]
        least, most = POOL_KERNELS
        if not least <= k <= most:
            raise UnsupportedError(node.name, f"max pools of {least}..{most} exist, not {k}", "pool by 2, 3 or 4")
        if isinstance(x, Current):
            if self.timesteps > 1 or x.pool:
                raise UnsupportedError(
                    node.name, "a max pool of currents equals one of spikes only for T = 1", "put it behind the neuron"
                )
            return replace(x, pool=k)
        source = node.inputs[0]
        if x.name == "input" or x.flat or x.avgpool > 1:
            raise UnsupportedError(node.name, "a max pool must follow a neuron directly", "move it behind a neuron")
        layer = next(lay for lay in self.layers if lay.name == x.name)
        if layer.pool or len(self.graph.consumers(source)) > 1:
            raise UnsupportedError(
                node.name,
                "the pooled map has another reader or pool",
                "pool once, and let every reader take the pooled map",
            )
        layer.pool = k
        c, h, w = x.shape
        return replace(x, shape=(c, h // k, w // k))

    def avgpool_(self, node: Node, x: Feature | Current) -> Feature:
        x = self.need(node, x, Feature, "put the average pool behind a neuron")
        if x.flat or x.avgpool > 1:
            raise UnsupportedError(node.name, "an average pool of a pooled or flattened map", "use one pool")
        k = node.attrs["kernel"]
        if k == 0:
            if x.shape[1] != x.shape[2]:
                raise UnsupportedError(node.name, f"global pooling of a {x.shape[1:]} map, not square", "use AvgPool2d")
            k = x.shape[1]
        return replace(x, avgpool=k, unit=x.unit * (k * k if node.attrs["total"] else 1))

    def flatten_(self, node: Node, x: Feature | Current) -> Feature:
        return replace(self.need(node, x, Feature, "put a neuron in front"), flat=True)

    def output_(self, node: Node, x: Feature | Current) -> None:
        if isinstance(x, Current):
            if x.pool:
                raise UnsupportedError(x.name, "the readout must be a convolution or linear layer", "add a Linear")
            x = fold_norm(x) if x.norm is not None else x
            self.emit(x, NeuronSpec(levels=0, kind="readout", reset="none", v0=0.0))


def prepare(
    module: nn.Module | Graph,
    *,
    input_shape: tuple[int, int, int],
    input_levels: int = 255,
    timesteps: int = 1,
    input_mode: InputMode = "repeat",
    input_scale: float = 1.0,
    input_signed: bool = False,
    fold: bool = False,
) -> QatNetwork:
    """Turn a PyTorch module, or a traced :class:`Graph`, into layers of the accelerator, for training or export.

    Parameters
    ----------
    module : nn.Module | Graph
        Its input is (T * B, C, H, W) with time outermost, and its neurons are those of
        :mod:`reprise.export.nn.neurons`.
    input_shape : (C, H, W)
    input_levels : largest pixel value
    timesteps : T
    input_mode : "repeat", "once" or "given"
    input_scale : the module was trained on ``pixel * input_scale``
    input_signed : pixels are int8
    fold : put every batch norm into the weights now, with its running statistics, instead of training it further
        Joins of normalized branches, and norms with a factor that is not positive, are folded in any case.

    Raises
    ------
    UnsupportedError
        The accelerator cannot run the module; the message names the part and has the remedy.
    """
    graph = module if isinstance(module, Graph) else trace(module)
    lowering = Lowering(
        graph,
        input_shape=input_shape,
        input_levels=input_levels,
        timesteps=timesteps,
        input_scale=input_scale,
        fold=fold,
    )
    layers = lowering.run()
    if not layers:
        raise UnsupportedError("network", "it has no layer", "give it at least one convolution or linear layer")
    net = QatNetwork(
        layers,
        input_shape=input_shape,
        input_levels=input_levels,
        timesteps=timesteps,
        input_mode=input_mode,
        input_signed=input_signed,
    )
    net.changes = tuple(lowering.changes)
    return net
