"""The front end: the sorter (tile loader, class walker, row memory, row picker), the detector, and the queues behind.

They are the blocks of hw.sorter and hw.detector.
"""

from __future__ import annotations

from ..run_data import RunData
from ..state import DETECTOR_GROUP, DETECTOR_LAST, RING, ROWS_WORD, Record, jit
from . import weights


@jit
def fifo(sort: Record, n: int, pushed: int) -> None:
    """Take a FIFO with registered outputs and a skid buffer one cycle on; ``valid`` says that it offers an item."""
    move = not sort.stands[n] or not sort.held[n]
    fetch = sort.level[n] > 0 and (not sort.waiting[n] or move)
    sort.held[n] = sort.valid[n] and not sort.popped[n]
    if move:
        sort.stands[n] = sort.waiting[n]
    sort.valid[n] = sort.stands[n] or sort.held[n]
    sort.waiting[n] = fetch or (sort.waiting[n] and not move)
    sort.level[n] += pushed - fetch
    sort.popped[n] = 0


@jit
def detect(c: Record, sort: Record, data: RunData, t: int) -> bool:
    """Take the group of rows that is offered through the detector into the queues, and return whether it is taken."""
    tile_room = sort.begins_stored < c.begins and sort.unread < c.ends
    takes = sort.g_valid and sort.d_room and (tile_room or not sort.g_first)
    sort.events = 0
    if takes:
        sort.events = DETECTOR_GROUP | DETECTOR_LAST * sort.g_last
        if sort.g_first:
            sort.begin_time[sort.begun_tiles % RING] = t + 1
            sort.begun_tiles += 1
            sort.begins_stored += 1
            sort.unread += 1
        for _ in range(sort.g_count):
            data.push[data.queue_of[sort.row], (t + c.detect) % RING] += 1
            sort.row += 1
        if sort.g_last:
            data.end_time[sort.begun_tiles - 1] = t + c.detect + 1
    return takes


@jit
def pick(c: Record, sort: Record, takes: bool) -> bool:
    """Make groups of ``queries`` rows out of a window of as many words, and return whether the picker takes a word."""
    valid, rows, last, first = sort.w_valid, sort.w_rows, sort.w_last, sort.w_first
    seen1 = c.queries == 2 and valid[1] and not (valid[0] and last[0])
    some = (rows[0] if valid[0] else 0) + (rows[1] if seen1 else 0)
    ends = (valid[0] and last[0]) or (seen1 and last[1])
    move = not sort.g_valid or takes
    fire = move and (valid[0] or seen1) and (ends or some >= c.queries)
    if move:
        sort.g_valid = fire
    empty0 = not valid[0]  # as it was when the cycle began
    if fire:
        count = min(c.queries, some)
        sort.g_count, sort.g_last = count, ends and count == some
        sort.g_first = first[0] if valid[0] else first[1]
        if valid[0]:
            taken = min(count, rows[0])
            rows[0] -= taken
            count -= taken
            first[0] = 0
        if seen1:
            rows[1] -= count
            first[1] = 0
    done0 = empty0 or (fire and rows[0] == 0)
    if c.queries == 1:
        valid[0] = not done0
        return done0
    done1 = not valid[1] or (fire and seen1 and rows[1] == 0)
    valid[0], valid[1] = not done0, not done1
    if done0:
        valid[0], rows[0], last[0], first[0] = valid[1], rows[1], last[1], first[1]
        valid[1] = 0
    return done0 or done1


