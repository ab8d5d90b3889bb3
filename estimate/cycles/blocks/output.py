"""The plane encoder, line packer and integer packer, which are the blocks of these names in hw.output."""

from __future__ import annotations

from ..state import NEURONS_ITEM, Record, jit
from . import neurons, pool
from .neurons import LAST_GROUP, LAST_T


@jit
def _steps(o: Record, write_takes: bool) -> bool:
    """Return whether the line packer would take a chunk from its queue in this cycle."""
    return not o.p_valid or ((not o.p_give or not o.o_valid or write_takes) and not _twice(o))


@jit
def _twice(o: Record) -> bool:
    """Return whether the line's end is in a second word, which has not been given out yet."""
    return o.p_twice and not o.p_second


@jit
def pack(
    c: Record,
    o: Record,
    run: Record,
    chunk: bool,
    width: int,
    last_plane: bool,
    last_group: bool,
    last_t: bool,
    write_takes: bool,
) -> None:
    """Take the line packer one cycle on; ``chunk`` says that its queue takes one, of ``width`` bits."""
    steps, free = _steps(o, write_takes), not o.o_valid or write_takes
    if o.o_valid and write_takes and o.o_last:
        o.done = 1
    twice = _twice(o)
    leave = o.p_valid and (not o.p_give or free) and not twice
    if free:
        o.o_valid = o.p_valid and o.p_give
        if o.p_valid:
            o.o_word = o.p_word + o.p_second
            o.o_last = o.p_last and not twice
            o.p_second = twice
    if leave:
        o.p_valid = 0
    taken = -1
    if steps and o.chunks_in:
        taken, o.chunks[0] = o.chunks[0], o.chunks[1]
        o.chunks_in -= 1
    if chunk:
        o.chunks[o.chunks_in] = 8 * width + 4 * last_plane + 2 * last_group + last_t
        o.chunks_in += 1
    if taken < 0:
        return
    width, last_plane, last_group, last_t = taken // 8, taken & 4 != 0, taken & 2 != 0, taken & 1 != 0
    fill = o.bit % c.bus_bits
    end = o.x + 1 == run.out_width and last_group
    last = end and last_t and last_plane and o.y + 1 == run.out_lines and o.image + 1 == run.images
    o.p_valid = 1
    o.p_give = fill + width >= c.bus_bits or end
    o.p_twice = fill + width > c.bus_bits and end
    o.p_last, o.p_word = last, o.line + o.bit // c.bus_bits
    _move(o, run, width, last_plane, last_group, last_t)


@jit
def _move(o: Record, run: Record, width: int, last_plane: bool, last_group: bool, last_t: bool) -> None:
    """Move the line cursor (hw.output.line_cursor) to the next chunk; it counts lines in bus words.

    Planes are innermost, followed by groups, timesteps, positions, lines and images.
    """
    after, bit = o.line + run.line_words, o.bit + width
    if not last_plane:
        o.line = after
    elif not last_group:
        o.line, o.bit = o.t_line, bit
    elif not last_t:
        o.line, o.bit, o.t_line = after, o.position_bit, after
    elif o.x + 1 < run.out_width:
        o.x += 1
        o.position_bit = o.bit = bit
        o.line = o.t_line = o.row_line
    else:
        o.x = o.position_bit = o.bit = 0
        o.y += 1
        if o.y == run.out_lines:
            o.y = 0
            o.image += 1
            o.image_line += run.image_stride
            after = o.image_line
        o.line = o.t_line = o.row_line = after


@jit
def begin(o: Record, run: Record) -> None:
    """Set the output side to the beginning of a run, as the strobe ``i_start`` does."""
    o.output = run.output
    o.x = o.y = o.image = o.bit = o.position_bit = 0
    o.line = o.t_line = o.row_line = o.image_line = 0
    o.pool_position = o.pool_x = o.pool_y = o.i_group = o.i_slot = o.done = 0
    o.pool_left = o.pool_column = run.out_width
    o.pool_lines = run.out_lines
    o.runs += 1


@jit
def _gives(o: Record, slots: int) -> bool:
    """Return whether the piece that is next completes a word."""
    return o.i_slot + 1 == slots or (o.i_left == 0 and o.i_end != 0)


@jit
def _piece_leaves(o: Record, write_takes: bool) -> bool:
    return o.i_valid != 0 and (not _gives(o, o.i_slots) or not o.o_valid or write_takes)


