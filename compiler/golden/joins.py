"""Joins behind neurons, as the golden interpreter computes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def joined(
    levels: np.ndarray, read: Callable[[int, int], np.ndarray], f: dict[str, int], level_bits: int, bus_bits: int
) -> np.ndarray:
    """Return levels [positions, T, lanes] with those of a RUN's join added and clipped, in channels that are written.

    A level has ``level_bits``: of planes beyond that, nothing is looked at. ``read`` takes an address and a number of
    bytes.
    """
    planes, bus = f["join_planes"], bus_bits // 8
    if not planes:
        return levels
    shape = (f["images"], f["out_lines"], f["timesteps"], planes)
    width, bits = f["out_width"], f["out_width"] * f["channels"]
    found = np.zeros((f["images"], f["out_lines"], width, f["timesteps"], levels.shape[2]), np.int64)
    for image, y, t, p in np.ndindex(shape):
        at = image * f["join_image"] + ((y * f["timesteps"] + t) * planes + p) * f["line_bytes"]
        line = read(f["output"] + f["join"] * bus + at % (1 << 32), -(-bits // (8 * bus)) * bus)
        if p < level_bits:
            ones = np.unpackbits(line, bitorder="little")[:bits].astype(np.int64).reshape(width, -1)
            found[image, y, :, t, : ones.shape[1]] += ones << p
    return np.minimum(levels + found.reshape(levels.shape), f["join_levels"]).astype(np.uint8)
