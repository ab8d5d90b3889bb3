"""One RUN of the accelerator, cycle by cycle, without its data: when rows, weights, sums and outputs move.

The order of stages is the hardware's: row table -> im2col -> loader, sort -> detector -> queues -> accumulators and
partial-sum banks -> drain -> neurons -> output. Latencies of pipelines are added where they matter
(``Latencies``); what shares a resource is simulated: slots of weights, halves of partial sums, read ports, queues.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numba as nb
import numpy as np

from hw.config import HardwareConfig
from hw.interleave import block_positions, recurrence
from hw.psum_drain import STARVED
from model.processor import bank_of_row
from model.prosparsity import TileBlock

QUEUE_WORDS = 16  # tile words between im2col and the front end
WEIGHT_WORDS = 128  # bus words buffered before the weight buffer
ROOM = 64  # rows that detector and pruner may have under way


@dataclass(frozen=True)
class Latencies:
    """Cycles through pipelines, calibrated against the RTL.

    fill : from the last word of a weight tile to its first use.
    close : from a tile's last row to its end, beside ``detect``.
    weights : from the request of the first weight beside the memory's latency.
    table : from the start (or prepare) to the first row of the row table.
    words : from the last word's extraction to the first sorted row.
    detect : from a tile's last sorted row to its first row in the processor's queues.
    drain : from an m tile's last update to its first row handed out.
    fire : from a row of the last plane to the item that leaves the neuron array.
    end : from the last output chunk to the end of the RUN.
    """

    weights: int = 5
    fill: int = 4
    close: int = 0
    table: int = 6
    words: int = 14
    detect: int = 12
    drain: int = 6
    fire: int = 9
    end: int = 13


@nb.njit(cache=True)
def _rows(residual, prefix, order, starts, nonzero, bits, rows, based, ends):
    """Residual bits and index of every non-zero row in issue order, tiles with K fastest; end of every tile."""
    n, tile = 0, 0
    for m in range(len(starts) - 1):
        for k in range(residual.shape[1]):
            for s in range(nonzero[m, k]):
                i = order[starts[m] + s, k]
                word, count = residual[starts[m] + i, k], 0
                while word:
                    word &= word - np.uint64(1)
                    count += 1
                bits[n], rows[n], based[n] = count, i, prefix[starts[m] + i, k]
                n += 1
            ends[tile] = n
            tile += 1


def issue_order(block: TileBlock) -> tuple[np.ndarray, ...]:
    """(residual bits, row, prefix's row or -1) of the non-zero rows in issue order, and the end of every tile."""
    nonzero = block.counts.nonzero
    total = int(nonzero.sum())
    bits, rows, based = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
    ends = np.empty(nonzero.size, np.int64)
    _rows(block.residual, block.prefix, block.order, block.starts, nonzero, bits, rows, based, ends)
    return bits, rows, based, ends


@nb.njit(cache=True)
def _simulate(bits, rows, based, ends, m_rows, segments, shape, weights, output, latency):
    m_tiles, k_tiles = len(m_rows), len(segments)
    tiles = m_tiles * k_tiles
    tile_m, load_rows, queries, banks, table_ahead = shape
    slots, need, keep, ready, hold, w_start, gap = weights
    groups, planes, timesteps, pool, item_cost, item_cost_idle, fire_gap = output
    patient = -(-STARVED // groups)
    l_fill, l_close, l_table, l_words, l_detect, l_drain, l_fire, early = latency
    FAR = np.int64(1 << 60)
    # weights
    fetches = 0 if ready else (k_tiles if keep else tiles)
    fill_at = np.full(max(1, fetches), FAR)
    fetched = used = word_used = np.int64(0)
    released = np.int64(0)
    # row table and im2col
    table_done = np.int64(0)
    table_left = np.int64(m_rows[0] + l_table)
    table_m = 0
    x_tile, x_word, x_seg = np.int64(0), np.int64(0), np.int64(0)
    x_m_done = np.int64(0)
    in_queue = np.int64(0)
    loaded_at = np.full(tiles, FAR)  # the tile's last word is in the loader
    # sort and detector
    s_tile = np.int64(0)
    s_free = np.int64(0)
    sorted_at = np.full(tiles, FAR)
    d_tile, d_row = np.int64(0), np.int64(0)
    seen_at = np.full(len(bits) + 1, FAR)
    begins = np.int64(0)  # tiles announced
    begin_at = np.full(tiles, FAR)
    end_at = np.full(tiles, FAR)
    # processor
    low = np.empty(tiles, np.int64)
    for i in range(tiles):
        low[i] = 0 if i == 0 else ends[i - 1]
    entered, retired = np.int64(0), np.int64(0)
    retire_at = np.full(tiles, FAR)
    left_rows = np.empty(tiles, np.int64)
    left_computes = np.zeros(tiles, np.int64)
    for i in range(tiles):
        left_rows[i] = ends[i] - low[i]
        for n in range(low[i], ends[i]):
            if bits[n] > 0:
                left_computes[i] += 1
    closed = np.zeros(tiles, nb.boolean)
    close_next = np.int64(0)
    c_row = np.int64(0)  # next compute row
    c_tile = np.int64(0)
    active = np.int64(0)  # bits left of the active row
    active_row = active_half = np.int64(0)
    active_tile = np.int64(0)
    r_row = np.zeros(banks, np.int64)
    r_tile = np.zeros(banks, np.int64)
    issued = np.zeros(tiles, np.int64)  # compute rows issued, of each tile
    after = np.zeros(len(bits) + 1, np.int64)
    for i in range(tiles):
        count = 0
        for n in range(low[i], ends[i]):
            after[n] = count
            if bits[n] > 0:
                count += 1
    touched = np.zeros((2, tile_m), nb.boolean)
    eligible = np.zeros(banks, nb.boolean)
    patience = 63
    odd = False
    ended_at, ended_tile, ended_row = np.int64(-9999), np.int64(-1), np.int64(-1)
    slot_row = np.full((banks, 3), -1)
    slot_half = np.zeros((banks, 3), np.int64)
    half_free = np.zeros(2, np.int64)  # when the half may be used; FAR while it is in use
    full_at = np.full(m_tiles, FAR)
    # drain and neurons
    d_m, d_next = np.int64(0), np.int64(0)
    starved = np.int64(0)
    hold_slot = False
    drain_at = np.int64(0)  # the drain has turned to its next m tile
    handed = np.int64(0)  # rows between the drain and the neurons
    neuron_left = np.int64(0)
    plane, step, position = 0, 0, 0
    fired_at = np.int64(-1000)
    out_room = 2 + l_fire
    out_items = np.zeros(4096, np.int64)
    o_head, o_tail = np.int64(0), np.int64(0)
    t = np.int64(-early - 1)
    finished = FAR
    front = np.int64(0)  # last cycle in which rows or weights of the run were on their way
    limit = np.int64(1) << 40
    while t < limit:
        t += 1
        # weights: words arrive one per cycle, wait in a FIFO, go into a free slot
        if fetched < fetches and t >= w_start and (t - w_start) % (1 + gap) == 0 and used < WEIGHT_WORDS:
            used += 1
        if fetched < fetches and used > 0 and fetched < slots + released:
            used -= 1
            word_used += 1
            if word_used == need:
                word_used = 0
                fill_at[fetched] = t + l_fill
                fetched += 1
        # row table, one m tile ahead
        if table_m < m_tiles and table_m < x_m_done + table_ahead:
            table_left -= 1
            if table_left <= 0:
                table_m += 1
                table_done += 1
                if table_m < m_tiles:
                    table_left = m_rows[table_m]
        # im2col: a segment of load_rows rows per cycle
        if x_tile < tiles:
            m, k = x_tile // k_tiles, x_tile % k_tiles
            if t >= 0 and table_done > m and (x_seg > 0 or in_queue < QUEUE_WORDS):
                if x_seg == 0:
                    in_queue += 1
                x_seg += 1
                if x_seg == segments[k]:
                    x_seg = 0
                    x_word += 1
                    if x_word * load_rows >= m_rows[m]:
                        x_word = 0
                        loaded_at[x_tile] = t + l_words
                        x_tile += 1
                        if k == k_tiles - 1:
                            x_m_done += 1
        if x_tile < tiles or fetched < fetches or in_queue > 0:
            front = t
        # the loader takes words unless two tiles wait to be sorted
        if in_queue > 0 and x_tile - s_tile < 4:
            in_queue -= 1
        # sort
        if s_tile < tiles and loaded_at[s_tile] <= t and s_free <= t and s_tile < d_tile + 2:
            count = left_rows[s_tile] if entered <= s_tile else ends[s_tile] - low[s_tile]
            words = -(-m_rows[s_tile // k_tiles] // load_rows)
            cost = max(words, -(-count // queries))
            s_free = t + max(1, cost)
            sorted_at[s_tile] = s_free
            s_tile += 1
        # detector
        if d_tile < tiles and sorted_at[d_tile] <= t:
            if d_row == 0:
                if begins - entered < 2:
                    begin_at[d_tile] = t + l_detect - 2
                    begins += 1
                    d_row = 1
            if d_row > 0:
                count = ends[d_tile] - low[d_tile]
                for _ in range(queries):
                    if d_row <= count:
                        seen_at[low[d_tile] + d_row - 1] = t + l_detect
                        d_row += 1
                if d_row > count:
                    end_at[d_tile] = t + l_detect + l_close
                    d_tile += 1
                    d_row = 0
        # tiles enter
        if entered < tiles and begin_at[entered] <= t:
            free = entered < 2 or retire_at[entered - 2] <= t
            half = (entered // k_tiles) & 1
            if free and (entered % k_tiles > 0 or half_free[half] <= t):
                if entered % k_tiles == 0:
                    half_free[half] = FAR
                entered += 1
        # exact matches that could be taken in this cycle
        for b in range(banks):
            slot_row[b, 2], slot_half[b, 2] = slot_row[b, 1], slot_half[b, 1]
            slot_row[b, 1], slot_half[b, 1] = slot_row[b, 0], slot_half[b, 0]
            slot_row[b, 0] = -1
            eligible[b] = False
            while r_tile[b] < entered:
                if r_row[b] == ends[r_tile[b]]:
                    r_tile[b] += 1
                elif bits[r_row[b]] > 0 or bank_of_row(rows[r_row[b]], banks) != b:
                    r_row[b] += 1
                else:
                    break
            if r_tile[b] < entered:
                n, i = r_row[b], r_tile[b]
                half = (i // k_tiles) & 1
                hazard = (slot_row[b, 1] == rows[n] and slot_half[b, 1] == half) or (
                    slot_row[b, 2] == rows[n] and slot_half[b, 2] == half
                )
                hazard |= active > 0 and active_row == rows[n] and active_half == half
                eligible[b] = seen_at[n] + 1 <= t and after[n] <= issued[i] and not hazard
        # accumulators: the active row's bit, then perhaps the next row
        was_active = active > 0
        last_bit = False
        claim = -1
        if was_active:
            active -= 1
            last_bit = active == 0
        done_tile, done_row, done_half = active_tile, active_row, active_half
        if last_bit:
            claim = bank_of_row(active_row, banks)
        steal = -1
        if active == 0 and c_tile < tiles:
            while c_tile < entered:
                if c_row == ends[c_tile]:
                    c_tile += 1
                elif bits[c_row] == 0:
                    c_row += 1
                else:
                    break
            if c_tile < entered and seen_at[c_row] + 2 <= t:
                i = c_tile
                half = (i // k_tiles) & 1
                load = ready or fill_at[i % k_tiles if keep else i] <= t
                load = load and not (last_bit and done_row == rows[c_row] and done_half == half)
                port = False
                for b in range(banks):
                    load = load and not (slot_row[b, 1] == rows[c_row] and slot_half[b, 1] == half)
                    if eligible[b]:
                        other = (r_tile[b] // k_tiles) & 1
                        load = load and other == half and rows[r_row[b]] != rows[c_row]
                    else:
                        port = True
                recent = ended_at == t - 1 and ended_tile == i and ended_row == based[c_row]
                if load and not was_active and based[c_row] >= 0 and not recent and not port:
                    if patience > 0:
                        patience -= 1
                        load = False
                    else:
                        steal = 0
                if load:
                    patience = 63
                    active = bits[c_row]
                    active_row, active_half, active_tile = rows[c_row], half, i
                    c_row += 1
        for b in range(banks):
            if claim == b:
                slot_row[b, 0], slot_half[b, 0] = done_row, done_half
            elif eligible[b] and steal != b and not (hold_slot and bank_of_row(d_next, banks) == b):
                i = r_tile[b]
                slot_row[b, 0], slot_half[b, 0] = rows[r_row[b]], (i // k_tiles) & 1
                left_rows[i] -= 1
                r_row[b] += 1
        if last_bit:
            issued[done_tile] += 1
            left_rows[done_tile] -= 1
            left_computes[done_tile] -= 1
            ended_at, ended_tile, ended_row = t, done_tile, done_row
        # tiles close and retire
        while close_next < entered and not closed[close_next]:
            i = close_next
            ok = end_at[i] <= t and left_computes[i] == 0
            ok = ok and (ready or fill_at[i % k_tiles if keep else i] <= t)
            if not ok:
                break
            closed[i] = True
            close_next += 1
            if not ready and (not keep or (i >= tiles - k_tiles and not hold)):
                released += 1
        if retired < entered and closed[retired] and left_rows[retired] == 0:
            retire_at[retired] = t + 2
            if retired % k_tiles == k_tiles - 1:
                full_at[retired // k_tiles] = t + 3
            retired += 1
        # updates, then the drain in the read slots that are left
        busy_bank = np.int64(-1)
        granted = d_m < m_tiles and full_at[d_m] + l_drain <= t and drain_at <= t and handed < 2
        hold_slot = False
        for b in range(banks):
            if slot_row[b, 0] >= 0:
                h, r = slot_half[b, 0], slot_row[b, 0]
                if touched[h, r]:
                    if granted and bank_of_row(d_next, banks) == b and touched[d_m & 1, d_next]:
                        busy_bank = b
                touched[h, r] = True
        if granted and busy_bank >= 0:
            granted = False
            starved = min(patient, starved + 1)
            hold_slot = starved == patient
        # neurons
        if neuron_left > 0:
            neuron_left -= 1
        if o_tail > o_head:
            out_items[o_head & 4095] -= 1
            if out_items[o_head & 4095] <= 0:
                o_head += 1
        if handed > 0 and neuron_left == 0 and o_tail - o_head < out_room:
            last_plane = plane == planes - 1
            if not (last_plane and step > 0 and t < fired_at + fire_gap):
                handed -= 1
                odd = not odd
                neuron_left = groups + (1 if groups == 2 and odd else 0)
                if last_plane:
                    fired_at = t
                    cost = item_cost if position % (pool * pool) == pool * pool - 1 else item_cost_idle
                    for _ in range(groups):
                        out_items[o_tail & 4095] = cost
                        o_tail += 1
                    step += 1
                    if step == timesteps:
                        step = 0
                        position += 1
                    plane = 0
                else:
                    plane += 1
        if granted:
            starved = 0
            touched[d_m & 1, d_next] = False
            handed += 1
            d_next += 1
            if d_next == m_rows[d_m]:
                half_free[d_m & 1] = t + 2
                d_next = 0
                d_m += 1
                drain_at = t + 2
        if d_m == m_tiles and handed == 0 and neuron_left == 0 and o_head == o_tail:
            finished = t
            break
    return finished, front


def run_cycles(
    block: TileBlock,
    config: HardwareConfig,
    fields: dict[str, int],
    segments: np.ndarray,
    *,
    latency: int,
    gap: int,
    early: int = 0,
    weights_early: int = 0,
    latencies: Latencies | None = None,
) -> tuple[int, int]:
    """Cycles of a RUN from its start to its end, and to the end of its front (rows taken, weights fetched).

    Parameters
    ----------
    block : all its tiles (K fastest)
    config : HardwareConfig
    fields : of the RUN command
    segments : int64[k_tiles], segments of each K tile
    latency, gap : of the memory
    early : cycles before the start in which the row table has been prepared
    weights_early : the same of the weights: cycles in which the bus was theirs
    """
    c, f, late = config, fields, latencies or Latencies()
    bits, rows, based, ends = issue_order(block)
    m_rows = np.diff(block.starts).astype(np.int64)
    words = 32 // min(c.neuron_lanes, 32)
    if f["readout"]:
        cost = -(-f["channels"] * words // f["groups"])
        idle = cost
    else:
        cost, idle = max(1, f["out_planes"]), 1
    gap_fire = 1
    if f["timesteps"] > 1:
        gap_fire = 4 if f["readout"] or f["reset"] == 2 else recurrence(c)
    # Positions of a block share the recurrence; they leave the reorder buffer when the block is complete.
    block_rows = f["timesteps"] * f["planes"]
    positions = max(1, min(block_positions(c, f), int(m_rows.max()) // block_rows))
    gap_fire = -(-gap_fire // positions)
    reorder = 0
    if block_positions(c, f) > 1:
        items = min(positions, max(1, int(m_rows[-1]) // block_rows)) * f["timesteps"] * f["groups"]
        reorder = items * (cost + (f["pool"] ** 2 - 1) * idle) // f["pool"] ** 2
    w_start = latency + late.weights - weights_early
    *pipeline, end = astuple(late)[1:]
    shape = (c.tile_m, c.load_rows, c.queries, c.banks, 2)
    weights = (
        c.weight_tiles,
        c.tile_k * f["weight_beats"],
        bool(f["weights_keep"]),
        bool(f["weights_ready"]),
        bool(f["weights_hold"]),
        w_start,
        gap,
    )
    output = (f["groups"], f["planes"], f["timesteps"], f["pool"], cost, idle, gap_fire)
    cycles, front = _simulate(
        bits, rows, based, ends, m_rows, segments.astype(np.int64), shape, weights, output,
        (*pipeline, early),
    )  # fmt: skip
    return int(cycles) + late.fire + reorder + end, int(front) + 2
