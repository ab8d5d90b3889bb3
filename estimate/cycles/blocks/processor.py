"""The processor: its issue stage, with bits and exact matches, and its scoreboard, with the tiles that are inside.

They are hw.processor.issue and hw.processor.scoreboard.
"""

from __future__ import annotations

from ....hw.processor.issue import STEAL_AFTER
from .. import state
from ..run_data import RunData
from ..state import COMPUTE, REUSE, RING, Record, jit


@jit
def _known(p: Record, tile: int) -> bool:
    """Return whether a tile is in the processor."""
    return p.valid[tile & 1] and p.tile[tile & 1] == tile


@jit
def _same(valid: bool, buffer: int, row: int, other_buffer: int, other_row: int) -> bool:
    """Return whether two rows, of which the first is there only if ``valid``, have the same partial sum."""
    return valid and buffer == other_buffer and row == other_row


@jit
def _holds(p: Record, b: int, tile: int, prefix: int) -> bool:
    """Return whether the bank's operand register holds the tile result that a row needs."""
    return p.held[b] and p.held_row[b] == prefix and p.held_tile[b] == tile


@jit
def _finished(p: Record, data: RunData, n: int) -> bool:
    """Return whether the prefix of a reuse row is finished."""
    tile = data.tile_of[n]
    return _known(p, tile) and data.after[n] <= p.issued[tile & 1]


@jit
def issue(c: Record, p: Record, sort: Record, data: RunData, t: int) -> tuple[bool, int]:
    """Issue a bit of a compute row, and reuse rows in the update slots of their banks.

    The slot of the bank ``p.hold``, which the drain wants, stays empty. Returns whether a compute row is finished, and
    its tile.
    """
    banks = c.banks
    active, last = p.active >= 0, p.active_bits == 1
    active_row = data.rows[p.active] if active else -1
    active_buffer = p.tile_buffer[p.active_tile & 1] if active else -1
    claim = data.bank_of[p.active] if active and last else -1

    eligible0 = eligible1 = False
    busy0 = busy1 = False  # a reuse row is eligible and needs the read port
    conflict = order = False
    stage = p.stage
    row = data.rows[stage] if stage >= 0 else -1
    tile = data.tile_of[stage] if stage >= 0 else 0
    buffer = p.tile_buffer[tile & 1]
    for b in range(banks):
        n = p.reuse[b]
        ok = n >= 0 and p.reuse_ok[b]
        if ok:
            r, h = data.rows[n], p.tile_buffer[data.tile_of[n] & 1]
            hazard = _same(p.slot[b], p.slot_buffer[b], p.slot_row[b], h, r)
            hazard |= _same(p.before[b], p.before_buffer[b], p.before_row[b], h, r)
            hazard |= active and active_row == r and active_buffer == h
            ok = not hazard or c.no_psum
            if ok and stage >= 0:
                conflict |= r == row and h == buffer
                order |= h != buffer
        same = n >= 0 and _holds(p, b, data.tile_of[n], data.prefix[n])
        if b == 0:
            eligible0, busy0 = ok, ok and not same
        else:
            eligible1, busy1 = ok, ok and not same
        conflict |= _same(p.slot[b], p.slot_buffer[b], p.slot_row[b], buffer, row)
    conflict |= active and active_row == row and active_buffer == buffer
    if c.no_psum:
        conflict = order = False

    # The staged row is loaded when nothing is in its way and the row before it issues its last bit.
    loading = False
    steal_idle = -1
    if stage >= 0 and _known(p, tile) and p.weights_ok[tile & 1] and not conflict and not order:
        prefix = data.prefix[stage]
        if banks == 1:
            recent = _holds(p, 0, tile, prefix)
        else:
            recent = p.finish_tile == tile and p.finish_row == prefix
        needs = prefix >= 0 and not recent
        every = busy0 and (busy1 or banks == 1)
        if active:
            loading = last
        else:
            loading = not needs or not every or p.steal_left == 0
            if loading and needs:
                steal_idle = banks - 1 if busy0 else 0
            if not loading:
                p.steal_left -= 1
    if loading:
        p.steal_left = STEAL_AFTER

    p.events = (
        state.RESIDUAL_BIT | state.COMPUTE_ROW * (claim >= 0) if active else _stall(p, stage, tile, conflict, loading)
    )

    # The last bit of a compute row claims its bank's slot; otherwise a reuse row takes it.
    finish_tile = finish_row = -1
    for b in range(banks):
        p.before[b], p.before_buffer[b], p.before_row[b] = p.slot[b], p.slot_buffer[b], p.slot_row[b]
        n = p.reuse[b]
        needs = busy0 if b == 0 else busy1
        took = (eligible0 if b == 0 else eligible1) and not (steal_idle == b and needs)
        took = took and (c.no_psum or (claim != b and p.hold != b))
        p.slot[b] = took or claim == b
        if p.held[b] and p.tile[p.held_tile[b] & 1] != p.held_tile[b]:
            p.held[b] = 0  # the tile has retired, and another one writes its results into the same places
        if took:
            p.held[b], p.held_tile[b], p.held_row[b] = 1, data.tile_of[n], data.prefix[n]
        if claim == b:
            p.held[b], p.held_tile[b], p.held_row[b] = 1, p.active_tile, active_row
        if claim == b:
            p.slot_buffer[b], p.slot_row[b], p.slot_tile[b] = active_buffer, active_row, p.active_tile
        elif took:
            from_tile = data.tile_of[n]
            p.slot_buffer[b], p.slot_row[b] = p.tile_buffer[from_tile & 1], data.rows[n]
            p.slot_tile[b] = from_tile
        if took:
            p.events |= state.REUSE1 if b else state.REUSE0
            p.reused[2 * (data.tile_of[n] & 1) + b] += 1
        _next_reuse(c, p, sort, data, b, took)
    if claim >= 0:
        finish_tile, finish_row = p.active_tile, active_row
    p.finish_tile, p.finish_row = finish_tile, finish_row

    # Rows move on from the stream to the stage, and from there to the adders.
    if loading:
        p.active, p.active_bits, p.active_tile = stage, data.bits[stage], tile
        if c.no_pe_array:
            p.active_bits = 1
    elif active:
        p.active_bits -= 1
        if last:
            p.active = -1
    if stage < 0 or loading:
        p.stage = -1
        if sort.valid[COMPUTE]:
            sort.popped[COMPUTE] = 1
            p.stage = data.computes[p.c_head]
            p.c_head += 1
    return claim >= 0, finish_tile


