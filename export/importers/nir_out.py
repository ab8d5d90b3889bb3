"""Writes an integer network as a NIR graph, whose numbers reproduce the integers when it is read again.

Time is in timesteps (``per_step``). Weights and biases are whole numbers, and :mod:`reprise.export.importers.nir` keeps
such weights as they are. A threshold D becomes D - 2**-10, because NIR fires above a threshold and we fire at it; and a
leak l becomes the time constant 256 / (256 - l). NIR has no neurons of several levels, no initial potentials and no max
pools: networks with these are refused.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ...model.network.layer import Layer, Source
from ...model.network.network import Network
from ..trace.graph import UnsupportedError

BELOW = 2.0**-10


def _refuse(network: Network) -> str:
    """Return the reset of all neurons; a network that NIR cannot express raises UnsupportedError."""
    resets = set()
    for layer in network.layers:
        n = layer.neuron
        if layer.product or n.kind == "sum":
            raise UnsupportedError(layer.name, "attention", "NIR multiplies no two maps: keep the network file")
        if n.kind == "readout":
            continue
        resets.add(n.reset)
        if n.levels > 1:
            raise UnsupportedError(layer.name, f"a neuron of {n.levels} levels", "NIR has spikes alone: use one level")
        if n.v0.any():
            raise UnsupportedError(layer.name, "an initial potential", "NIR has none: use v0=0")
        if layer.pool is not None:
            raise UnsupportedError(layer.name, "a max pool", "NIR has none: use average pools")
    if "none" in resets or len(resets) > 1:
        raise UnsupportedError(network.name, f"the resets {sorted(resets)}", "use one of soft and hard everywhere")
    return resets.pop() if resets else "hard"


def _matrix(source: Source, shape: tuple[int, ...]) -> np.ndarray:
    """Return the weights of a linear source with its columns in the order (c, y, x)."""
    c, h, w = shape
    return source.weight.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(len(source.weight), -1).astype(np.float64)


def graph_of(network: Network) -> tuple[Any, str]:
    """Return the ``nir`` graph of a network and the reset that its reader must be told.

    Raises
    ------
    UnsupportedError
        NIR cannot express the network; the message names the layer.
    """
    import nir

    reset = _refuse(network)
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(network.input_shape))}
    edges: list[tuple[str, str]] = []
    for layer in network.layers:
        ends = [_source(nir, network, layer, i, nodes, edges) for i in range(len(layer.convolutions))]
        if layer.neuron.kind != "readout":
            nodes[layer.name] = _neuron(nir, network, layer)
            edges += [(end, layer.name) for end in ends]
            ends = [layer.name]
    last = network.layers[-1]
    shape = network.feature_shape(last.name)
    nodes["output"] = nir.Output(output_type=np.array(shape[:1] if last.convolutions[0].flatten else shape))
    edges += [(end, "output") for end in ends]
    return nir.NIRGraph(nodes, edges, type_check=False), reset


def _source(
    nir: Any, network: Network, layer: Layer, index: int, nodes: dict[str, Any], edges: list[tuple[str, str]]
) -> str:
    """Add the node of one source, which has the bias if it is the first; return its name."""
    source, name = layer.convolutions[index], f"{layer.name}.source{index}"
    shape = network.feature_shape(source.feature)
    bias = (layer.neuron.bias if index == 0 else np.zeros_like(layer.neuron.bias)).astype(np.float64)
    before = source.feature
    if source.flatten:
        if len(shape) > 1 and tuple(shape[1:]) != (1, 1) or before == "input":
            nodes[f"{name}.flat"] = nir.Flatten(input_type=np.array(shape), start_dim=0)
            edges.append((before, f"{name}.flat"))
            before = f"{name}.flat"
        nodes[name] = nir.Affine(weight=_matrix(source, shape), bias=bias)
    else:
        weight = source.weight.astype(np.float64)
        nodes[name] = nir.Conv2d(tuple(shape[1:]), weight, source.stride, source.padding, 1, 1, bias)
    edges.append((before, name))
    return name


def _neuron(nir: Any, network: Network, layer: Layer) -> Any:
    n = layer.neuron
    linear = all(source.flatten for source in layer.convolutions)
    shape = (len(n.threshold),) if linear else tuple(network.feature_shape(layer.name))

    def each(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.reshape(-1, *(1,) * (len(shape) - 1)), shape).astype(np.float64)

    zero, threshold = each(np.zeros_like(n.threshold)), each(n.threshold) - BELOW
    if n.kind == "if":
        return nir.IF(r=zero + 1, v_threshold=threshold, v_reset=zero)
    if not (n.leak < 256).all():
        raise UnsupportedError(layer.name, "channels that leak beside some that do not", "split the layer")
    tau = 256 / (256 - each(n.leak))
    return nir.LIF(tau=tau, r=tau, v_leak=zero, v_threshold=threshold, v_reset=zero)


def write(network: Network, path: str | Path) -> str:
    """Write a network as a NIR graph (HDF5), and return the reset that its reader must be told."""
    import nir

    graph, reset = graph_of(network)
    nir.write(str(path), graph)
    return reset
