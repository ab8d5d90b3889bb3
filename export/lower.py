"""From a graph of operations to accelerator layers.

Nodes are folded greedily: a layer is [one or two convolutions, linears or identities] + [batch norm] + neuron +
[max pool]. Average pools become larger kernels of the next convolution or repeated columns of the next linear layer;
additions become two-source layers. What has no such form is refused by its name with a remedy.
"""

import re
from dataclasses import replace

import torch

from .graph import Graph, UnsupportedError, trace
from .qat import NeuronSpec, QatLayer, SourceSpec
from .qat_network import QatNetwork
from .values import Current, Feature, fold_norm, over_weight

MAX_KERNEL, MAX_STRIDE, POOLS = 7, 2, (2, 3, 4)
NAME = re.compile(r"[^A-Za-z0-9_]+")


class Lowering:
    def __init__(self, graph: Graph, *, input_shape, input_levels, timesteps, input_scale, fold=False):
        self.graph, self.timesteps, self.fold = graph, timesteps, fold
        self.input = Feature(name="input", shape=tuple(input_shape), levels=input_levels, unit=input_scale)
        self.layers, self.names, self.values = [], {"input"}, {}
        self.changes = list(graph.changes)

    def run(self):
        for node in self.graph.nodes:
            args = [self.values[i] for i in node.inputs]
            value = getattr(self, node.op + "_")(node, *args)
            if isinstance(value, Current) and value.identity:
                if [c.op for c in self.graph.consumers(node.name)] not in (["neuron"], ["norm"]):
                    value = self.spikes(value)
            self.values[node.name] = value
        return self.layers

    # --- helpers
    def layer_name(self, name):
        base = NAME.sub("_", name).strip("_") or "layer"
        unique, i = base, 2
        while unique in self.names:
            unique, i = f"{base}_{i}", i + 1
        self.names.add(unique)
        return unique

    def need(self, node, value, kind, what):
        if not isinstance(value, kind):
            have = "a current that no neuron has turned into spikes" if isinstance(value, Current) else "spikes"
            raise UnsupportedError(node.name, f"{node.op} reads {have}", what)
        return value

    def emit(self, current, spec, unit=1.0):
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

    def spikes(self, join):
        """A sum of two level maps (SEW): identity weights, D = 1, so that z = a + b exactly."""
        sources = tuple(replace(s, weight=torch.ones_like(s.weight), fixed=True) for s in join.sources)
        if self.units(join) != 1:
            raise UnsupportedError(
                join.name, "a sum of spikes needs equal units on both sides", "use the same neuron levels"
            )
        levels = sum(join.levels_in)
        if levels > 255:
            raise UnsupportedError(
                join.name,
                f"the sum of spikes reaches level {levels}, stored levels must be <= 255",
                "put a Barrier behind it",
            )
        unit = float(join.sources[0].weight.flatten()[0])
        return self.emit(replace(join, sources=sources), NeuronSpec(levels=levels, v0=0.0), unit)

    @staticmethod
    def units(join):
        values = torch.cat([s.weight.flatten() for s in join.sources])
        return len(values.unique())

    def identity(self, feature, where):
        """An identity source; pending average-pool windows become a k x k kernel of ones with stride k."""
        if feature.flat:
            raise UnsupportedError(where, "joins of flattened maps are not supported", "add before flattening")
        k = feature.avgpool
        if k > MAX_STRIDE:
            raise UnsupportedError(
                where, f"a {k}x{k} pool in front of a join or neuron needs stride {k} > 2", "pool by 2"
            )
        c, h, w = feature.shape
        weight = torch.full((c, 1, k, k), feature.unit / k**2)
        spec = SourceSpec(feature=feature.name, weight=weight, stride=k, groups=c, in_shape=feature.shape)
        return Current(
            name=where, sources=(spec,), levels_in=(feature.levels,), shape=(c, h // k, w // k), identity=True
        )

    # --- operations
    def input_(self, node):
        return self.input

    def conv_(self, node, x):
        x = self.need(node, x, Feature, "put a neuron between the two")
        a, k = node.attrs, x.avgpool
        c, h, w = x.shape
        kernel, stride, padding = a["weight"].shape[2] * k, a["stride"] * k, a["padding"] * k
        folded = f" (with the folded {k}x{k} average pool)" if k > 1 else ""
        if a["weight"].shape[2] != a["weight"].shape[3]:
            raise UnsupportedError(node.name, f"the kernel must be square, is {tuple(a['weight'].shape[2:])}", "pad it")
        if kernel > MAX_KERNEL or stride > MAX_STRIDE:
            raise UnsupportedError(
                node.name,
                f"kernel <= {MAX_KERNEL} and stride <= {MAX_STRIDE} are needed, this has {kernel} and {stride}{folded}",
                "use a smaller kernel, or max pooling",
            )
        if padding >= kernel:
            raise UnsupportedError(node.name, f"padding {padding} must be less than the kernel {kernel}", "pad less")
        if k > 1 and padding and (h % k or w % k):
            raise UnsupportedError(
                node.name,
                f"the average pool drops an edge of the {h}x{w} map and this convolution pads",
                "make it even",
            )
        if a["weight"].shape[1] * a["groups"] != c:
            raise UnsupportedError(
                node.name, f"has {a['weight'].shape[1] * a['groups']} input channels, reads {c}", "match"
            )
        spec = SourceSpec(
            feature=x.name,
            weight=a["weight"] * (x.unit / k**2),
            stride=a["stride"],
            padding=a["padding"],
            groups=a["groups"],
            avgpool=k,
            in_shape=x.shape,
        )
        size = [(v // k + 2 * a["padding"] - kernel // k) // a["stride"] + 1 for v in (h, w)]
        if min(size) < 1:
            raise UnsupportedError(
                node.name, f"the kernel is larger than its padded {h}x{w} input", "use a smaller one"
            )
        shape = (a["weight"].shape[0], *size)
        return Current(name=node.name, sources=(spec,), levels_in=(x.levels * k * k,), shape=shape, bias=a["bias"])

    def linear_(self, node, x):
        x = self.need(node, x, Feature, "put a neuron between the two")
        c, h, w = x.shape
        if not x.flat and (h > 1 or w > 1):
            raise UnsupportedError(node.name, f"a linear layer reads a {h}x{w} map", "flatten it first")
        k = x.avgpool
        columns = c * (h // k) * (w // k)
        weight = node.attrs["weight"]
        if weight.shape[1] != columns:
            raise UnsupportedError(node.name, f"has {weight.shape[1]} inputs, reads {columns}", "match them")
        spec = SourceSpec(feature=x.name, weight=weight * (x.unit / k**2), avgpool=k, linear=True, in_shape=x.shape)
        return Current(
            name=node.name,
            sources=(spec,),
            levels_in=(x.levels * k * k,),
            shape=(weight.shape[0], 1, 1),
            bias=node.attrs["bias"],
        )

    def norm_(self, node, x):
        x = self.need(node, x, Current, "put the batch norm behind a convolution")
        if x.norm is not None:
            x = fold_norm(x)
        if x.pool:
            raise UnsupportedError(node.name, "a batch norm behind a max pool", "put it in front of the pool")
        return replace(x, norm=node.attrs["module"], identity=False)

    def scale_(self, node, x):
        if isinstance(x, Feature):
            return replace(x, unit=x.unit * node.attrs["factor"])
        x = fold_norm(x) if x.norm is not None else x
        gain = torch.as_tensor(node.attrs["factor"])
        sources = tuple(replace(s, weight=s.weight * over_weight(gain, s.weight)) for s in x.sources)
        return replace(x, sources=sources, bias=None if x.bias is None else x.bias * gain)

    def bias_(self, node, x):
        """A constant current (per channel or scalar) in front of a neuron."""
        x = self.need(node, x, Current, "put it behind a convolution")
        x = fold_norm(x) if x.norm is not None else x
        value = torch.as_tensor(node.attrs["value"]).expand(x.shape[0])
        return replace(x, bias=value if x.bias is None else x.bias + value, identity=False)

    def add_(self, node, a, b):
        parts = [self.identity(v, node.name) if isinstance(v, Feature) else v for v in (a, b)]
        parts = [fold_norm(p) if p.norm is not None else p for p in parts]
        joint = all(p.identity for p in parts)
        parts.sort(key=lambda p: p.identity)
        sources = sum((p.sources for p in parts), ())
        if len(sources) > 2:
            raise UnsupportedError(
                node.name,
                f"a sum of {len(sources)} maps; a layer has at most 2 sources (main and shortcut), so a membrane that "
                "runs through several blocks (MS join) cannot be built",
                "put a neuron behind each addition: Spiking-ResNet, SEW (spikes + spikes) or Sparse-ResNet (Barrier)",
            )
        if any(p.pool for p in parts):
            raise UnsupportedError(node.name, "an addition behind a max pool without neuron", "put the neuron first")
        if parts[0].shape != parts[1].shape:
            raise UnsupportedError(node.name, f"adds shapes {parts[0].shape} and {parts[1].shape}", "make them equal")
        bias = None
        for p in parts:
            if p.bias is not None:
                bias = p.bias if bias is None else bias + p.bias
        name = node.name if joint else parts[0].name
        levels = sum((p.levels_in for p in parts), ())
        return Current(name=name, sources=sources, levels_in=levels, shape=parts[0].shape, bias=bias, identity=joint)

    def neuron_(self, node, x):
        if isinstance(x, Feature):
            x = self.identity(x, node.name)
        if node.attrs["timesteps"] != self.timesteps:
            raise UnsupportedError(
                node.name,
                f"has {node.attrs['timesteps']} timesteps, the network {self.timesteps}",
                "use one T everywhere",
            )
        if x.identity and self.units(x) == 1 and not node.attrs["spec"].trainable:
            unit = x.sources[0].weight.flatten()[0]
            spec = node.attrs["spec"]
            x = replace(x, sources=tuple(replace(s, weight=torch.ones_like(s.weight), fixed=True) for s in x.sources))
            return self.emit(x, replace(spec, threshold=spec.threshold / unit))
        return self.emit(x, node.attrs["spec"])

    def maxpool_(self, node, x):
        k = node.attrs["kernel"]
        if k not in POOLS:
            raise UnsupportedError(node.name, f"max pools of {POOLS} exist, not {k}", "pool by 2, 3 or 4")
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

    def avgpool_(self, node, x):
        x = self.need(node, x, Feature, "put the average pool behind a neuron")
        if x.flat or x.avgpool > 1:
            raise UnsupportedError(node.name, "an average pool of a pooled or flattened map", "use one pool")
        k = node.attrs["kernel"]
        if k == 0:
            if x.shape[1] != x.shape[2]:
                raise UnsupportedError(node.name, f"global pooling of a {x.shape[1:]} map, not square", "use AvgPool2d")
            k = x.shape[1]
        return replace(x, avgpool=k, unit=x.unit * (k * k if node.attrs["total"] else 1))

    def flatten_(self, node, x):
        return replace(self.need(node, x, Feature, "put a neuron in front"), flat=True)

    def output_(self, node, x):
        if isinstance(x, Current):
            if x.pool:
                raise UnsupportedError(x.name, "the readout must be a convolution or linear layer", "add a Linear")
            x = fold_norm(x) if x.norm is not None else x
            self.emit(x, NeuronSpec(levels=0, kind="readout", reset="none", v0=0.0))


def prepare(
    module,
    *,
    input_shape,
    input_levels=255,
    timesteps=1,
    input_mode="repeat",
    input_scale=1.0,
    input_signed=False,
    fold=False,
) -> QatNetwork:
    """Accelerator layers of a PyTorch module (or a traced :class:`Graph`), ready for training or export.

    Parameters
    ----------
    module : nn.Module | Graph
        Its input is (T * B, C, H, W), time-major; neurons are those of :mod:`export.neurons`.
    input_shape : (C, H, W); input_levels : largest pixel value (255); timesteps : T
    input_mode : "repeat", "once" or "given"
    input_scale : the module was trained on ``pixel * input_scale``
    fold : batch norm goes into the weights now, with its running statistics, instead of being trained on (joins of
        normalized branches and norms with a factor <= 0 are folded in any case)

    Raises
    ------
    UnsupportedError
        What the accelerator cannot run, by name, with the remedy.
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
