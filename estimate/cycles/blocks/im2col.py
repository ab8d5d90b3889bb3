"""The row table, the scan of the segment table, and the row builder.

They are hw.im2col.row_table, segment_table and row_builder.
"""

from __future__ import annotations

import numpy as np

from ..state import RING, Record, jit


@jit
def table(c: Record, front: Record, run: Record, starts: bool) -> None:
    """Write rows of the next m tile into the side of the row table that is free.

    In each cycle it is those of a word, if they belong to the same turn of the innermost loop. In a join it is first
    those of source 0 and then those of source 1.
    """
    if front.prime:
        front.prime = 0
    elif front.t_left and not front.full[front.t_buffer] and run.join and not front.t_second:
        front.t_second = 1
    elif front.t_left and not front.full[front.t_buffer]:
        front.t_second = 0
        count = run.rows_last if front.t_left == 1 else run.rows
        lane = front.t_row % c.table_rows
        word, turn = front.t_row - lane, lane + front.t_inner
        stop = min(c.table_rows, turn, count - word)
        front.t_inner = run.inner if turn == stop else turn - stop
        front.t_row = word + stop
        if front.t_row == count:
            front.full[front.t_buffer], front.rows[front.t_buffer] = 1, count
            front.t_buffer = 1 - front.t_buffer
            front.t_row = 0
            front.t_left -= 1
    if starts:
        front.prime, front.t_left, front.t_row, front.t_inner = 1, run.m_tiles, 0, run.inner
        front.left = run.m_tiles


@jit
def scan(c: Record, front: Record, run: Record, segments: np.ndarray, starts: bool) -> None:
    """Find out where the K tiles end in the segment table, one segment in each cycle and some K tiles ahead."""
    free = front.g_stored < c.scan_queue
    ends = False
    moves = not front.g_valid or free
    some = front.g_left > 0
    if front.g_valid and free:
        front.g_count += 1
        if front.g_count == segments[front.g_k]:
            ends = True
            front.g_count = 0
            front.g_k += 1
    if moves and some:
        front.g_valid = 1
    if not front.g_ready and front.g_stored:
        front.g_ready = 1
        front.g_stored -= 1
    if ends:
        front.g_stored += 1
        if front.g_k == run.k_tiles:
            front.g_k = 0
            front.g_left -= 1
            front.g_valid = 0
    if starts:
        front.g_left, front.g_k, front.g_count, front.g_valid = run.m_tiles, 0, 0, 0


@jit
def build(c: Record, front: Record, run: Record, segments: np.ndarray, full: bool, t: int) -> None:
    """Add one segment to a word in each cycle; a finished word is offered ``rows_ready`` cycles later."""
    buffer = front.t_read
    if not (full and front.g_ready and (front.segment or front.credits)):
        return
    if front.segment == 0:
        front.credits -= 1
    front.segment += 1
    if front.segment < segments[front.k]:
        return
    front.segment = 0
    front.time[front.in_ % RING] = t + c.rows_ready
    front.in_ += 1
    front.word += 1
    if front.word * c.load_rows < front.rows[buffer]:
        return
    front.word = 0
    front.g_ready = 0
    front.k += 1
    if front.k == run.k_tiles:
        front.k = 0
        front.full[buffer] = 0
        front.t_read = 1 - buffer
