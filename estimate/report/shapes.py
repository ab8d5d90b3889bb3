"""What the layers of a network look like, for reports: kinds, weights, neurons, encodings."""

from __future__ import annotations

from typing import Any

from ...model.network.network import Network
from ...model.prosparsity.rows import plane_table


def shape_of(network: Network, name: str) -> dict[str, Any]:
    """Return the fields of :class:`reprise.estimate.report.fields.Shape` for one layer."""
    layer = network.layer(name)
    signed = any(network.feature_signed(source.feature) for source in layer.sources)
    levels = [network.feature_levels(source.feature) for source in layer.sources]
    linear = all(s.flatten or network.feature_shape(s.feature)[1:] == (1, 1) for s in layer.convolutions)
    made = "linear" if linear else "convolution"
    kind = f"product over {layer.product.over}" if layer.product else made if layer.sources else "stored sums"
    return {
        "kind": kind,
        "reads": list(layer.reads),
        "weights": [[int(n) for n in source.weight.shape] for source in layer.convolutions],
        "k": network.depth(name),
        "channels": layer.channels,
        "output": [int(n) for n in network.feature_shape(name)],
        "pool": layer.pool.kernel if layer.pool else 1,
        "neuron": layer.neuron.kind,
        "levels": layer.neuron.levels,
        "timesteps": network.timesteps,
        "encoding": layer.encoding,
        "planes": max((plane_table(count, layer.encoding, signed).shape[1] for count in levels), default=1),
    }


def with_shapes(layers: list[dict], network: Network) -> list[dict]:
    """Return the layers of a report with their shapes."""
    return [one | {"shape": shape_of(network, one["name"])} for one in layers]
