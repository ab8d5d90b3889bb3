"""Tells what each layer of a transformer does, by what it reads and by what reads it."""

from __future__ import annotations

import numpy as np

from ..model.network.layer import Layer
from ..model.network.network import Network

EMBEDDING, QUERIES, SHORTCUT, MLP, HEAD = "embedding", "q, k, v", "shortcuts", "MLP", "head"
KEYS, VALUES, MASKED, PROJECTION = "attention: K^T V", "attention: Q G", "attention: K and V", "projection"


def _channelwise(layer: Layer) -> bool:
    """Return whether every output of a layer comes from the channel of the same number alone."""
    square = all(s.weight.shape[0] == s.weight.shape[1] and not s.flatten for s in layer.convolutions)
    return square and all(
        np.count_nonzero(s.weight) == np.count_nonzero(np.diagonal(s.weight)) for s in layer.convolutions
    )


def operators(network: Network) -> dict[str, str]:
    """Return what every layer of a transformer does, by its name; it is empty for a network without attention.

    Attention is a product of two maps, or a map that is masked by another one. What it reads are Q, K and V, and what
    reads it is its projection, which may read Q where attention lets it. The layers before the first Q, K or V are the
    embedding, those that add up maps and neurons on a stored current the shortcuts, readouts the head, and all others
    the MLP.
    """
    attends = [layer for layer in network.layers if layer.product or any(s.mask for s in layer.convolutions)]
    if not attends:
        return {}
    made = {layer.name for layer in attends}
    read = {name for layer in attends for name in layer.reads if name != layer.addend} - made
    found: dict[str, str] = {}
    begun = False
    for layer in network.layers:
        begun |= layer.name in read
        if layer.product:
            found[layer.name] = KEYS if layer.product.over == "tokens" else VALUES
        elif layer.name in made:
            found[layer.name] = MASKED if _channelwise(layer) else PROJECTION
        elif layer.neuron.kind == "readout":
            found[layer.name] = HEAD
        elif layer.name in read:
            found[layer.name] = QUERIES
        elif not begun:
            found[layer.name] = EMBEDDING
        elif _channelwise(layer):
            found[layer.name] = SHORTCUT
        else:
            attended = any(found.get(name) in (VALUES, MASKED) for name in layer.reads)
            found[layer.name] = PROJECTION if attended else MLP
    return found
