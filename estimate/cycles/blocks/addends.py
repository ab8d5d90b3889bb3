"""The loader of addends (hw.loader.addends), and the queue in which they wait in front of the neurons."""

from __future__ import annotations

from ..state import ADDENDS, Record, jit
from . import axi as read


@jit
def step(c: Record, a: Record, nr: Record, bus: Record, run: Record, starts: bool) -> None:
    """Take the loader one cycle on, after the neurons; ``starts`` says that the run starts in this cycle."""
    size = run.channels * run.addend_bytes
    gives = a.valid and a.level < c.addend_groups
    a.level += gives - nr.popped
    nr.popped = 0
    nr.addends += gives
    _unpack(c, a, bus, run, size, gives)
    if a.asks and bus.left[ADDENDS] == 0:
        read.ask(bus, ADDENDS, a.at_t, -(-8 * size // c.bus_bits))
        _next_string(a, run)
    if starts:
        a.asks = run.addend_bytes > 0
        a.at_t = a.at_x = a.at_y = a.at_image = run.addend


@jit
def _unpack(c: Record, a: Record, bus: Record, run: Record, size: int, gives: bool) -> None:
    """Take a bus word where there is room for it, and cut it into groups, of which one leaves if it ``gives`` one."""
    bits = 8 * run.addend_bytes * c.neuron_lanes
    last_group = a.group + 1 == run.groups
    ends = last_group or (a.part + 1) * bits >= c.bus_bits  # what is held is worked off
    takes = run.addend_bytes and bus.ready[ADDENDS] and (not a.valid or (gives and ends))
    if gives:
        a.part = 0 if ends else a.part + 1
        a.group = 0 if last_group else a.group + 1
        a.valid = not ends
    if not takes:
        return
    read.pop(bus, ADDENDS)
    a.before += c.bus_bits // 8
    a.word += 1
    a.valid = a.word * c.bus_bits >= bits or a.before >= size
    if a.valid:
        a.word = 0
    if a.before >= size:
        a.before = 0


@jit
def _next_string(a: Record, run: Record) -> None:
    """Go to the next string: timesteps are innermost, followed by positions, image rows and images."""
    a.t += 1
    a.at_t += run.addend_t
    if a.t < run.timesteps:
        return
    a.t = 0
    a.x += 1
    a.at_t = a.at_x = a.at_x + run.addend_x
    if a.x < run.out_width:
        return
    a.x = 0
    a.y += 1
    a.at_t = a.at_x = a.at_y = a.at_y + run.addend_y
    if a.y < run.out_lines:
        return
    a.y = 0
    a.image += 1
    a.at_t = a.at_x = a.at_y = a.at_image = a.at_image + run.addend_image
    if a.image == run.images:
        a.image = a.asks = 0
