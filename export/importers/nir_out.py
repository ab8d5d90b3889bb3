"""Writes an integer network as a NIR graph, whose numbers reproduce the integers when it is read again.

Time is in timesteps (``per_step``). Weights and biases are whole numbers, and :mod:`reprise.export.importers.nir` keeps
such weights as they are. A threshold D becomes D - 2**-10, because NIR fires above a threshold and we fire at it; and a
leak l becomes the time constant 256 / (256 - l).

NIR has spikes of 0 and 1 alone, but nodes that add up: where a neuron forgets its potential, as at T = 1, N levels are
N Threshold nodes at D - v0, 2 D - v0, ..., N D - v0. The maximum of a window of spikes is a Threshold of their sum
(SumPool2d), for each level. Several levels, or an initial potential, that outlive a timestep have no form in NIR.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ...model.network.neuron import LEAK_ONE, Neuron
from ..qat.specs import WEIGHT_MAX
from ..trace.graph import UnsupportedError

BELOW = 2.0**-10
FOREVER = 2.0**40
"""The time constant of a channel that does not leak beside some that do: its leak is 256/256 within float64."""


def forgets(n: Neuron, timesteps: int) -> bool:
    """Return whether a neuron is written as Threshold nodes, which have no potential that outlives a timestep."""
    if timesteps == 1:
        return n.levels > 1 or bool(n.v0.any())
    return n.kind == "lif" and not n.leak.any() and not n.v0.any()


def _refuse(network: Network) -> str:
    """Return the reset of all neurons; a network that NIR cannot express raises UnsupportedError."""
    if network.input_signed or network.input_mode != "repeat":
        how = "signed pixels" if network.input_signed else f"the input mode {network.input_mode!r}"
        raise UnsupportedError(network.name, how, "NIR says nothing of images: show unsigned ones at every timestep")
    resets, read = set(), {source.feature for layer in network.layers for source in layer.convolutions}
    for layer in network.layers:
        n = layer.neuron
        if layer.name not in read and layer is not network.layers[-1]:
            raise UnsupportedError(layer.name, "a layer that no other one reads", "use a network without it")
        if layer.product or n.kind == "sum":
            raise UnsupportedError(layer.name, "attention", "NIR multiplies no two maps: keep the network file")
        if any(source.mask for source in layer.convolutions):
            raise UnsupportedError(layer.name, "a masked map", "NIR masks no map with another: keep the network file")
        linear = {source.flatten for source in layer.convolutions}
        reads = {source.feature for source in layer.convolutions if not source.flatten} - {"input"}
        if len(linear) > 1 or any(network.layer(name).convolutions[0].flatten for name in reads):
            raise UnsupportedError(layer.name, "joins a convolution and a linear layer", "use one kind of both")
        if any(int(source.weight.min()) < -WEIGHT_MAX for source in layer.convolutions):
            raise UnsupportedError(layer.name, "a weight of -128, which a reader rounds anew", "use -127..127")
        if n.kind == "readout" and n.v0.any():
            raise UnsupportedError(layer.name, "a readout with an initial potential", "NIR has none: use v0=0")
        if n.kind == "readout" or forgets(n, network.timesteps):
            continue
        resets.add(n.reset)
        if n.levels > 1:
            raise UnsupportedError(
                layer.name,
                f"a neuron of {n.levels} levels whose potential outlives a timestep (T = {network.timesteps})",
                "NIR has spikes of 0 and 1 alone: train with levels=1, or with timesteps=1",
            )
        if n.v0.any():
            raise UnsupportedError(
                layer.name, "an initial potential over several timesteps", "NIR has none: train with v0=0"
            )
    if network.timesteps == 1 or not resets:  # nothing is left over for a second timestep
        return "hard" if {layer.neuron.reset for layer in network.layers if layer.neuron.fires} == {"hard"} else "soft"
    if "none" in resets or len(resets) > 1:
        raise UnsupportedError(network.name, f"the resets {sorted(resets)}", "use one of soft and hard everywhere")
    return resets.pop()


def differences(network: Network) -> Iterator[str]:
    """Yield what another reader of the graph computes differently, as sentences."""
    for layer in network.layers:
        if bool((layer.neuron.leak < LEAK_ONE).any()) and bool(layer.neuron.leak.any()):
            yield f"{layer.name}: the leaked potential is rounded down to a whole number here, and not in NIR"


def graph_of(network: Network) -> tuple[Any, str]:
    """Return the ``nir`` graph of a network and the reset that its reader must be told.

    A node of weights has the name of its layer.

    Raises
    ------
    UnsupportedError
        NIR cannot express the network; the message names the layer.
    """
    reset = _refuse(network)
    writer = _Writer(network)
    for layer in network.layers:
        writer.layer(layer)
    return writer.finish(), reset


class _Writer:
    """Puts a graph together; ``ends`` has the nodes that together are a feature map, one for each level."""

    def __init__(self, network: Network) -> None:
        import nir

        self.nir, self.network = nir, network
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.ends = {"input": [self.add("input", nir.Input(input_type=np.array(network.input_shape)), ())]}

    def add(self, name: str, node: Any, before: list[str] | tuple[str, ...]) -> str:
        """Add a node that reads others, and return its name, which no other node has."""
        while name in self.nodes:
            name += "_"
        self.nodes[name] = node
        self.edges += [(one, name) for one in before]
        return name

    def layer(self, layer: Layer) -> None:
        """Add the nodes of a layer: of its sources, its neuron and its pool."""
        sums = [self.source(layer, i) for i in range(len(layer.convolutions))]
        if layer.neuron.kind == "readout":
            self.ends[layer.name] = sums
            return
        spikes = [self.add(f"{layer.name}.{name}", node, sums) for name, node in self.neuron(layer)]
        self.ends[layer.name] = [self.pooled(layer, one) for one in spikes] if layer.pool else spikes

    def flat(self, feature: str) -> bool:
        """Return whether a feature has channels alone, as a linear layer makes it."""
        return feature != "input" and all(source.flatten for source in self.network.layer(feature).convolutions)

    def pooled(self, layer: Layer, spikes: str) -> str:
        """Add the max pool of a layer behind one of its levels."""
        assert layer.pool is not None
        size, stride, padding = (np.array([n] * 2) for n in (layer.pool.kernel, layer.pool.stride, layer.pool.padding))
        node = self.nir.SumPool2d(kernel_size=size, stride=stride, padding=padding)
        total = self.add(f"{spikes}.sum", node, [spikes])
        half = np.full(self.network.feature_shape(layer.name), 0.5)
        return self.add(f"{spikes}.any", self.nir.Threshold(threshold=half), [total])

    def source(self, layer: Layer, index: int) -> str:
        """Add the node of one source, which has the bias if it is the first; return its name."""
        source, nir = layer.convolutions[index], self.nir
        name = layer.name if index == 0 else f"{layer.name}.source{index}"
        shape, before = self.network.feature_shape(source.feature), self.ends[source.feature]
        bias = (layer.neuron.bias if index == 0 else np.zeros_like(layer.neuron.bias)).astype(np.float64)
        if not source.flatten:
            weight = source.weight.astype(np.float64)
            return self.add(
                name, nir.Conv2d(tuple(shape[1:]), weight, source.stride, source.padding, 1, 1, bias), before
            )
        if not self.flat(source.feature):
            before = [self.add(f"{name}.flat", nir.Flatten(input_type=np.array(shape), start_dim=0), before)]
        return self.add(name, nir.Affine(weight=_matrix(source, shape), bias=bias), before)

    def neuron(self, layer: Layer) -> Iterator[tuple[str, Any]]:
        """Yield the nodes of a neuron, one for each level, with what is added to the layer's name."""
        n, nir = layer.neuron, self.nir
        shape = (n.channels,) if self.flat(layer.name) else (n.channels, *self.network.geometry[layer.name].conv)

        def each(values: np.ndarray) -> np.ndarray:
            return np.broadcast_to(values.reshape(-1, *(1,) * (len(shape) - 1)), shape).astype(np.float64)

        if forgets(n, self.network.timesteps):
            start = (n.v0 * n.leak) >> 8  # what the leak of the first timestep leaves of the initial potential
            for level in range(1, n.levels + 1):
                yield f"level{level}", nir.Threshold(threshold=each(level * n.threshold - start) - BELOW)
            return
        zero, threshold = each(np.zeros_like(n.threshold)), each(n.threshold) - BELOW
        if n.kind == "if":
            yield "spikes", nir.IF(r=zero + 1, v_threshold=threshold, v_reset=zero)
            return
        lost = LEAK_ONE - each(n.leak)
        tau = np.where(lost > 0, LEAK_ONE / np.maximum(lost, 1), FOREVER)
        yield "spikes", nir.LIF(tau=tau, r=tau, v_leak=zero, v_threshold=threshold, v_reset=zero)

    def finish(self) -> Any:
        """Return the graph, whose output is that of the last layer."""
        last = self.network.layers[-1]
        shape = self.network.feature_shape(last.name)
        output = self.nir.Output(output_type=np.array(shape[:1] if self.flat(last.name) else shape))
        self.add("output", output, self.ends[last.name])
        return self.nir.NIRGraph(self.nodes, self.edges, type_check=False)


def _matrix(source: Source, shape: tuple[int, ...]) -> np.ndarray:
    """Return the weights of a linear source with its columns in the order (c, y, x)."""
    c, h, w = shape
    return source.weight.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(len(source.weight), -1).astype(np.float64)


def write(network: Network, path: str | Path) -> str:
    """Write a network as a NIR graph (HDF5), and return the reset that its reader must be told.

    Raises
    ------
    UnsupportedError
        NIR cannot express the network; the message names the layer.
    """
    import nir

    graph, reset = graph_of(network)
    nir.write(str(path), graph)
    return reset
