"""Goes through a graph of operations and puts layers of the accelerator together.

Nodes are folded greedily. A layer is one or two convolutions, linear layers or identities, then perhaps a batch norm, a
neuron, and perhaps a max pool. :mod:`reprise.export.trace.sources` turns convolutions, linear layers and average pools
into sources, and :mod:`reprise.export.trace.joins` turns additions into layers of two sources. What has no such form is
refused by its name, with a remedy.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch

from ..qat.layers import QatLayer
from ..qat.network import End
from ..qat.specs import NeuronSpec
from . import joins
from .concat import Maps, columns, concatenated, copied, read_apart, read_by_weights
from .graph import Graph, Node, UnsupportedError, unique_name
from .kernels import fitted
from .membrane import adding
from .membrane.stored import gains_in_neurons, stored
from .sources import (
    averaged,
    averaged_current,
    conv_current,
    factor_of,
    foldable,
    identity_current,
    linear_current,
    one_a_channel,
    overlapped,
    pool_of,
    pooled_current,
    voting,
    whole_windows,
)
from .values import Current, Feature, Masked, fold_norm, scaled

Value = TypeVar("Value", Feature, Current)


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
        dtype: torch.dtype = torch.float32,
    ) -> None:
        graph = gains_in_neurons(graph)
        self.graph, self.timesteps, self.fold, self.dtype = graph, timesteps, fold, dtype
        self.input = Feature(name="input", shape=tuple(input_shape), levels=input_levels, unit=input_scale)
        self.layers: list[QatLayer] = []
        self.names = {"input"}
        self.values: dict[str, Feature | Current | Maps | Masked] = {}
        self.changes = list(graph.changes)
        self.end = End()
        self.stored = stored(graph)

    def run(self) -> list[QatLayer]:
        """Return the layers of the graph."""
        for node in self.graph.nodes:
            args = [adding.prepared(self, node, self.given(node, i)) for i in node.inputs]
            value = joins.through_masks(node, args, getattr(self, node.op + "_"))
            if isinstance(value, Current) and node.name in self.stored:
                value = adding.store(self, node, value)
            elif isinstance(value, Current) and value.identity:
                if [c.op for c in self.graph.consumers(node.name)] not in (["neuron"], ["norm"]):
                    value = self.spikes(value)
            self.values[node.name] = value
        return self.layers

    # --- helpers
    def need(self, node: Node, value: Any, kind: type[Value], what: str) -> Value:
        """Return the value if it is of ``kind``, and else raise UnsupportedError with ``what`` to do."""
        if not isinstance(value, kind):
            have = "a current that no neuron has turned into spikes" if isinstance(value, Current) else "spikes"
            raise UnsupportedError(node.name, f"{node.op} reads {have}", what)
        return value

    def emit(self, current: Current, spec: NeuronSpec, unit: float | torch.Tensor = 1.0, origin: str = "") -> Feature:
        """Append the layer that fires a current, and return its map of levels; ``origin`` is the node of the neuron."""
        one_a_channel(origin, spec, current.shape[0])
        current = adding.folded(current.name, current, fold=self.fold)
        if current.overlapping is not None:  # such a pool is a layer of its own
            fired = self.emit(replace(current, overlapping=None), spec, unit)
            return self.emit(*overlapped(current.overlapping, fired, self.timesteps), origin)
        made_of = dict(timesteps=self.timesteps, dtype=self.dtype)
        layer = joins.layer_of(unique_name(current.name, self.names), current, spec, **made_of)
        layer.origin, layer.unit, layer.pool_first = origin, unit, current.pool is not None
        self.layers.append(layer)
        shape = (layer.channels, *current.shape[1:])
        return Feature(
            name=layer.name, shape=layer.pool.shape(shape) if layer.pool else shape, levels=spec.levels, unit=unit
        )

    def spikes(self, join: Current) -> Feature:
        """Emit a sum of two maps of levels, as SEW has it: with identity weights and D = 1, z = a + b exactly."""
        levels = joins.summed_levels(join)
        ones, unit = joins.integers_of(join)
        return self.emit(joins.with_integers(join, ones), NeuronSpec(levels=levels, v0=0.0), unit)

    def summed(self, x: Feature, where: str) -> Feature:
        """Emit layers that sum the windows of an average pool, for readers that cannot sum them."""
        (k, across), unit, flat = x.avgpool, x.unit, x.flat
        if k not in (2, 4) or k != across:
            raise UnsupportedError(where, f"a {k}x{across} average pool here needs a layer of that stride", "pool by 2")
        whole = replace(x, avgpool=(1, 1), unit=1.0, flat=False)
        for _ in range(k // 2):
            whole = self.spikes(identity_current(replace(whole, avgpool=(2, 2), unit=1.0), f"{where}.pool"))
        return replace(whole, unit=unit / k**2, flat=flat)

    def given(self, node: Node, name: str) -> Feature | Current | Maps | Masked:
        """Return the value that a node reads; whatever cannot read maps apart gets one map of them."""
        x = self.values[name]
        if not isinstance(x, Maps) or node.op in ("cat", "flatten"):
            return x
        if not all(read_by_weights(self.graph, reader) for reader in self.graph.consumers(name)):
            self.values[name] = copied(self, x, name)
        elif len(x.parts) > 2:
            self.values[name] = Maps(parts=(copied(self, Maps(parts=x.parts[:-1]), name), x.parts[-1]))
        return self.values[name]

    # --- operations
    def input_(self, node: Node) -> Feature:
        shape, given = node.attrs.get("shape", self.input.shape), self.input.shape
        if shape != given and (len(shape) > 1 or shape != (math.prod(given),)):
            raise UnsupportedError(node.name, f"the network reads {shape}, the images are {given}", "give such images")
        return replace(self.input, flat=node.attrs.get("flat", False))

    def conv_(self, node: Node, x: Feature | Current | Maps) -> Current:
        if isinstance(x, Maps):
            return read_apart(node, x, self.conv_, lambda part: part.shape[0])
        x = self.need(node, x, Feature, "put a neuron between the two")
        node, told = fitted(node, x.positions)
        if told is not None and told not in self.changes:
            self.changes.append(told)
        return conv_current(node, x if foldable(node, x) else self.summed(x, node.name))

    def linear_(self, node: Node, x: Feature | Current | Maps) -> Current:
        if isinstance(x, Maps):
            return read_apart(node, x, self.linear_, columns)
        return linear_current(node, self.need(node, x, Feature, "put a neuron between the two"))

    def vote_(self, node: Node, x: Feature | Current) -> Current:
        x = self.need(node, x, Feature, "put a neuron in front")
        return linear_current(voting(node, x), x)

    def cat_(self, node: Node, *values: Feature | Current | Maps) -> Maps | Current:
        return concatenated(node, list(values))

    def attention_(self, node: Node, *maps: Feature | Current) -> Current:
        return joins.attention_current(self, node, *maps)

    def mask_(self, node: Node, x: Feature | Current, mask: Feature | Current) -> Masked:
        return joins.masked(self, node, x, mask)

    def tokens_(self, node: Node, x: Feature | Current) -> Current:
        return joins.token_sum(self, node, x)

    def add_(self, node: Node, a: Feature | Current, b: Feature | Current) -> Current:
        return adding.added(self, node, a, b)

    def norm_(self, node: Node, x: Feature | Current) -> Current:
        x = self.need(node, x, Current, "put the batch norm behind a convolution")
        if x.norm is not None:
            x = fold_norm(x)
        if x.pool:
            raise UnsupportedError(node.name, "a batch norm behind a max pool", "put it in front of the pool")
        return replace(x, norm=node.attrs["module"], identity=False)

    def scale_(self, node: Node, x: Feature | Current) -> Feature | Current:
        gain = factor_of(node, x)
        if isinstance(x, Feature):
            return replace(x, unit=x.unit * gain if gain.ndim else x.unit * float(gain))
        if x.pool and not bool((gain > 0).all()):  # a positive one leaves the largest the largest
            raise UnsupportedError(node.name, "a negative factor behind a max pool of currents", "put it in front")
        x = fold_norm(x) if x.norm is not None else x
        return scaled(x, gain)

    def bias_(self, node: Node, x: Feature | Current) -> Current:
        """Add a constant current in front of a neuron; it is a scalar or a value for each channel."""
        if isinstance(x, Feature) and self.graph.consumers(node.name)[0].op == "neuron":
            x = identity_current(x, node.name)
        x = self.need(node, x, Current, "put it behind a convolution")
        x = fold_norm(x) if x.norm is not None else x
        value = torch.as_tensor(node.attrs["value"], dtype=torch.float64)
        if value.numel() not in (1, x.shape[0]):
            rule = f"has {value.numel()} values of a constant current for {x.shape[0]} channels"
            raise UnsupportedError(node.name, rule, "use one a channel")
        value = value.expand(x.shape[0])
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
        if x.stream and not x.sources:
            x = replace(x, name=node.name)
        spec = node.attrs["spec"]
        fixed = x.identity and not spec.trainable
        weights, unit = joins.integers_of(x, spec.threshold) if fixed else ([], 1.0)
        if weights:
            x, spec = joins.with_integers(x, weights), replace(spec, threshold=spec.threshold / unit)
        return self.emit(x, spec, node.attrs.get("unit", 1.0), node.name)

    def maxpool_(self, node: Node, x: Feature | Current) -> Feature | Current:
        whole_windows(node, x.shape)
        pool = pool_of(node)
        if isinstance(x, Current):
            joins.refuse_product(node, x)
            return pooled_current(node, x, self.timesteps)
        mine = [one for one in self.layers if one.name == x.name]
        direct = bool(mine) and not (x.flat or x.window > 1 or bool((torch.as_tensor(x.unit) < 0).any()))
        taken = any(one.pool for one in mine) or len(self.graph.consumers(node.inputs[0])) > 1
        if pool is None or (pool.overlaps and (taken or not direct)):
            return self.emit(*overlapped(node, x, self.timesteps))
        if not direct:
            raise UnsupportedError(node.name, "a max pool must follow a neuron directly", "move it behind a neuron")
        if taken:
            raise UnsupportedError(
                node.name,
                "the pooled map has another reader or pool",
                "pool once, and let every reader take the pooled map",
            )
        x = adding.poolable(self, x)
        next(one for one in self.layers if one.name == x.name).pool = pool
        return replace(x, shape=pool.shape(x.shape))

    def avgpool_(self, node: Node, x: Feature | Current) -> Feature | Current:
        if node.attrs["kernel"]:
            whole_windows(node, (x.shape[0], *x.positions) if isinstance(x, Feature) else x.shape)
        if isinstance(x, Feature):
            return averaged(node, x)
        joins.refuse_product(node, x)
        x = fold_norm(x) if x.norm is not None else x
        if x.pool:
            raise UnsupportedError(node.name, "an average pool behind a max pool of currents", "put a neuron between")
        k, wanted = node.attrs["kernel"], node.attrs.get("output", 1)
        if not ((tuple(x.shape[1:]) == (k, k) if k else wanted == 1) and self.graph.ends_behind(node)):
            return averaged_current(node, x)
        return averaged(node, self.emit(x, NeuronSpec(levels=0, kind="readout", reset="none", v0=0.0)))

    def flatten_(self, node: Node, x: Feature | Current | Maps) -> Feature | Maps:
        if isinstance(x, Maps):
            x, count = Maps(parts=tuple(replace(p, flat=True) for p in x.parts)), sum(map(columns, x.parts))
        else:
            x = replace(self.need(node, x, Feature, "put a neuron in front"), flat=True)
            count = columns(x)
        if node.attrs.get("columns") not in (None, count):
            raise UnsupportedError(
                node.name, f"flattens to {node.attrs['columns']} columns, an image has {count}", "keep images apart"
            )
        return x

    def output_(self, node: Node, x: Feature | Current) -> None:
        reduce = node.attrs.get("reduce")
        if isinstance(x, Current):
            if x.pool:
                raise UnsupportedError(x.name, "the readout must be a convolution or linear layer", "add a Linear")
            x = fold_norm(x) if x.norm is not None else x
            self.emit(x, NeuronSpec(levels=0, kind="readout", reset="none", v0=0.0))
            self.end = End(reduce=reduce)
            return
        mean = x.window > 1 and x.positions == (1, 1)
        if x.window > 1 and not mean:
            x = self.summed(x, node.inputs[0])
        if x.flat and not mean and x.shape[1:] != (1, 1):
            raise UnsupportedError(
                node.inputs[0],
                f"the network ends with {x.shape[1]}x{x.shape[2]} flattened positions, and its classes are channels",
                "add a Linear, or pool to one position",
            )
        if not self.layers or x.name != self.layers[-1].name:
            raise UnsupportedError(x.name, "the network's output must be its last layer", "add a Linear")
        self.end = End(unit=x.unit, mean=mean, reduce=reduce)