@jit
def _stall(p: Record, stage: int, tile: int, conflict: bool, loading: bool) -> int:
    """Return the event that says why no bit is issued in a cycle without an active row; 0 if nothing is there."""
    if stage < 0 or loading:
        return state.STALL_ROW * p.inside
    if not _known(p, tile):
        return state.STALL_LEAD
    if not p.weights_ok[tile & 1]:
        return state.STALL_WEIGHTS
    return state.STALL_HAZARD if conflict else state.STALL_REUSE


@jit
def _next_reuse(c: Record, p: Record, sort: Record, data: RunData, b: int, took: bool) -> None:
    """Bring on the next reuse row of a bank; whether its prefix is finished is found out a cycle ahead."""
    n = p.reuse[b]
    if n >= 0 and not took:
        p.reuse_ok[b] = _finished(p, data, n)
        return
    p.reuse[b], p.reuse_ok[b] = -1, 0
    if sort.valid[REUSE + b]:
        sort.popped[REUSE + b] = 1
        n = data.reuses[b, p.r_head[b]]
        p.r_head[b] += 1
        p.reuse[b], p.reuse_ok[b] = n, _finished(p, data, n)


@jit
def reuse_one(p: Record, sort: Record, data: RunData, b: int) -> bool:
    """Do one more reuse row of a bank in this cycle, as idealized partial sums allow; return whether anything moved."""
    n = p.reuse[b]
    if n < 0:
        if sort.valid[REUSE + b] and not sort.popped[REUSE + b]:
            sort.popped[REUSE + b] = 1
            n = p.reuse[b] = data.reuses[b, p.r_head[b]]
            p.r_head[b] += 1
            p.reuse_ok[b] = _finished(p, data, n)
            return True
        return False
    if not _finished(p, data, n):
        return False
    p.reused[2 * (data.tile_of[n] & 1) + b] += 1
    p.held[b], p.held_tile[b], p.held_row[b] = 1, data.tile_of[n], data.prefix[n]
    p.reuse[b], p.reuse_ok[b] = -1, 0
    return True


