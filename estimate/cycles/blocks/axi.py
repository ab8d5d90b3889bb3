"""The AXI masters and the simulated memory: reprise.hw.axi.read and write, and cosim/bench/rtl/axi_memory.sv."""

from __future__ import annotations

from ..state import OUTPUT_WORD, READ_BEAT, READERS, RING, WRITE_BEAT, Record, jit


@jit
def pop(bus: Record, reader: int) -> None:
    """Take the word that stands at a reader's output, which ``bus.ready`` says there is."""
    bus.ready[reader] = 0
    bus.leaves[reader] = 1


@jit
def ask(bus: Record, reader: int, word: int, beats: int) -> None:
    """Begin a request to a reader that is free, that is, whose ``bus.left`` is 0; it sees it from the next cycle on."""
    bus.new_word[reader] = word
    bus.new_beats[reader] = beats


@jit
def _answer(c: Record, bus: Record, t: int) -> int:
    """Return the beat that the memory gives in the next cycle.

    It is 0 if there is none, and else its reader's number plus 1, plus 10 if it is the last beat of its burst.
    """
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
            beat += 10
    elif bus.gap_left > 0:
        bus.gap_left -= 1
    return beat


@jit
def read_step(c: Record, bus: Record, hold_weights: bool, t: int) -> None:
    """Take the read channels one cycle on, after all others have taken words and begun requests.

    ``hold_weights`` keeps the arbiter from granting weights.
    """
    # The output registers are refilled before the word of this cycle is stored, because a FIFO shows a word no earlier
    # than in the cycle after it came.
    for r in range(READERS):
        if not bus.ready[r] and bus.stored[r] > 0:
            bus.ready[r] = 1
            bus.stored[r] -= 1
    bus.events = 0
    ended = bus.rvalid > 10
    if bus.rvalid:
        bus.events = READ_BEAT
        bus.stored[bus.rvalid % 10 - 1] += 1
    accepts = bus.in_ - bus.out < c.accepted
    bus.rvalid = _answer(c, bus, t)
    # When the address channel is free, the reader with the lowest number that offers a burst gets it.
    free = bus.owners < c.outstanding and (not bus.arvalid or bus.arready)
    if bus.arvalid and bus.arready:
        at = bus.in_ % RING
        bus.time[at], bus.beats[at], bus.owner[at] = t + c.latency, bus.arvalid, bus.arowner
        bus.in_ += 1
        bus.arvalid = 0
    bus.arready = accepts
    granted = -1
    for r in range(READERS):
        if granted < 0 and free and bus.offer[r] and not (r == 1 and hold_weights):
            granted = r
    if granted >= 0:
        bus.arvalid, bus.arowner = bus.offer[granted], granted
        bus.offer[granted] = 0
    # The owner of the oldest burst has left the queue of owners for its output register.
    shows = bus.owners > 0 and (not bus.owner_shown or ended)
    bus.owners += (granted >= 0) - shows
    bus.owner_shown = shows or (bus.owner_shown and not ended)
    # Readers cut their requests into bursts that end at multiples of ``burst``.
    for r in range(READERS):
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


@jit
def _fits(c: Record, o: Record) -> bool:
    """Return whether the word that waits longest joins the open burst."""
    joins = o.queued_word[0] == o.burst + o.count and (o.burst + o.count) % c.burst != 0
    return o.count == 0 or (joins and not o.finished)


@jit
def _room(c: Record, o: Record, t: int) -> bool:
    """Return whether the queue of closed bursts takes one; the oldest burst stands in its output register."""
    shown = o.b_in != o.b_out and o.b_time[o.b_out % RING] <= t
    return o.b_in - o.b_out - shown < c.write_bursts


@jit
def idle(o: Record) -> bool:
    """Return whether no word is stored and every burst has been answered."""
    return o.waiting == 0 and o.count == 0 and o.b_in == o.b_out and o.queued == 0


@jit
def older_idle(o: Record) -> bool:
    """Return whether every burst of the runs before the one that started last has been answered."""
    return o.runs <= 1


@jit
def write_step(c: Record, o: Record, may_write: bool, t: int) -> bool:
    """Take the write channels one cycle on and return whether the queue in front of them takes the packer's word.

    It takes none of a run before all its rules are worked out (``may_write``).

    It comes before the packer's own function, because it takes the word that stood there.
    """
    room = _room(c, o, t)
    queues = may_write and o.o_valid and o.queued < len(o.queued_word)
    taken = o.queued > 0 and room and o.words < c.write_words
    beat = o.sending and o.words_ready and o.w_in != o.w_out and o.a_in - o.a_out < c.memory_depth and o.w_gap == 0
    free = not o.sending or (beat and o.left == 0)
    answered = o.bvalid
    if answered:
        o.runs -= o.b_last[o.answers % RING]
        o.answers += 1
    # The memory answers bursts, and takes addresses and data.
    o.bvalid = 0
    if o.a_in != o.a_out and t >= o.a_time[o.a_out % RING]:
        o.bvalid = 1
        o.a_out += 1
    if o.w_gap:
        o.w_gap -= 1
    accepts = o.w_in - o.w_out < c.accepted
    o.events = WRITE_BEAT * beat | OUTPUT_WORD * queues
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
    # Bursts begin with their address, and their lengths wait in a queue until their data is sent.
    oldest = o.b_in != o.b_out and o.b_time[o.b_out % RING] <= t
    begins = oldest and o.waiting < c.write_bursts and (not o.awvalid or addressed)
    if addressed:
        o.awvalid = 0
    if free:
        o.sending = 0
        if o.l_in != o.l_out and o.l_time[o.l_out % RING] <= t:
            o.sending, o.left = 1, o.l_length[o.l_out % RING]
            o.l_out += 1
    if begins:
        o.awvalid = 1
        o.l_time[o.l_in % RING], o.l_length[o.l_in % RING] = t + c.write_latency, o.b_length[o.b_out % RING]
        o.l_in += 1
        o.b_out += 1
    o.waiting += begins - answered
    if not o.words_ready and o.words:
        o.words_ready = 1
        o.words -= 1
    # Words join the open burst or begin a new one.
    fits = _fits(c, o)
    close = o.count and (o.finished or o.age == c.write_age or (o.queued > 0 and not fits))
    closed = close and room
    if o.age < c.write_age:
        o.age += 1
    if closed:
        o.b_time[o.b_in % RING], o.b_length[o.b_in % RING] = t + c.write_latency, o.count - 1
        o.b_last[o.b_in % RING] = o.finished
        o.b_in += 1
    if taken:
        o.age = 0
        if o.count == 0 or closed:
            o.burst, o.count = o.queued_word[0], 1
        else:
            o.count += 1
        o.finished = o.queued_last[0]
        o.words += 1
        o.queued_word[0], o.queued_last[0] = o.queued_word[1], o.queued_last[1]
        o.queued -= 1
    elif closed:
        o.count = o.finished = 0
    if queues:
        o.queued_word[o.queued], o.queued_last[o.queued] = o.o_word + o.output, o.o_last
        o.queued += 1
    return queues
