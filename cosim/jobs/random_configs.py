"""Makes random hardware configurations for the soak and for tests; a seed gives one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ...hw.arch.config import HardwareConfig

LANES = (1, 24, 40, 56)
"""Numbers of lanes that are drawn besides small ones; all but the first are no powers of two."""

TILE_K = (8, 32, 16, 4, 64)
TILE_M = (16, 64, 32, 512)
MAX_LEVELS, MAX_TIMESTEPS = 15, 8
BUSES = (64, 128, 256, 512)

LARGEST_TCAM = 512 * 32
"""Bits of the largest TCAM that is drawn; larger ones take minutes to build."""

T = TypeVar("T")


def in_turn(seed: int, salt: int, options: Sequence[T]) -> T:
    """Choose one of several options, so that as many seeds as there are options choose each of them once.

    Such a group of seeds begins at each multiple of the number of options, and has a random order of its own.
    """
    group, place = divmod(seed, len(options))
    return options[np.random.default_rng([salt, group]).permutation(len(options))[place]]


def legal_buses(lanes: int) -> list[int]:
    """Return the widths of the memory port that a configuration of so many lanes may have."""
    row = lanes * 8
    return [bus for bus in BUSES if not (row % bus and bus % row)]


def random_config(seed: int) -> HardwareConfig:
    """Make a small random configuration, whose sizes are often no powers of two or multiples of each other."""
    r = np.random.default_rng([seed, 77])
    neuron_lanes = int(r.choice([1, 2, 4]))
    small = [n * neuron_lanes for n in range(1, 7) if legal_buses(n * neuron_lanes)]
    lanes = in_turn(seed, 1, (*LANES, 0, 0)) or int(r.choice(small))
    while lanes % neuron_lanes:
        neuron_lanes //= 2
    tile_m, tile_k = in_turn(seed, 2, TILE_M), in_turn(seed, 13, TILE_K)
    while tile_m * tile_k > LARGEST_TCAM:
        tile_k //= 2
    psum_bits = int(r.choice([16, 20, 24]))
    bus_bits = int(r.choice(legal_buses(lanes)))
    blocks = bus_bits // (lanes * 8)  # of channels in a bus word: few channels in wide words leave much of each unused
    load_rows = int(r.choice([2, 4, 8]))
    queries, banks = int(r.integers(1, 3)), int(r.integers(1, 3))
    return HardwareConfig(
        tile_m=tile_m,
        tile_k=tile_k,
        lanes=lanes,
        load_rows=load_rows,
        queries=queries,
        banks=banks,
        weight_tiles=int(r.integers(2, 9)),
        weight_bits=int(r.choice([4, 7, 8])),
        psum_bits=psum_bits,
        membrane_bits=int(r.choice([24, 32])),
        max_levels=MAX_LEVELS,
        max_timesteps=MAX_TIMESTEPS,
        neuron_lanes=neuron_lanes,
        bus_bits=bus_bits,
        feature_words=int(r.choice([512, 1024, 2048])) * min(8, max(1, blocks // 4)),
        segments=int(r.choice([512, 1024])),
        weight_banks=min(int(r.choice([1, 1, 2, 4])), tile_k // 2),
        masks=int(r.integers(2)),
        one_bit_matches=in_turn(seed, 23, (0, 1)),
        modes=in_turn(seed, 29, (0, 1)),
        addend_groups=in_turn(seed, 31, (0, 8, 0, 32)),
        pool_words=in_turn(seed, 37, (0, 128)),
        joins=in_turn(seed, 41, (0, 1)),
        narrow_buffers=in_turn(seed, 43, (0, 1)) * (lanes // neuron_lanes % 2 == 0),
    )
