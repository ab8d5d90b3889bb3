"""The max pool, plane encoder, readout and line packer, which are the blocks of these names in hw.output."""

from __future__ import annotations

from ..state import NEURONS_ITEM, Record, jit
from . import neurons
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
    o.pool_position = o.readout_piece = o.done = 0


@jit
def readout(c: Record, o: Record, run: Record, item: int, packs: bool) -> tuple[bool, int, bool, bool]:
    """Give out a readout's potentials in chunks.

    Returns whether a chunk is given, its width in bits, whether it is the last of its position, and whether the item
    leaves.
    """
    if item < 0:
        return False, 0, False, False
    size = min(c.neuron_lanes, 32)
    lanes = run.last_width if item & LAST_GROUP else c.neuron_lanes
    last = o.readout_piece + 1 == lanes * (32 // size)
    if packs:
        o.readout_piece = 0 if last else o.readout_piece + 1
    ends = last and item & LAST_GROUP != 0 and item & LAST_T != 0
    return packs, size, ends, packs and last


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
def pool_ready(o: Record, encoder_takes: bool) -> bool:
    """Return whether the max pool takes an item in this cycle."""
    return not o.read_valid or not o.pool_valid or not o.pool_last or encoder_takes


@jit
def pool(o: Record, run: Record, item: int, encoder_takes: bool) -> None:
    """Take the max pool one cycle on; the items of a window's last position go on to the encoder.

    ``item`` is the one that it takes in this cycle, or -1.
    """
    if o.pool_valid and (not o.pool_last or encoder_takes):
        if o.pool_last:
            o.e_valid, o.e_item = 1, o.pool_item
        o.pool_valid = 0
    if o.read_valid and not o.pool_valid:
        o.pool_valid, o.pool_last, o.pool_item = 1, o.read_last, o.read_item
        o.read_valid = 0
    if item < 0:
        return
    window = run.pool * run.pool
    o.read_valid, o.read_item = 1, item
    o.read_last = o.pool_position == window - 1
    if item & LAST_GROUP and item & LAST_T:
        o.pool_position = (o.pool_position + 1) % window


@jit
def results(c: Record, nr: Record, out: Record, run: Record, interleaved: bool, write_takes: bool) -> bool:
    """Do what lies between the neurons' queue and the write master, and return whether the queue hands over an item."""
    packs = out.chunks_in < len(out.chunks)
    offered = neurons.offered(nr)
    if run.readout:
        chunk, width, ends, leaves = readout(c, out, run, offered, packs)
        out.events |= NEURONS_ITEM * leaves
        pack(c, out, run, chunk, width, True, ends, True, write_takes)
        return leaves
    chunk, width, last_plane, last_group, last_t, takes = encode(c, out, run, packs)
    pack(c, out, run, chunk, width, last_plane, last_group, last_t, write_takes)
    ready = pool_ready(out, takes)
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
    pool(out, run, item, takes)
    return leaves