@jit
def contexts(c: Record, p: Record, sort: Record, weights: Record, data: RunData, t: int) -> None:
    """Find out what the registers of both tiles will hold next, from the counts before this cycle's rows are issued."""
    for i in range(2):
        p.next_weights[i], p.next_computes[i], p.next_reuse[i] = p.weights_ok[i], 0, 0
        p.next_ended[i] = p.ended[i]
        if not p.valid[i]:
            continue
        tile, other = p.tile[i], 1 - i
        slot = data.slot[tile]
        stale = False
        if p.valid[other] and p.oldest != i and not p.closed[other]:
            older = p.tile[other]
            stale = data.release[older] and data.slot[older] == slot
        p.next_weights[i] = p.weights_ok[i] or (weights.filled[slot] and not stale) or c.no_weights
        p.next_computes[i] = p.ended[i] and p.issued[i] == data.compute_count[tile] and p.weights_ok[i]
        done = p.ended[i] != 0
        for b in range(c.banks):
            done = done and p.reused[2 * i + b] == data.reuse_count[b, tile]
        p.next_reuse[i] = done
        if not p.ended[i] and data.end_time[tile] <= t:
            p.next_ended[i] = 1
            sort.unread -= 1


@jit
def _beside(p: Record, buffer: int, narrow: bool) -> bool:
    """Return whether an m tile must wait for the one at the same addresses in the other half of the lanes."""
    return p.buffer_busy[buffer ^ 2] and (not narrow or (buffer > 1 and p.wide[buffer & 1]))


@jit
def scoreboard(
    c: Record,
    p: Record,
    sort: Record,
    weights: Record,
    drain: Record,
    data: RunData,
    claimed: bool,
    claimed_tile: int,
    t: int,
) -> None:
    """Let tiles enter, close and retire.

    It comes after :func:`contexts` and :func:`issue`, whose results it takes, and otherwise sees what registers held.
    """
    closes = retires = enters = -1
    for i in range(2):
        if p.computes_done[i] and not p.closed[i] and p.closing == i:
            closes = i
    o = p.oldest
    if p.valid[o] and (p.closed[o] or closes == o) and p.reuse_done[o]:
        retires = o
    tile, buffer = p.entered, 0
    if sort.begins_stored and sort.begin_time[tile % RING] <= t:
        i = tile & 1
        buffer = p.buffer if data.narrow[tile] else p.buffer & 1
        waits = p.fresh and (p.buffer_busy[buffer] or _beside(p, buffer, data.narrow[tile]))
        if not p.valid[i] or retires == i:
            if not waits:
                enters = i
            elif p.events & state.STALL_LEAD:  # what it waits for is known here
                p.events ^= state.STALL_LEAD | state.STALL_DRAIN
    for i in range(2):
        p.weights_ok[i], p.computes_done[i] = p.next_weights[i], p.next_computes[i]
        p.reuse_done[i], p.ended[i] = p.next_reuse[i], p.next_ended[i]
    if claimed:
        p.issued[claimed_tile & 1] += 1
    for h in range(len(p.full)):
        if drain.drained[h]:
            p.full[h] = p.buffer_busy[h] = 0
            drain.drained[h] = 0
    if closes >= 0:
        p.closed[closes] = 1
        p.closing = 1 - p.closing
        if data.release[p.tile[closes]]:
            weights.release = data.slot[p.tile[closes]]
    if retires >= 0:
        p.valid[retires] = 0
        p.oldest = 1 - o
        done = p.tile[retires]
        if data.last_k[done]:
            h = p.tile_buffer[retires]
            p.full[h], p.full_m[h] = 1, data.m_of[done]
    if enters >= 0:
        sort.begins_stored -= 1
        p.entered += 1
        p.events |= state.TILE_ENTER
        last_k = data.last_k[tile]
        p.tile[enters], p.valid[enters], p.tile_buffer[enters] = tile, 1, buffer
        p.buffer_busy[buffer] = 1
        if buffer < 2:
            p.wide[buffer] = not data.narrow[tile]
        p.fresh = last_k
        p.buffer = (buffer + last_k) & 3
        p.weights_ok[enters] = p.ended[enters] = p.reuse_done[enters] = p.computes_done[enters] = 0
        p.issued[enters] = p.closed[enters] = 0
        p.reused[2 * enters] = p.reused[2 * enters + 1] = 0