@jit
def visit(c: Record, sort: Record, data: RunData, takes: bool) -> bool:
    """Step the row memory and the class walker, from their end, and return whether the walker accepts a tile.

    They give a word and a class in each cycle, also from one tile to the next.
    """
    at = c.queries - 1
    # A word goes into the skid buffer when the row picker takes none.
    offered = sort.r_valid or sort.k_valid
    rows, last, first = sort.k_rows, sort.k_last, sort.k_first
    if not sort.k_valid:
        rows, last, first = sort.r_rows, sort.r_last, sort.r_first
    if takes:
        sort.w_valid[at] = offered
        sort.w_rows[at], sort.w_last[at], sort.w_first[at] = rows, last, first
    ready = not sort.r_valid or not sort.k_valid
    sort.k_valid = offered and not takes
    sort.k_rows, sort.k_last, sort.k_first = rows, last, first
    # The row memory reads the words that are visited.
    sort.freed += sort.frees
    sort.frees = 0
    v_last = sort.v_left == 1  # of its class
    if ready:
        sort.r_valid = sort.v_valid
        if sort.v_valid:
            sort.r_rows, sort.r_first = data.visit_rows[sort.v_visit], sort.v_first
            sort.r_last = sort.frees = sort.v_last and v_last
    # The walker visits the words of a class.
    load = not sort.v_valid or (ready and v_last)
    if sort.v_valid and ready:
        sort.v_visit += 1
        sort.v_left -= 1
        sort.v_first = 0
    # A class goes into the skid buffer while the words of another are visited.
    offered = sort.o_class_valid or sort.kc_valid
    cls, last, first = sort.kc_class, sort.kc_last, sort.kc_first
    if not sort.kc_valid:
        cls, last, first = sort.o_class, sort.o_class_last, sort.o_class_first
    if load:
        sort.v_valid = offered
        if offered:
            sort.v_left = data.class_words[cls]
            sort.v_last, sort.v_first = last, first
    ready, sort.kc_valid = not sort.kc_valid, offered and not load
    sort.kc_class, sort.kc_last, sort.kc_first = cls, last, first
    # The chooser gives out the classes of a tile.
    move = not sort.o_class_valid or ready
    c_last = sort.c_class + 1 == sort.c_end
    accept = not sort.c_valid or (move and c_last)
    if move:
        sort.o_class_valid = sort.c_valid
        sort.o_class, sort.o_class_last, sort.o_class_first = sort.c_class, c_last, sort.c_first
        sort.c_first = 0
        if sort.c_valid:
            sort.c_class += 1
    if accept:
        sort.c_valid = sort.t_valid
        if sort.t_valid:
            sort.c_end, sort.c_first = data.class_end[sort.t_tile], 1
    return accept


@jit
def load(c: Record, front: Record, w: Record, run: Record, sort: Record, data: RunData, accept: bool, t: int) -> None:
    """Load a beat in each cycle into the row memory; a tile is offered when its last beat is there."""
    move = not sort.first or not sort.t_valid or accept
    take = sort.b_valid and move
    ready = not sort.b_valid or move
    full = False
    if accept:
        sort.t_valid = 0
    if take:
        full = sort.b_last or sort.part == c.word_beats - 1
        sort.part = 0 if full else sort.part + 1
        sort.first = sort.b_last
        sort.t_valid = sort.b_last
        if sort.b_last:
            sort.t_tile = sort.loaded
            sort.loaded += 1
    used = sort.used
    sort.used += full
    while sort.freed:  # the row memory has read the tile's last word for the last time
        sort.used -= -(-data.beats[sort.released] // c.word_beats)
        sort.released += 1
        sort.freed -= 1
    offered = front.in_ != front.out and front.time[front.out % RING] <= t
    if not sort.s_valid and offered and weights.has_room(c, w):
        front.out += 1
        front.credits += 1
        sort.events |= ROWS_WORD
        sort.beat += 1
        sort.s_valid, sort.s_last = 1, sort.beat == data.beats[sort.tile]
        weights.passes(c, w, run, sort.tile - data.first, sort.s_last, t)
        if sort.s_last:
            sort.beat = 0
            front.left -= data.last_k[sort.tile]
            sort.tile += 1
    if ready:
        sort.b_valid = sort.room and sort.s_valid
        sort.b_last = sort.s_last
        if sort.b_valid:
            sort.s_valid = 0
    sort.room = used < c.ring_words


@jit
def search_at_once(c: Record, sort: Record, data: RunData, t: int) -> None:
    """Visit, pick and search in one cycle all rows that are there, as an idealized detector does."""
    for _ in range(16 * c.tile_m):
        inside = sort.c_valid or sort.o_class_valid or sort.kc_valid or sort.v_valid or sort.r_valid or sort.k_valid
        if not (inside or sort.w_valid[0] or sort.w_valid[1] or sort.g_valid or sort.t_valid):
            break
        takes = detect(c, sort, data, t)
        if sort.g_valid and not takes:
            break
        if visit(c, sort, data, pick(c, sort, takes)) and sort.t_valid:
            sort.t_valid = 0
