"""The write master and the memory's write channels (hw.axi_write, cosim/rtl/axi_memory.sv)."""

from __future__ import annotations

from .state import RING, jit


@jit
def _fits(c, o):
    """The word at the packer joins the open burst."""
    joins = o.o_word + o.output == o.burst + o.count and (o.burst + o.count) % c.burst != 0
    return o.count == 0 or (joins and not o.finished)


@jit
def _room(c, o, t):
    """The queue of closed bursts takes one: the oldest stands in its output register."""
    shown = o.b_in != o.b_out and o.b_time[o.b_out % RING] <= t
    return o.b_in - o.b_out - shown < c.write_bursts


@jit
def takes(c, o, room):
    """Whether a word of the packer would be taken in this cycle."""
    return (_fits(c, o) or room) and o.words < c.write_words


@jit
def idle(o):
    """No word is stored and every burst is answered."""
    return o.waiting == 0 and o.count == 0 and o.b_in == o.b_out


@jit
def step(c, o, t):
    """One cycle; before the packer's, whose word it takes."""
    room = _room(c, o, t)
    taken = o.o_valid and takes(c, o, room)
    beat = o.sending and o.words_ready and o.w_in != o.w_out and o.a_in - o.a_out < 16 and o.w_gap == 0
    free = not o.sending or (beat and o.left == 0)
    answered = o.bvalid
    # The memory
    o.bvalid = 0
    if o.a_in != o.a_out and t >= o.a_time[o.a_out % RING]:
        o.bvalid = 1
        o.a_out += 1
    if o.w_gap:
        o.w_gap -= 1
    accepts = o.w_in - o.w_out < c.accepted
    if beat:
        o.w_gap = c.gap
        o.words_ready = 0
        if o.left == 0:
            o.w_out += 1
            o.a_time[o.a_in % RING] = t + c.latency
            o.a_in += 1
        o.left -= 1
    addressed = o.awvalid and o.awready
    if addressed:
        o.w_in += 1
    o.awready = accepts
    # Bursts begun; lengths wait for their data
    begins = o.b_in != o.b_out and o.b_time[o.b_out % RING] <= t and o.waiting < 16 and (not o.awvalid or addressed)
    if addressed:
        o.awvalid = 0
    if free:
        o.sending = 0
        if o.l_in != o.l_out and o.l_time[o.l_out % RING] <= t:
            o.sending, o.left = 1, o.l_length[o.l_out % RING]
            o.l_out += 1
    if begins:
        o.awvalid = 1
        o.l_time[o.l_in % RING], o.l_length[o.l_in % RING] = t + 2, o.b_length[o.b_out % RING]
        o.l_in += 1
        o.b_out += 1
    o.waiting += begins - answered
    if not o.words_ready and o.words:
        o.words_ready = 1
        o.words -= 1
    # Words join a burst
    fits = _fits(c, o)
    close = o.count and (o.finished or o.age == c.write_age or (o.o_valid and not fits))
    closed = close and room
    if o.age < c.write_age:
        o.age += 1
    if closed:
        o.b_time[o.b_in % RING], o.b_length[o.b_in % RING] = t + 2, o.count - 1
        o.b_in += 1
    if taken:
        o.age = 0
        if o.count == 0 or closed:
            o.burst, o.count = o.o_word + o.output, 1
        else:
            o.count += 1
        o.finished = o.o_last
        o.words += 1
    elif closed:
        o.count = o.finished = 0
    return taken
