"""The command fetch, the job scheduler and the loader: hw.sequencer.fetch, hw.sequencer.scheduler, hw.loader.loader."""

from __future__ import annotations

import numpy as np

from ....hw.arch.program import OPCODES, Wait
from ..state import COMMAND_TAKEN, FETCH, LOAD_BUSY, LOADS, RING, Record, jit
from . import axi as read

END, BARRIER, RUN = OPCODES["END"], OPCODES["BARRIER"], OPCODES["RUN"]
ALL = Wait.ALL.value
FEATURES, SEGMENTS, PARAMS = OPCODES["LOAD_FEATURES"], OPCODES["LOAD_SEGMENTS"], OPCODES["LOAD_PARAMS"]


@jit
def loads_idle(load: Record) -> bool:
    """Return whether no load is under way."""
    unpack = load.feature_valid or load.segment_valid or load.param_full or load.param_valid
    return not (load.ask_left or load.waits or load.stored or load.ready or load.left or unpack)


@jit
def rows_busy(load: Record) -> bool:
    """Return whether a load is under way that is not of parameters, or is followed by another one."""
    if load.waits or load.stored or load.ready or load.feature_valid or load.segment_valid:
        return True
    return (load.left or load.ask_left) and not (load.left and load.job == PARAMS)


@jit
def dispatch(
    c: Record,
    s: Record,
    load: Record,
    program: np.ndarray,
    front_busy: bool,
    run_done: bool,
    writes_idle: bool,
    ahead: bool,
    t: int,
) -> bool:
    """Issue the command that is complete and checked, and return whether it is taken.

    ``ahead`` says that the rows of a RUN may start before the RUN before has ended.

    It comes first in a cycle, because it must see only what the registers held.
    """
    used, busy, prepared = s.front_used, s.run_busy, s.prepared
    idle = loads_idle(load)
    if not front_busy and s.front_start != t and not prepared:
        s.front_used = 0
    if busy and s.run_start != t and run_done and not used:
        s.run_busy = 0
    s.load = -1
    s.events = LOAD_BUSY * (not idle)
    if not s.valid:
        return False
    takes, command = False, s.command
    opcode = program[command].opcode
    if opcode == RUN:
        if not prepared and not used and t >= s.checked:
            s.prepared, s.front_start, s.front = 1, t + 1, command
            s.checked = t + 1 + c.product_cycles
        if prepared and idle and not busy:
            takes = True
            s.may_write = s.checked + 1
            s.run_start, s.run_busy, s.prepared, s.front_used = t + 1, 1, 0, 1
            if not s.rows_ahead:
                s.rows_start = t + 1
            s.rows_ahead = 0
            s.run = command
            s.taken_run = command
        elif ahead and prepared and not s.rows_ahead and not rows_busy(load) and t >= s.checked:
            s.rows_start, s.rows_ahead = t + 1, 1
    elif opcode == BARRIER or opcode == END:
        if idle and not busy and writes_idle:
            takes = opcode == BARRIER
            if opcode == END:
                s.finished = t
    elif load.ask_left == 0 and load.stored < c.load_jobs:
        takes = True
        s.load = command
    s.events |= COMMAND_TAKEN * takes
    return takes


@jit
def fetch(c: Record, s: Record, bus: Record, program: np.ndarray, takes: bool, t: int) -> None:
    """Bring the next command into its register; when it has been checked, ask for the one behind it."""
    if c.no_loads:
        if takes or not s.valid:
            s.valid = 1
            s.command += 1
        bus.left[FETCH] = s.wanted = s.checking0 = s.checking1 = 0
        if bus.ready[FETCH]:
            read.pop(bus, FETCH)
        return
    end = False
    if bus.ready[FETCH] and not s.valid and not s.checking0 and not s.checking1:
        read.pop(bus, FETCH)
        s.beat += 1
        end = s.beat == c.command_words
        if end:
            s.beat = 0
    if s.wanted and bus.left[FETCH] == 0:
        read.ask(bus, FETCH, s.address, c.command_words)
        s.wanted = 0
        s.address += c.command_words
    if s.checking1:
        s.valid = 1
        s.command += 1
        s.ahead = program[s.command].opcode != END
        s.wanted = s.ahead
    s.checking1, s.checking0 = s.checking0, end
    if takes:
        s.valid = 0
        if not s.ahead:
            s.wanted = 1


