"""Readers, arbiter and memory of the read channels (hw.axi_read, cosim/rtl/axi_memory.sv)."""

from __future__ import annotations

from .state import RING, jit


@jit
def pop(bus, reader):
    """Take a word that stands at a reader's output (``bus.ready``)."""
    bus.ready[reader] = 0
    bus.leaves[reader] = 1


@jit
def ask(bus, reader, word, beats):
    """Begin a request; the reader must be free (``bus.left`` is 0). It sees it from the next cycle on."""
    bus.new_word[reader] = word
    bus.new_beats[reader] = beats


@jit
def _answer(c, bus, t):
    """The memory: a beat for the next cycle, a burst accepted in this one."""
    beat = 0
    if bus.in_ != bus.out and t >= bus.time[bus.out % RING] and bus.gap_left == 0:
        head = bus.out % RING
        if bus.beats_left == 0:
            bus.beats_left = bus.beats[head]
        beat = bus.owner[head] + 1
        bus.beats_left -= 1
        bus.gap_left = c.gap
        if bus.beats_left == 0:
            bus.out += 1
            beat += 10  # the burst's last
    elif bus.gap_left > 0:
        bus.gap_left -= 1
    return beat


@jit
def step(c, bus, hold_weights, t):
    """One cycle, after everybody took words and began requests."""
    # Words that came fill the readers' buffers; their FIFOs refill the output register.
    for r in range(3):
        if not bus.ready[r] and bus.stored[r] > 0:
            bus.ready[r] = 1
            bus.stored[r] -= 1
    if bus.rvalid:
        bus.stored[bus.rvalid % 10 - 1] += 1
        if bus.rvalid > 10:
            bus.owners -= 1
    accepts = bus.in_ - bus.out < c.accepted
    bus.rvalid = _answer(c, bus, t)
    # Address channel
    free = bus.owners < c.outstanding and (not bus.arvalid or bus.arready)
    if bus.arvalid and bus.arready:
        at = bus.in_ % RING
        bus.time[at], bus.beats[at], bus.owner[at] = t + c.latency, bus.arvalid, bus.arowner
        bus.in_ += 1
        bus.arvalid = 0
    bus.arready = accepts
    granted = -1
    for r in range(3):
        if granted < 0 and free and bus.offer[r] and not (r == 1 and hold_weights):
            granted = r
    if granted >= 0:
        bus.arvalid, bus.arowner = bus.offer[granted], granted
        bus.owners += 1
        bus.offer[granted] = 0
    # Readers cut their requests into bursts that end at multiples of ``burst``.
    for r in range(3):
        beats = min(bus.left[r], c.burst - bus.word[r] % c.burst)
        offers = beats > 0 and c.reader_depth[r] - bus.reserved[r] >= beats and bus.offer[r] == 0
        bus.reserved[r] -= bus.leaves[r]
        bus.leaves[r] = 0
        if offers:
            bus.offer[r] = beats
            bus.reserved[r] += beats
            bus.word[r] += beats
            bus.left[r] -= beats
        if bus.new_beats[r]:
            bus.word[r], bus.left[r] = bus.new_word[r], bus.new_beats[r]
            bus.new_beats[r] = 0
