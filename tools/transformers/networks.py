"""The networks that are run in RTL by their names, and what the layers of all of them are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from reprise.estimate import operators as told
from reprise.model.network.network import Network

from .sdt import sdt
from .spikformer import one_timestep, spikebert, spikformer

NETWORKS: dict[str, Callable[[], tuple[Network, np.ndarray]]] = {
    "spikformer-1-384": partial(spikformer, 1, 384),
    "spikformer-4-384": partial(spikformer, 4, 384),
    "spikformer-4-384-levels": partial(one_timestep, 4, 384),
    "spikebert-1-768": partial(spikebert, 1, 768),
    "sdt-2-512": partial(sdt, 2, 512),
}
"""Blocks and channels of a token are a part of a name."""

OPERATORS = {
    "SPS convolutions": ("sps",),
    "position": ("rpe",),
    "q, k, v": ("_q", "_k", "_v"),
    "attention products": ("_g", "_products"),
    "mask and sum": ("_kv",),
    "neurons on currents": ("_lif1", "_lif2", "head_lif"),
    "projection": ("_proj",),
    "MLP": ("_fc1", "_fc2"),
    "joins": ("_join",),
    "head": ("head",),
}
"""What layers are called, by operator: the beginning of a name, or what follows the block."""


SHIPPED = ("digits-spikformer", "digits-sdt")
"""Networks that come with Reprise, which are run on several presets."""

TOLD = {
    told.EMBEDDING: "SPS convolutions",
    told.QUERIES: "q, k, v",
    told.KEYS: "attention products",
    told.VALUES: "attention products",
    told.MASKED: "mask and sum",
    told.PROJECTION: "projection",
    told.MLP: "MLP",
    told.HEAD: "head",
}
"""The operators of these networks, by what :func:`reprise.estimate.operators.operators` says that a layer does."""


def shipped_operators(network: Network) -> dict[str, str]:
    """Return the operator of each layer of a shipped network."""
    found = {}
    for name, what in told.operators(network).items():
        layer = network.layer(name)
        join = len(layer.sources) == 2 and not layer.product
        found[name] = "joins" if join else TOLD[what] if layer.sources else "neurons on currents"
    return found


def operator(layer: str) -> str:
    """Return the operator of a layer by its name."""
    for name, parts in OPERATORS.items():
        for part in parts:
            if "join" in layer:
                if part == "_join":
                    return name
            elif layer.startswith(part) or (part.startswith("_") and layer.endswith(part)):
                return name
    raise KeyError(layer)
