"""Puts channels that fire together side by side, as far as a sample of spikes tells.

A row of a K tile then has either many bits or none, so that fewer rows of the tile have any, and more of them are equal
or contain each other.
"""

from __future__ import annotations

import numpy as np


def co_active(bits: np.ndarray, size: int) -> list[np.ndarray]:
    """Return the channels in groups of ``size``, of which each begins with the busiest channel that is left.

    The channel that fires most often with those of the group comes next, until the group is full.

    Parameters
    ----------
    bits : bool or 0 and 1 of [samples, C]
    size : channels of a group, of which the last may have fewer

    Returns
    -------
    Arrays of int64 that together hold every channel once, the busiest group first.
    """
    ones = np.asarray(bits, np.float32)
    together = ones.T @ ones
    free, groups = np.ones(together.shape[0], bool), []
    busy = together.diagonal()
    while free.any():
        chosen = [int(np.where(free, busy, -1).argmax())]
        free[chosen] = False
        score = together[chosen[0]].copy()
        while len(chosen) < size and free.any():
            chosen.append(int(np.where(free, score, -1).argmax()))
            free[chosen[-1]] = False
            score += together[chosen[-1]]
        groups.append(np.array(chosen))
    return groups


def alternating(groups: list[np.ndarray]) -> list[np.ndarray]:
    """Return groups that were sorted as a busy one, an idle one, the next busy one and so on; a short one stays last.

    The processor is behind with a busy K tile, and waits for the weights of an idle one. Side by side, each has the
    time of both.
    """
    whole = [group for group in groups if len(group) == len(groups[0])]
    half = -(-len(whole) // 2)
    busy, idle = whole[:half], whole[half:][::-1]
    pairs = [group for n in range(half) for group in (*busy[n : n + 1], *idle[n : n + 1])]
    return pairs + groups[len(whole) :]