@jit
def integers(c: Record, o: Record, run: Record, item: int, write_takes: bool) -> None:
    """Take the integer packer one cycle on; ``item`` is the group that its queue takes in this cycle, or -1."""
    free = not o.o_valid or write_takes
    if o.o_valid and write_takes and o.o_last:
        o.done = 1
    leave, give = _piece_leaves(o, write_takes), _gives(o, o.i_slots)
    steps = not o.i_valid or (o.i_left == 0 and leave)
    if free:
        o.o_valid = o.i_valid and give
    if leave:
        o.i_slot = 0 if give else o.i_slot + 1
        if give:
            _next_word(o, run)
        if o.i_left:
            o.i_left -= 1
        else:
            o.i_valid = 0
    taken = -1
    if steps and o.i_there:
        taken, o.i_there = o.i_waits, 0
    if not o.i_there and o.chunks_in:  # it is found out which values must be clipped
        o.i_there, o.i_waits, o.chunks[0] = 1, o.chunks[0], o.chunks[1]
        o.chunks_in -= 1
    if item >= 0:
        o.chunks[o.chunks_in] = item
        o.chunks_in += 1
    if taken >= 0:
        item = taken
        width = run.last_width if item & LAST_GROUP else c.neuron_lanes
        end = item & LAST_GROUP != 0 or o.i_group + 1 == run.int_groups
        o.i_slots = max(1, c.bus_bits // (8 * run.int_bytes * c.neuron_lanes))
        o.i_valid, o.i_item, o.i_end = 1, item, end
        o.i_left = (width - 1) * 8 * run.int_bytes // c.bus_bits
        o.i_group = 0 if end else o.i_group + 1


@jit
def _next_word(o: Record, run: Record) -> None:
    """Give out the word that is complete, and move the integer cursor (hw.output.integer_cursor) to the next one.

    Words are innermost, followed by sub-blocks, timesteps, positions, lines and images; ``bit`` stands for the address
    where the sub-block began, and the other addresses for those of the levels around it.
    """
    o.o_word, o.o_last = o.line, 0
    if o.i_left or not o.i_end:
        o.line += 1
        return
    if not o.i_item & LAST_GROUP:
        o.line = o.bit = o.bit + run.int_block
    elif not o.i_item & LAST_T:
        o.line = o.bit = o.t_line = o.t_line + run.int_t
    elif o.x + 1 < run.out_width:
        o.x += 1
        o.line = o.bit = o.t_line = o.position_bit = o.position_bit + run.line_words
    else:
        o.x = 0
        o.y += 1
        after = o.row_line + run.int_y
        if o.y == run.out_lines:
            o.y = 0
            o.image += 1
            o.o_last = o.image == run.images
            after = o.image_line = o.image_line + run.image_stride
        o.line = o.bit = o.t_line = o.position_bit = o.row_line = after


@jit
def encode(c: Record, o: Record, run: Record, packs: bool) -> tuple[bool, int, bool, bool, bool, bool]:
    """Give out the planes of an item in chunks.

    Returns whether a chunk is given, its width in bits, whether it is of the last plane, of the last group and of the
    last timestep, and whether the encoder takes an item.
    """
    if not o.e_valid:
        return False, 0, False, False, False, True
    item = o.e_item
    last = o.e_plane + 1 == run.out_planes
    width = run.last_width if item & LAST_GROUP else c.neuron_lanes
    if packs:
        o.e_plane = 0 if last else o.e_plane + 1
        if last:
            o.e_valid = 0
    return packs, width, last, item & LAST_GROUP != 0, item & LAST_T != 0, packs and last


@jit
def results(c: Record, nr: Record, out: Record, run: Record, interleaved: bool, write_takes: bool) -> bool:
    """Do what lies between the neurons' queue and the write master, and return whether the queue hands over an item."""
    offered, packs = neurons.offered(nr), out.chunks_in < len(out.chunks)
    if run.readout:
        leaves = offered >= 0 and packs
        out.events |= NEURONS_ITEM * leaves
        integers(c, out, run, offered if leaves else -1, write_takes)
        return leaves
    if run.int_bytes:
        takes = packs
        integers(c, out, run, pool.offered(out, run) if takes else -1, write_takes)
    else:
        chunk, width, last_plane, last_group, last_t, takes = encode(c, out, run, packs)
        pack(c, out, run, chunk, width, last_plane, last_group, last_t, write_takes)
    waited, ready = out.skid_full, not out.skid_full
    into = pool.ready(out, run, takes) and (not run.join_planes or (out.j_valid and not out.j_popped))
    item, leaves = -1, False
    if not interleaved:
        leaves = offered >= 0 and ready
        item = offered if leaves else -1
        out.events |= NEURONS_ITEM * leaves
    else:
        full = nr.buffer_full[nr.w_buffer]
        if nr.ro_valid and ready:
            out.events |= NEURONS_ITEM
            item = LAST_GROUP * nr.ro_group + LAST_T * nr.ro_last_t
        neurons.reorder_out(nr, run, ready)
        leaves = offered >= 0 and not full
        if leaves:
            neurons.reorder_in(nr, offered)
    if waited:
        item = out.skid_item
    out.skid_full, out.skid_item = item >= 0 and not into, item
    out.j_popped |= item >= 0 and into
    pool.step(out, run, item if into else -1, takes)
    return leaves
