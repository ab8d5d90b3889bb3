"""Hands out the partial sums of a finished m tile row by row, as reprise.hw.psum.drain and bank do."""

from __future__ import annotations

from ..run_data import RunData
from ..state import Record, jit


@jit
def wants(c: Record, drain: Record, data: RunData) -> int:
    """Return the bank whose next update slot must stay empty, or -1."""
    if drain.starved < c.starved or c.no_psum:
        return -1
    return data.bank_of_row[_row(drain, data, drain.at)]


@jit
def _row(drain: Record, data: RunData, at: int) -> int:
    """Return the row that the drain hands out as number ``at`` of the m tile."""
    return data.order[int(drain.m == data.m_tiles - 1), at]


@jit
def _granted(c: Record, p: Record, drain: Record, data: RunData, row: int) -> bool:
    """Return whether the bank's read port is free for the drain.

    With two banks, each buffer of partial sums has a memory of its own, whose port is always free. Otherwise an update
    that must read goes first, unless the drain's row is clean and needs no read.
    """
    if c.banks == 2 or c.no_psum:
        return True
    update = p.slot[0] and data.dirty[p.slot_buffer[0], p.slot_row[0]]
    return not (update and data.dirty[drain.buffer, row])


@jit
def step(c: Record, p: Record, drain: Record, data: RunData, groups: int, ready: bool) -> None:
    """Take the drain one cycle on.

    ``ready`` says that the neurons take the row at the output. Rows are read in the hope that the output will be free
    when they come; a row that finds it full is asked for again.
    """
    buffer = drain.buffer
    asking, again = drain.asking, drain.again
    row = _row(drain, data, drain.at) if asking else 0
    rows = data.m_rows[drain.m] if drain.m < data.m_tiles else 0
    granted = asking and _granted(c, p, drain, data, row)
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
        kind = int(drain.m == data.m_tiles - 1)
        drain.o_last, drain.o_last_position = last, data.last_position[kind, third_at]
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
    if not drain.running:
        if p.full[buffer] and not drain.drained[buffer]:
            drain.running = drain.asking = 1
            drain.m = p.full_m[buffer]
        drain.again = drain.at = 0
    if capture and last:
        drain.running = drain.again = 0
        drain.buffer = 1 - buffer
        drain.drained[buffer] = 1
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
