"""The order in which the drain hands out the rows of partial sums of an m tile, as reprise.hw.psum.drain does."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.interface import row_order


@lru_cache(maxsize=64)
def drain_order(rows: int, planes: int, timesteps: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of an m tile in the order in which the drain goes through them, as reprise.hw.psum.cursor has it.

    The second array says of each row whether it is of the last position of its block.
    """
    order, last = [], []
    per = planes * timesteps
    for first in range(0, rows, block * per):
        count = min(block, -(-(rows - first) // per))
        for t in range(timesteps):
            for position in range(count):
                for plane in range(planes):
                    row = first + position * per + t * planes + plane
                    if row < rows:
                        order.append(row)
                        last.append(position == count - 1)
    return np.array(order, np.int64), np.array(last, np.int64)


def drain_walks(
    c: HardwareConfig, fields: dict[str, int], packed: np.ndarray, starts: np.ndarray, clean: bool
) -> dict[str, np.ndarray]:
    """Return the drain's walk through all m tiles: rows of the last plane, and of the others those that have a bit.

    ``clean`` says that it hands out all rows.
    """
    planes, positions = fields["planes"], row_order.block_positions(c, fields)
    touched = np.asarray(packed.any(axis=1))
    steps: list[np.ndarray] = []
    for first, end in pairwise(starts.tolist()):
        order, last_position = drain_order(end - first, planes, fields["timesteps"], positions)
        last_plane = order % planes == planes - 1
        handed = last_plane | touched[first + order] | clean
        steps.append(np.stack([order, last_position, last_plane])[:, handed])
    order, last_position, last_plane = np.concatenate(steps, axis=1).astype(np.int64)
    ends = np.cumsum([one.shape[1] for one in steps])
    return {"walk_end": ends, "order": order, "last_position": last_position, "last_plane": last_plane}
