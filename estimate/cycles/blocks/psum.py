"""Hands out the partial sums of a finished m tile row by row, as reprise.hw.psum.drain and bank do."""

from __future__ import annotations

import numpy as np

from ..run_data import RunData
from ..state import Record, jit

START = 2
"""Cycles from the start of a run until its m tiles may be drained."""


@jit
def begin(drain: Record, run: Record, t: int) -> None:
    """Let the m tiles of a run be drained, those of the run before having been."""
    drain.left, drain.open = run.m_tiles, t + START


@jit
def wants(c: Record, drain: Record, data: RunData) -> int:
    """Return the bank whose next update slot must stay empty, or -1."""
    if drain.starved < c.starved or c.no_psum:
        return -1
    return data.bank_of_row[_row(drain, data, drain.at)]


@jit
def _row(drain: Record, data: RunData, at: int) -> int:
    """Return the row that the drain hands out as number ``at`` of the m tile."""
    return data.order[_first(drain, data) + at]


@jit
def _first(drain: Record, data: RunData) -> int:
    """Return the first step of the m tile that is drained."""
    return data.walk_end[drain.m - 1] if drain.m else 0


@jit
def _granted(c: Record, p: Record, buffer: int, data: RunData, row: int) -> bool:
    """Return whether the bank's read port is free for the drain.

    An update that must read goes first, unless the drain's row is clean and needs no read.
    """
    if c.no_psum:
        return True
    bank = data.bank_of_row[row]
    update = p.slot[bank] and data.dirty[p.slot_buffer[bank], p.slot_row[bank]]
    return not (update and data.dirty[buffer, row])


@jit
def step(c: Record, p: Record, drain: Record, data: RunData, groups: int, ready: bool, t: int) -> None:
    """Take the drain one cycle on.

    ``ready`` says that the neurons take the row at the output. Rows are read in the hope that the output will be free
    when they come; a row that finds it full is asked for again.
    """
    buffer = drain.buffer if groups <= c.narrow_groups else drain.buffer & 1
    asking, again = drain.asking, drain.again
    row = _row(drain, data, drain.at) if asking else 0
    rows = data.walk_end[drain.m] - _first(drain, data)
    granted = asking and _granted(c, p, buffer, data, row)
    free = not drain.o_valid or ready
    waiting = asking and not granted and free
    third, third_at = drain.third, drain.third_at
    capture, reject = third and free, third and not free
    last = third_at == rows - 1
    if ready:
        drain.o_valid = 0
    drain.third, drain.third_at = drain.second, drain.second_at
    drain.second, drain.second_at = granted, drain.at
    if granted and not again:
        if drain.at == rows - 1:
            drain.asking = 0
        else:
            drain.at += 1
    if capture:
        drain.o_valid = 1
        step = _first(drain, data) + third_at
        drain.o_last, drain.o_last_position = last, data.last_position[step]
        drain.o_last_plane = data.last_plane[step]
        data.dirty[buffer, _row(drain, data, third_at)] = 0
    if reject or (capture and again):
        # The row is asked for again until it is taken, so that what is on its way behind it is of no use.
        second = drain.third
        drain.at = third_at if reject else min(third_at + 1, rows - 1)
        drain.second = drain.third = 0
        drain.asking = reject or not last
        drain.again = reject
        if reject and again:  # what is on its way then are copies of the same row, which remain of use
            drain.second, drain.third = granted, second
            drain.second_at, drain.third_at = third_at, third_at
    if drain.begun:
        drain.asking, drain.begun = 1, 0
    if not drain.running:
        if p.full[buffer] and not drain.drained[buffer] and drain.left > 0 and t >= drain.open:
            drain.running, drain.begun, drain.asking = 1, c.places, not c.places
            drain.m = p.full_m[buffer]
        drain.again = drain.at = 0
    if capture and last:
        drain.running = drain.again = 0
        drain.buffer = (buffer + 1) & 3
        drain.drained[buffer] = 1
        drain.left -= 1
    if waiting and drain.starved < c.starved:
        drain.starved += groups
    else:
        drain.starved = 0


@jit
def update(c: Record, p: Record, data: RunData) -> None:
    """Note which rows are dirty, after the drain, which has to see which ones were when the cycle began."""
    for b in range(c.banks):
        if p.slot[b]:
            data.dirty[p.slot_buffer[b], p.slot_row[b]] = 1


@jit
def mark(p: Record, data: RunData, work: np.ndarray, t: int) -> None:
    """Note the first and the last cycle in which something is added to partial sums, for the RUN that it belongs to."""
    for n in range(3):
        there = p.active >= 0 if n == 2 else p.slot[n]
        if there:
            command = data.command[p.active_tile if n == 2 else p.slot_tile[n]]
            work[1, command] = t
            if work[0, command] == 0:
                work[0, command] = t
