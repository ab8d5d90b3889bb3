"""Layers as a network file has them: from a layer to its entry in the manifest and its tensors, and back."""

from typing import Any

import numpy as np

from ...support.checks import require
from ..network.layer import Layer, Product, Source
from ..network.network import Network
from ..network.neuron import Neuron
from ..network.pool import MaxPool
from .manifest import PARAMETERS, LayerEntry, Manifest, NetworkFileError


def to_tensors(network: Network) -> dict[str, np.ndarray]:
    """Return the tensors of all layers by their names in the file: weights int8, and parameters int32."""
    tensors = {}
    for layer in network.layers:
        for i, source in enumerate(layer.convolutions):
            tensors[f"{layer.name}.weight{i}"] = np.ascontiguousarray(source.weight)
        for name in PARAMETERS:
            values = getattr(layer.neuron, name)
            if np.abs(values).max() >= 1 << 31:
                worst = int(values[np.abs(values).argmax()])
                raise NetworkFileError(
                    f"layer {layer.name!r}: neuron.{name} must fit 32 bits (it is stored so), not {worst}; "
                    "a channel with almost no variance in training causes this: train longer or remove it"
                )
            tensors[f"{layer.name}.{name}"] = values.astype(np.int32)
    return tensors


def version_of(network: Network) -> int:
    """Return the first version of the format that can hold a network."""
    new = (
        layer.product
        or layer.addend
        or layer.neuron.kind == "sum"
        or any(source.mask for source in layer.convolutions)
        or (layer.pool and layer.pool.overlaps)
        for layer in network.layers
    )
    return 2 if any(new) else 1


def layer_entry(layer: Layer) -> dict[str, Any]:
    """Return what the manifest says of a layer, with the fields of the second version only where they are needed."""
    here, why = f"layer {layer.name!r}: join", "the compiler makes joins of two layers, which a file has"
    require(layer.join is None, here, "None in a network file", layer.join, why)
    neuron, product, pool = layer.neuron, layer.product, layer.pool
    kind = dict(kind=neuron.kind, levels=neuron.levels, reset=neuron.reset)
    sources = tuple(
        dict(feature=s.feature, shape=s.weight.shape, stride=s.stride, padding=s.padding, flatten=s.flatten)
        | (dict(mask=s.mask) if s.mask else {})
        for s in layer.convolutions
    )
    reads: dict[str, Any] = {"sources": sources} if sources else {}
    if layer.addend is not None:
        reads["addend"] = layer.addend
        reads |= {"shift": layer.shift} if layer.shift else {}
    if product is not None:
        made = dict(feature=product.feature, operand=product.operand, over=product.over, heads=product.heads)
        reads = {"product": made | {"channels": layer.channels}}
    return dict(
        name=layer.name,
        **reads,
        neuron=kind | (dict(bits=neuron.bits, shift=neuron.shift) if neuron.kind == "sum" else {}),
        encoding=layer.encoding,
        pool=pool.kernel if pool else None,
        **(dict(pool_stride=pool.stride, pool_padding=pool.padding) if pool and pool.overlaps else {}),
    )


def _layer(entry: LayerEntry, tensors: dict[str, np.ndarray]) -> Layer:
    sources: tuple[Source | Product, ...] = tuple(
        Source(
            feature=s.feature,
            weight=tensors[f"{entry.name}.weight{i}"],
            stride=s.stride,
            padding=s.padding,
            flatten=s.flatten,
            mask=s.mask,
        )
        for i, s in enumerate(entry.sources)
    )
    if (p := entry.product) is not None:
        sources = (Product(feature=p.feature, operand=p.operand, over=p.over, heads=p.heads),)
    threshold, bias, v0, leak = (tensors[f"{entry.name}.{n}"].astype(np.int64) for n in PARAMETERS)
    n = entry.neuron
    neuron = Neuron(
        kind=n.kind,
        levels=n.levels,
        reset=n.reset,
        threshold=threshold,
        bias=bias,
        v0=v0,
        leak=leak,
        bits=n.bits,
        shift=n.shift,
    )
    pool = None
    if entry.pool is not None:
        pool = MaxPool(kernel=entry.pool, stride=entry.pool_stride or 0, padding=entry.pool_padding)
    return Layer(
        name=entry.name,
        sources=sources,
        neuron=neuron,
        encoding=entry.encoding,
        pool=pool,
        addend=entry.addend,
        shift=entry.shift,
    )


def to_network(manifest: Manifest, tensors: dict[str, np.ndarray]) -> Network:
    """Make the network of a manifest and its tensors, which have the names and shapes that the manifest asks for."""
    return Network(
        name=manifest.name,
        input_shape=manifest.input.shape,
        input_levels=manifest.input.levels,
        input_signed=manifest.input.signed,
        timesteps=manifest.timesteps,
        input_mode=manifest.input.mode,
        layers=tuple(_layer(entry, tensors) for entry in manifest.layers),
    )
