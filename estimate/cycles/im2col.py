"""The weights, the row table, the scan of the segment table, and the row builder.

They are hw.loader.weights, hw.processor.weight_buffer, hw.im2col.row_table, segment_table and row_builder.
"""

from __future__ import annotations

import numpy as np

from . import axi as read
from .state import RING, WEIGHTS, WEIGHTS_ROW, Record, jit


@jit
def weights(c: Record, front: Record, bus: Record, run: Record, starts: bool) -> None:
    """Bring weight rows into their slots; a slot that is released in this cycle is free in the next one."""
    if c.no_weights:
        bus.left[WEIGHTS] = front.asked = front.taken = front.o_valid = 0
        if bus.ready[WEIGHTS]:
            read.pop(bus, WEIGHTS)
        return
    o_ready = front.o_valid and not front.filled[front.o_weight_slot]
    front.events = WEIGHTS_ROW * o_ready
    if front.asked and bus.left[WEIGHTS] == 0:
        beats = run.tile_depth * run.weight_beats
        read.ask(bus, WEIGHTS, run.weights + front.asked_k * beats, beats)
        front.asked -= 1
        front.asked_k = (front.asked_k + 1) % run.k_tiles
    if o_ready:
        front.o_valid = 0
        if front.o_last:
            front.filled[front.o_weight_slot] = 1
    if front.release >= 0:
        front.filled[front.release] = 0
        front.release = -1
    if bus.ready[WEIGHTS] and not front.o_valid:
        read.pop(bus, WEIGHTS)
        front.beat += 1
        if front.beat == run.weight_beats:
            front.beat = 0
            front.o_valid, front.o_weight_slot, front.o_last = 1, front.weight_slot, front.row == run.tile_depth - 1
            front.row += 1
            if front.row == run.tile_depth:
                front.row = 0
                front.weight_slot = (front.weight_slot + 1) % c.weight_tiles
                front.taken -= 1
    if starts:
        count = 0 if run.ready else (run.k_tiles if run.keep else run.k_tiles * run.m_tiles)
        front.asked, front.asked_k, front.taken = count, 0, count
        if not run.ready:
            front.base = front.weight_slot


@jit
def weights_busy(front: Record) -> bool:
    """Return whether weights of the run are still to come."""
    return front.taken > 0 or front.o_valid


@jit
def table(front: Record, run: Record, starts: bool) -> None:
    """Write the rows of the next m tile, one in each cycle, into the side of the row table that is free."""
    if front.prime:
        front.prime = 0
    elif front.t_left and not front.full[front.t_buffer]:
        count = run.rows_last if front.t_left == 1 else run.rows
        front.t_row += 1
        if front.t_row == count:
            front.full[front.t_buffer], front.rows[front.t_buffer] = 1, count
            front.t_buffer = 1 - front.t_buffer
            front.t_row = 0
            front.t_left -= 1
    if starts:
        front.prime, front.t_left, front.t_row = 1, run.m_tiles, 0
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
