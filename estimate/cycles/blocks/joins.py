"""The loader of stored levels (hw.output.joins), which the output adds to those of the neurons."""

from __future__ import annotations

from ..state import JOINS, Record, jit
from . import axi as read

WALK, LEVELS = 0, 1
"""Those who count chunks: the walk that asks for words, and what makes levels of them."""


@jit
def step(c: Record, o: Record, bus: Record, run: Record, starts: bool) -> None:
    """Take the loader one cycle on, after the output; ``starts`` says that the run starts in this cycle."""
    if run.join_planes:
        _levels(c, o, bus, run)
        _walk(c, o, bus, run)
    o.j_popped = 0
    if starts:
        for n in (WALK, LEVELS):
            o.j_busy[n] = run.join_planes > 0


@jit
def _walk(c: Record, o: Record, bus: Record, run: Record) -> None:
    """Go over chunks, and ask for the words of which they are the first to have bits."""
    free = not o.j_asks or bus.left[JOINS] == 0
    if o.j_asks and free:
        read.ask(bus, JOINS, 0, 1)  # a burst of one word takes as long wherever it lies
    wants = o.j_busy[WALK] and _wants(c, o, WALK, run)
    if o.j_busy[WALK] and (free or not wants):
        _next_chunk(c, o, WALK, run)
    if free:
        o.j_asks = wants


@jit
def _levels(c: Record, o: Record, bus: Record, run: Record) -> None:
    """Cut chunks out of the words, and gather the planes of a group, of which the last one completes it."""
    step = o.j_cut and (not o.j_valid or o.j_popped)
    leave = o.j_held and (not o.j_fresh or bus.ready[JOINS]) and (not o.j_cut or step)
    if step or o.j_popped:
        o.j_valid = step and o.j_cut_last
    if leave:
        if o.j_fresh:
            read.pop(bus, JOINS)
        o.j_cut_last = o.j_last
    o.j_cut = leave or (o.j_cut and not step)
    accept = o.j_busy[LEVELS] and (not o.j_held or leave)
    o.j_held = accept or (o.j_held and not leave)
    if accept:
        o.j_fresh, o.j_last = _wants(c, o, LEVELS, run), o.j_plane[LEVELS] + 1 == run.join_planes
        _next_chunk(c, o, LEVELS, run)


@jit
def _width(c: Record, o: Record, n: int, run: Record) -> int:
    return run.last_width if o.j_group[n] + 1 == run.groups else c.neuron_lanes


@jit
def _wants(c: Record, o: Record, n: int, run: Record) -> bool:
    """Return whether a chunk has bits of a word of which no chunk before it had any."""
    fill = o.j_bit[n] % c.bus_bits
    return fill == 0 or fill + _width(c, o, n, run) > c.bus_bits


@jit
def _next_chunk(c: Record, o: Record, n: int, run: Record) -> None:
    """Go to the next chunk: planes are innermost, followed by groups, timesteps, positions, lines and images."""
    o.j_plane[n] += 1
    if o.j_plane[n] < run.join_planes:
        return
    o.j_plane[n] = 0
    bit = o.j_bit[n] + _width(c, o, n, run)
    o.j_bit[n] = bit
    o.j_group[n] += 1
    if o.j_group[n] < run.groups:
        return
    o.j_group[n] = 0
    o.j_bit[n] = o.j_position_bit[n]
    o.j_t[n] += 1
    if o.j_t[n] < run.timesteps:
        return
    o.j_t[n] = 0
    o.j_bit[n] = o.j_position_bit[n] = bit
    o.j_x[n] += 1
    if o.j_x[n] < run.out_width:
        return
    o.j_x[n] = o.j_bit[n] = o.j_position_bit[n] = 0
    o.j_lines[n] += 1
    if o.j_lines[n] == run.out_lines * run.images:
        o.j_lines[n] = o.j_busy[n] = 0
