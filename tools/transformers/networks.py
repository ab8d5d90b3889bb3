"""The networks that are run in RTL by their names, and what the layers of all of them are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

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