@jit
def _unpack(c: Record, load: Record, words: int, takes_params: bool) -> bool:
    """Let the unpackers give out what they hold, and return whether the one of the job's kind takes a bus word.

    ``takes_params`` says that the neurons take a group of parameters.
    """
    kind = load.job
    ready = False
    if load.feature_valid:  # the parts of a bus word leave one per cycle
        load.feature_index += 1
        if load.feature_index == c.feature_parts:
            load.feature_valid = load.feature_index = 0
    if load.segment_valid:
        load.segment_index += 1
        if load.segment_index == c.segment_parts:
            load.segment_valid = load.segment_index = 0
    if kind == FEATURES:
        ready = not load.feature_valid
    elif kind == SEGMENTS:
        ready = not load.segment_valid
    elif c.param_words > 1:  # a group is gathered from several bus words
        leave = load.param_full == c.param_words and (takes_params or load.param_left == 0)
        ready = load.param_full < c.param_words or leave
        if leave:
            load.param_full = 0
            load.param_left -= load.param_left > 0
    else:  # a bus word holds one or more groups
        leave = load.param_valid and (takes_params or load.param_left == 0)
        if leave:
            load.param_left -= load.param_left > 0
            load.param_index += 1
            if load.param_index == c.param_parts:
                load.param_valid = load.param_index = 0
        ready = not load.param_valid
    if not (ready and words and load.left):
        return False
    if kind == FEATURES:
        load.feature_valid = 1
    elif kind == SEGMENTS:
        load.segment_valid = 1
    elif c.param_words > 1:
        load.param_full += 1
    else:
        load.param_valid = 1
    return True


@jit
def loads(
    c: Record,
    s: Record,
    load: Record,
    bus: Record,
    program: np.ndarray,
    run_busy: bool,
    older: bool,
    all_: bool,
    t: int,
) -> None:
    """Ask for data chunk by chunk and unpack it job by job; neuron parameters wait until no run needs the old ones.

    ``older`` and ``all_`` say whether the writes of older runs, and of all, have been answered.
    """
    waits = load.waits
    if waits and (all_ if waits == ALL else older):
        load.waits = 0
    if s.load >= 0 and program[s.load].wait:
        load.waits = program[s.load].wait
    if c.no_loads:
        bus.left[LOADS] = load.ask_left = load.stored = load.ready = load.left = 0
        load.feature_valid = load.segment_valid = load.param_full = load.param_valid = 0
        if bus.ready[LOADS]:
            read.pop(bus, LOADS)
        return
    if load.ask_left and not waits and bus.left[LOADS] == 0:
        read.ask(bus, LOADS, load.ask_word, load.ask_beats)
        load.ask_left -= 1
        load.ask_word += load.ask_stride
    starts = load.ready and not load.left and loads_quiet(load)
    if _unpack(c, load, bus.ready[LOADS], not run_busy):
        read.pop(bus, LOADS)
        load.beats -= 1
        if load.beats == 0:
            load.left -= 1
            load.beats = program[load.jobs[(load.out - 1) % RING]].beats
    if starts:
        job = program[load.jobs[load.out % RING]]
        load.out += 1
        load.ready = 0
        load.left, load.beats, load.job, load.param_left = job.chunks, job.beats, job.opcode, job.items
    if not load.ready and load.stored:
        load.ready = 1
        load.stored -= 1
    if s.load >= 0:
        job = program[s.load]
        load.jobs[load.in_ % RING] = s.load
        load.in_ += 1
        load.stored += 1
        load.ask_left, load.ask_word = job.chunks, job.word
        load.ask_beats, load.ask_stride = job.beats, job.stride


@jit
def loads_quiet(load: Record) -> bool:
    """Return whether nothing is being unpacked."""
    return not (load.feature_valid or load.segment_valid or load.param_full or load.param_valid)
