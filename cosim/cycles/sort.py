"""The front end: tile loader, sorter, detector and the queues behind it (hw.tile_loader, frontend_scatter, sorter)."""

from __future__ import annotations

from .state import BEATS, RING, jit


@jit
def fifo(sort, n, pushed):
    """One cycle of a FIFO with registered outputs (hw.fifo.PushFifo): ``valid`` says that an item is offered."""
    move = not sort.valid[n] or sort.popped[n]
    fetch = sort.level[n] > 0 and (not sort.waiting[n] or move)
    if move:
        sort.valid[n] = sort.waiting[n]
    sort.waiting[n] = fetch or (sort.waiting[n] and not move)
    sort.level[n] += pushed - fetch
    sort.popped[n] = 0


@jit
def load(c, front, sort, data, t):
    """A beat of rows goes on unless all are zero, when it is known whether another such beat of its tile follows."""
    q, push = data.queue, data.push
    if sort.hist_in - sort.hist_out <= c.loader_tiles and sort.room and front.in_ != front.out:
        if front.time[front.out % RING] <= t:
            front.out += 1
            front.credits += 1
            count, words = data.beats[sort.tile, sort.beat], data.words[sort.tile]
            sort.beat += 1
            last = sort.beat == words
            if sort.kept and (count or last):
                q[sort.b_in % len(q)] = 2 * sort.kept + (last and not count)
                sort.b_in += 1
                push[BEATS, (t + 1) % RING] += 1
                sort.kept = 0
            if count and last:
                q[sort.b_in % len(q)] = 2 * count + 1
                sort.b_in += 1
                push[BEATS, (t + 2) % RING] += 1
            elif count:
                sort.kept = count
            if last:
                sort.beat = 0
                sort.tile += 1
                sort.hist_time[sort.hist_in % RING] = t + c.histogram
                sort.hist_in += 1
                if sort.tile % data.k_tiles == 0:
                    front.left -= 1
    sort.room = sort.level[BEATS] < c.beat_depth - 5


@jit
def _pick(c, sort, data):
    """The row picker: ``queries`` rows per cycle out of a window of as many beats."""
    w, last, room = sort.window, sort.window_last, c.queries
    taken = ends = 0
    for n in range(c.queries):
        if n > 0 and last[0] and taken > 0:
            break  # rows of two tiles are never paired
        count = min(room - taken, w[n])
        w[n] -= count
        taken += count
        if count and last[n] and w[n] == 0:
            ends = 1
    sort.picked, sort.picked_last = taken, ends
    if w[0]:
        return
    for n in range(c.queries - 1):
        w[n], last[n] = w[n + 1], last[n + 1]
    w[c.queries - 1] = 0
    if sort.valid[BEATS]:
        sort.popped[BEATS] = 1
        q = data.queue
        item = q[sort.b_out % len(q)]
        sort.b_out += 1
        w[c.queries - 1], last[c.queries - 1] = item >> 1, item & 1


@jit
def scatter(c, sort, data, t):
    """Rows to their turns; a tile begins when the ring has room for all of them."""
    tile = sort.counted
    shown = sort.hist_out < sort.hist_in and sort.hist_time[sort.hist_out % RING] <= t
    credit = shown and sort.ahead < c.sorted_tiles
    fire = done = False
    need = 0
    if credit:
        rows = data.ends[tile] - (data.ends[tile - 1] if tile else 0)
        need = -(-rows // c.queries)
        fire = sort.rows_valid > 0 and rows > 0 and (sort.begun or need <= sort.free)
        done = rows == 0 or (fire and sort.rows_last)
    if fire:
        if not sort.begun:
            sort.free -= need
        sort.begun = not sort.rows_last
    if done:
        sort.late_time[sort.late_in % RING] = t + c.late
        sort.late_in += 1
        sort.ahead += 1
        sort.hist_out += 1
        if sort.hist_out < sort.hist_in and sort.hist_time[sort.hist_out % RING] <= t:
            sort.hist_time[sort.hist_out % RING] = t + 1
        sort.counted += 1
    if not sort.rows_valid or fire:
        sort.rows_valid, sort.rows_last = sort.picked, sort.picked_last
        _pick(c, sort, data)


@jit
def detect(c, sort, data, t):
    """Groups of sorted rows through the detector into the queues."""
    tile_room = sort.begins_stored < c.begins and sort.unread < c.ends
    takes = sort.o_valid and sort.d_room and (tile_room or not sort.o_first)
    if takes:
        if sort.o_first:
            sort.begin_time[sort.begun_tiles % RING] = t + 1
            sort.begun_tiles += 1
            sort.begins_stored += 1
            sort.unread += 1
        for _ in range(sort.o_count):
            n = sort.row
            queue = data.queue_of[n]
            data.push[queue, (t + c.detect) % RING] += 1
            sort.row += 1
        if sort.o_last:
            data.end_time[sort.begun_tiles - 1] = t + c.detect + 1
    return takes


@jit
def sorted_rows(c, sort, data, takes, t):
    """The reader of the ring: a group per cycle, without a gap between tiles."""
    move = not sort.o_valid or takes
    step = sort.r_busy and (not sort.r_waiting or move)
    accept = not sort.r_busy or (step and sort.r_last)
    if move:
        sort.o_valid = sort.r_waiting
        sort.o_count, sort.o_first, sort.o_last = sort.h_count, sort.h_first, sort.h_last
    sort.r_waiting = step or (sort.r_waiting and not move)
    if step:
        sort.h_count, sort.h_first, sort.h_last = min(c.queries, sort.r_count), sort.r_first, sort.r_last
        if sort.r_count:
            sort.free += 1
        sort.r_last = sort.r_count <= 2 * c.queries
        sort.r_count = max(0, sort.r_count - c.queries)
        sort.r_first = 0
    if accept:
        sort.r_busy = 0
        if sort.late_out < sort.late_in and sort.late_time[sort.late_out % RING] <= t:
            sort.late_out += 1
            sort.ahead -= 1
            tile = sort.sorted
            sort.sorted += 1
            sort.r_busy, sort.r_first = 1, 1
            sort.r_count = data.ends[tile] - (data.ends[tile - 1] if tile else 0)
            sort.r_last = sort.r_count <= c.queries
