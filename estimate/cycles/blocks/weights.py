"""The weights: which rows of a tile are used, the requests for them, and the way of the rows into the weight buffer.

They are hw.loader.used_rows, row_runs and weights, and hw.processor.weight_buffer.
"""

from __future__ import annotations

from ..run_data import RunData
from ..state import RING, WEIGHTS, WEIGHTS_ROW, Record, jit
from . import axi as read


@jit
def has_room(c: Record, w: Record) -> bool:
    """Return whether a word of a tile may pass, that is, whether there is place for what its tile uses."""
    return w.known < c.tiles_known or c.no_weights


@jit
def passes(c: Record, w: Record, run: Record, tile: int, last: bool, t: int) -> None:
    """Let a word of a tile pass; behind the last one it is known which weight rows the tile uses."""
    if last and not (run.keep or run.ready or tile < run.whole_tiles or c.no_weights):
        w.known_time[w.known_in % RING] = t + c.used_rows
        w.known_in += 1
        w.known += 1


@jit
def weights(c: Record, w: Record, bus: Record, run: Record, data: RunData, starts: bool, t: int) -> None:
    """Bring weight rows into their slots; a slot that is released in this cycle is free in the next one."""
    if c.no_weights:
        bus.left[WEIGHTS] = w.asked = w.taken = w.o_valid = w.stands = w.r_valid = w.cutting = 0
        w.skid = 0
        w.known, w.known_out, w.order_out = 0, w.known_in, w.order_in
        if bus.ready[WEIGHTS]:
            read.pop(bus, WEIGHTS)
        return
    o_ready = w.o_valid and w.empty
    if o_ready and w.o_last:  # it is known a cycle ahead whether a slot is empty
        w.next_slot = (w.next_slot + 1) % c.weight_tiles
    w.empty = not w.filled[w.next_slot] or w.release == w.next_slot
    w.events = WEIGHTS_ROW * o_ready
    some, place = w.order_in > w.order_out, w.order_in - w.order_out < c.runs_asked
    waits = w.skid
    if o_ready:
        w.o_valid = 0
        if w.o_last:
            w.filled[w.o_weight_slot] = 1
    if w.release >= 0:
        w.filled[w.release] = 0
        w.release = -1
    if some and not w.o_valid:
        _assemble(c, w, bus, run)
    if bus.ready[WEIGHTS] and not waits:  # a word that the assembler does not take waits in a skid buffer
        read.pop(bus, WEIGHTS)
        w.skid = 1
    _ask(c, w, bus, run, data, place, t)
    if starts:
        count = 0 if run.ready else (run.k_tiles if run.keep else run.k_tiles * run.m_tiles)
        w.asked, w.asked_tile, w.taken, w.whole_left = count, 0, count, run.whole_tiles
        w.known_in = w.known_out = 0
        if not run.ready:
            w.base = w.weight_slot


@jit
def _assemble(c: Record, w: Record, bus: Record, run: Record) -> None:
    """Take the next bus word of the run of rows that comes first; a run of no rows gives a row without one."""
    run_rows = w.order_rows[w.order_out % RING]
    if run_rows:
        if w.skid:
            w.skid = 0
        elif bus.ready[WEIGHTS]:
            read.pop(bus, WEIGHTS)
        else:
            return
        w.beat += 1
        if w.beat < run.weight_beats:
            return
        w.beat = 0
        w.row += 1
    w.o_valid, w.o_weight_slot, w.o_last = 1, w.weight_slot, 0
    if w.row == run_rows:
        w.row = 0
        w.o_last = w.order_last[w.order_out % RING]
        w.order_out += 1
        if w.o_last:
            w.weight_slot = (w.weight_slot + 1) % c.weight_tiles
            w.taken -= 1


@jit
def _ask(c: Record, w: Record, bus: Record, run: Record, data: RunData, place: bool, t: int) -> None:
    """Make a request of every run of rows, and cut what is used into runs; ``place``: another one may be under way."""
    if w.stands and place and (w.stands_rows == 0 or bus.left[WEIGHTS] == 0):
        if w.stands_rows:
            read.ask(bus, WEIGHTS, run.weights + w.stands_row * run.weight_beats, w.stands_rows * run.weight_beats)
        w.order_rows[w.order_in % RING], w.order_last[w.order_in % RING] = w.stands_rows, w.stands_last
        w.order_in += 1
        w.stands = 0
    if not w.stands and w.asked:
        whole = run.keep or w.whole_left > 0
        first_row = (w.asked_tile % run.k_tiles) * run.tile_depth
        if whole:
            w.stands, w.stands_row, w.stands_rows, w.stands_last = 1, first_row, run.tile_depth, 1
            w.whole_left -= w.whole_left > 0
        elif w.r_valid:
            w.stands, w.stands_row, w.stands_rows = 1, first_row + data.run_first[w.r_run], data.run_rows[w.r_run]
            w.stands_last = w.r_run + 1 == data.run_end[data.first + w.asked_tile]
            w.r_valid = 0
        if w.stands and w.stands_last:
            w.asked -= 1
            w.asked_tile += 1
    if not w.r_valid and w.cutting:
        w.r_valid, w.r_run = 1, w.cut
        w.cut += 1
        w.cutting = w.cut < w.cut_end
    if not w.cutting and w.known_in > w.known_out and w.known_time[w.known_out % RING] <= t:
        tile = data.first + run.whole_tiles + w.known_out
        w.cutting, w.cut_end = 1, data.run_end[tile]
        w.cut = data.run_end[tile - 1] if tile else 0
        w.known_out += 1
        w.known -= 1


@jit
def busy(w: Record) -> bool:
    """Return whether weights of the run are still to come."""
    return w.taken > 0 or w.o_valid
