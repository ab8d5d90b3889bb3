"""Spikformer for CIFAR-10 and a block of SpikeBERT as integer networks with random weights.

Spikformer (Zhou et al. 2023, arXiv 2209.15425) has the published shape: four convolutions, of which two have a 3x3 max
pool of stride 2 behind them, a convolution for the position, and blocks of attention and MLP whose branches are added
as spikes (SEW), so that levels pile up. Neurons are LIF of tau 2 with a hard reset; the mean over the tokens is left to
the host, which adds up the potentials of the readout at all tokens.

SpikeBERT (Lv et al. 2023, arXiv 2308.15122) has the same blocks for text, wider, with neurons of tau 10. The host
embeds the words, and the step behind that makes the input a map of spikes. Its LayerNorm is a batch norm here, which a
network of integers has in its weights and thresholds.
"""

from __future__ import annotations

import numpy as np

from reprise.model.network.network import Network

from .builder import Builder

SPIKFORMER_DENSITY, SPIKEBERT_DENSITY = 0.149, 0.132
"""The shares of spikes that the published simulator's workbook has for CIFAR-10 and for SST-2."""

ATTENTION_STEP, SPIKEBERT_STEP = 8, 40
"""Thresholds of attention in integers: 0.5, less the factors of 1/8 of the scores and of 1/tau of a LIF neuron."""

SPIKEBERT_LEAK = 230
"""What tau 10 leaves of a potential, 0.9, in 1/256 and rounded."""

LEVELS, CLIP, LEVELS_STEP = 4, 7, 32
"""Of the form with one timestep: levels of neurons and of joins, and the threshold of attention."""


def blocks(b: Builder, feature: str, depth: int, dim: int, heads: int, step: int, levels: int) -> str:
    """Append blocks of attention and MLP to a map of so many levels, and return the name of the last one."""
    x = feature
    for number in range(1, depth + 1):
        block = f"block{number}"
        x = b.join(f"{block}_join1", x, b.attention(block, x, dim, heads, step), dim, levels + 1)
        hidden = b.convolution(f"{block}_fc1", x, dim, 4 * dim)
        levels += 2
        x = b.join(f"{block}_join2", x, b.convolution(f"{block}_fc2", hidden, 4 * dim, dim), dim, levels)
    return x


def spikformer(
    depth: int, dim: int, *, heads: int = 12, size: int = 32, classes: int = 10, seed: int = 0
) -> tuple[Network, np.ndarray]:
    """Make a Spikformer with random weights, and the random image by which its thresholds were chosen.

    Parameters
    ----------
    depth, dim, heads : blocks, channels of a token, and heads
    size : height and width of the image, a multiple of 4
    classes, seed : int
    """
    b = Builder(input_shape=(3, size, size), density=SPIKFORMER_DENSITY, seed=seed)
    x = b.convolution("sps1", "input", 3, dim // 8, 3)
    x = b.convolution("sps2", x, dim // 8, dim // 4, 3)
    x = b.convolution("sps3", x, dim // 4, dim // 2, 3, pool=True)
    x = b.convolution("sps4", x, dim // 2, dim, 3, pool=True)
    x = b.join("rpe_join", x, b.convolution("rpe", x, dim, dim, 3), dim, 2)
    b.readout("head", blocks(b, x, depth, dim, heads, ATTENTION_STEP, 2), dim, classes)
    return b.network(f"spikformer-{depth}-{dim}"), b.image


def one_timestep(
    depth: int, dim: int, *, heads: int = 12, size: int = 32, classes: int = 10, seed: int = 0
) -> tuple[Network, np.ndarray]:
    """Make a Spikformer whose neurons have levels in place of timesteps, and whose joins clip."""
    b = Builder(
        input_shape=(3, size, size), density=SPIKFORMER_DENSITY, seed=seed, timesteps=1, levels=LEVELS, clip=CLIP
    )
    x = b.convolution("sps1", "input", 3, dim // 8, 3)
    x = b.convolution("sps2", x, dim // 8, dim // 4, 3)
    x = b.convolution("sps4", b.convolution("sps3", x, dim // 4, dim // 2, 3, pool=True), dim // 2, dim, 3, pool=True)
    x = b.join("rpe_join", x, b.convolution("rpe", x, dim, dim, 3), dim, CLIP)
    b.readout("head", blocks(b, x, depth, dim, heads, LEVELS_STEP, CLIP), dim, classes)
    return b.network(f"spikformer-{depth}-{dim}-levels"), b.image


def spikebert(
    depth: int, dim: int, *, heads: int = 12, size: int = 8, classes: int = 2, seed: int = 0
) -> tuple[Network, np.ndarray]:
    """Make blocks of SpikeBERT with random weights, and the random spikes by which their thresholds were chosen.

    Parameters
    ----------
    depth, dim, heads : blocks, channels of a token, and heads
    size : the square root of the number of tokens, which are the positions of a square map
    classes, seed : int
    """
    b = Builder(
        input_shape=(dim, size, size),
        input_levels=1,
        density=SPIKEBERT_DENSITY,
        seed=seed,
        leak=SPIKEBERT_LEAK,
        share=SPIKEBERT_DENSITY,
    )
    b.readout("head", blocks(b, "input", depth, dim, heads, SPIKEBERT_STEP, 1), dim, classes)
    return b.network(f"spikebert-{depth}-{dim}"), b.image
