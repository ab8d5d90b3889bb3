"""The max pool, which is the block of this name in hw.output, with the stage behind it that pools lines."""

from __future__ import annotations

from ....hw.arch.program import OVERLAPPING_POOL
from ..state import Record, jit
from .neurons import LAST_GROUP, LAST_T


@jit
def _takes(o: Record, s: int, takes: bool) -> bool:
    """Return whether a stage takes an item in this cycle: 0 along columns or a window, 1 of lines."""
    return not o.read_valid[s] or not o.pool_valid[s] or not o.pool_last[s] or takes


@jit
def ready(o: Record, run: Record, takes: bool) -> bool:
    """Return whether it takes an item in this cycle."""
    return _takes(o, 0, _takes(o, 1, takes) if run.pool == OVERLAPPING_POOL else takes)


@jit
def busy(o: Record) -> bool:
    """Return whether items are on their way through it."""
    return o.read_valid[0] or o.pool_valid[0] or o.read_valid[1] or o.pool_valid[1]


@jit
def offered(o: Record, run: Record) -> int:
    """Return the item of the last position of a window that it offers, or -1."""
    s = 1 if run.pool == OVERLAPPING_POOL else 0
    return o.pool_item[s] if o.pool_valid[s] and o.pool_last[s] else -1


@jit
def _stage(o: Record, s: int, item: int, last: bool, takes: bool) -> int:
    """Take a stage one cycle on and return the item that goes on from it, or -1.

    ``item`` is the one that it takes in this cycle, or -1, and ``last`` says whether a window ends with it.
    """
    given = -1
    if o.pool_valid[s] and (not o.pool_last[s] or takes):
        if o.pool_last[s]:
            given = o.pool_item[s]
        o.pool_valid[s] = 0
    if o.read_valid[s] and not o.pool_valid[s]:
        o.pool_valid[s], o.pool_last[s], o.pool_item[s] = 1, o.read_last[s], o.read_item[s]
        o.read_valid[s] = 0
    if item >= 0:
        o.read_valid[s], o.read_last[s], o.read_item[s] = 1, last, item
    return given


@jit
def _ends(n: int, halo: int, odd: int, left: int) -> bool:
    """Return whether a window that overlaps others ends with position ``n`` of an axis, with ``left`` of them to come.

    It is as in hw.output.line_pool.WindowPhase.
    """
    if (n + halo) % 2:
        return n > 0
    return odd != 0 and left == 1


@jit
def _along_columns(o: Record, run: Record, item: int) -> bool:
    """Move on by an item along a line, and return whether a window ends with it."""
    last = _ends(o.pool_x, run.pool_halo_x, run.pool_odd_x, o.pool_left)
    if item & LAST_GROUP and item & LAST_T:
        o.pool_x += 1
        o.pool_left -= last
        if o.pool_left == 0:
            o.pool_x, o.pool_left = 0, run.out_width
    return last


@jit
def _along_lines(o: Record, run: Record, item: int) -> bool:
    """Move on by an item that is pooled along its line, and return whether a window of lines ends with it."""
    last = _ends(o.pool_y, 0, run.pool_odd_y, o.pool_lines)
    if item & LAST_GROUP and item & LAST_T:
        o.pool_column -= 1
        if o.pool_column == 0:
            o.pool_column = run.out_width
            o.pool_y += 1
            o.pool_lines -= last
            if o.pool_lines == 0:
                o.pool_y, o.pool_lines = 0, run.out_lines
    return last


@jit
def step(o: Record, run: Record, item: int, takes: bool) -> None:
    """Take it one cycle on; the items of a window's last position go on to the encoder.

    ``item`` is the one that it takes in this cycle, or -1, and ``takes`` says that what is behind it takes one.
    """
    last = False
    if run.pool == OVERLAPPING_POOL:
        into = _takes(o, 1, takes)
        if item >= 0:
            last = _along_columns(o, run, item)
        given, last_line = _stage(o, 0, item, last, into), False
        if given >= 0:
            last_line = _along_lines(o, run, given)
        given = _stage(o, 1, given, last_line, takes)
    else:
        window = run.pool * run.pool
        if item >= 0:
            last = o.pool_position == window - 1
            if item & LAST_GROUP and item & LAST_T:
                o.pool_position = (o.pool_position + 1) % window
        given = _stage(o, 0, item, last, takes)
    if given >= 0 and not run.int_bytes:
        o.e_valid, o.e_item = 1, given
