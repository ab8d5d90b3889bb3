"""The Spike-driven Transformer (Yao et al. 2023, arXiv 2307.01694) for CIFAR-10 with random weights.

It has the published shape: four convolutions with 3x3 max pools of stride 2 behind the last two, a convolution for the
position, and blocks of spike-driven attention and MLP. What runs from block to block is a stream of currents, an int16
map to which each branch is added, and neurons fire on it where a branch begins. In attention a channel passes Q
if K and V have a spike at the same token. Two things differ from the published network: the second pool is behind its
neurons, so that the stream begins with spikes and not with currents; and the last neurons fire at every token,
and the host adds up the potentials of the readout.
"""

from __future__ import annotations

import numpy as np

from reprise.model.network.layer import Source
from reprise.model.network.network import Network

from .builder import Builder

DENSITY = 0.146
"""The share of spikes that the published simulator's workbook has for this network on CIFAR-10."""

SPIKE = 64
"""What a spike counts in the unit of the stream."""

PROJECTION_SHIFT, MLP_SHIFT = 2, 1
"""Sums of the branches count 2**shift of the stream's units, as those of a trained network do."""


def sdt(
    depth: int, dim: int, *, size: int = 32, classes: int = 10, seed: int = 0, hidden: int = 4
) -> tuple[Network, np.ndarray]:
    """Make a Spike-driven Transformer with random weights, and the random image by which its thresholds were chosen.

    Parameters
    ----------
    depth, dim : blocks, and channels of a token
    size : height and width of the image, a multiple of 4
    hidden : by how much the hidden layer of a block is wider than a token
    classes, seed : int
    """
    b = Builder(input_shape=(3, size, size), density=DENSITY, seed=seed)
    x = b.convolution("sps1", "input", 3, dim // 8, 3)
    x = b.convolution("sps2", x, dim // 8, dim // 4, 3)
    x = b.convolution("sps3", x, dim // 4, dim // 2, 3, pool=True)
    x = b.convolution("sps4", x, dim // 2, dim, 3, pool=True)
    spikes = Source(feature=x, weight=SPIKE * np.eye(dim, dtype=np.int8)[:, :, None, None])
    x = b.currents("rpe", b.source(x, dim, dim, 3), more=spikes)
    for number in range(1, depth + 1):
        block = f"block{number}"
        s = b.fired(f"{block}_lif1", x, dim)
        q, k, v = (b.convolution(f"{block}_{one}", s, dim, dim) for one in "qkv")
        passed = b.tokens(f"{block}_kv", k, v, dim, size // 4)
        x = b.currents(f"{block}_proj", b.source(q, dim, dim, mask=passed), addend=x, shift=PROJECTION_SHIFT)
        s = b.convolution(f"{block}_fc1", b.fired(f"{block}_lif2", x, dim), dim, hidden * dim)
        x = b.currents(f"{block}_fc2", b.source(s, hidden * dim, dim), addend=x, shift=MLP_SHIFT)
    b.readout("head", b.fired("head_lif", x, dim), dim, classes)
    return b.network(f"sdt-{depth}-{dim}"), b.image
