"""Steps the whole accelerator through a program cycle by cycle, each time from one RUN to the next."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.processor.issue import STEAL_AFTER
from ...support.kernels import kernel
from . import in_flight, state
from .blocks import addends, axi, im2col, joins, neurons, output, pool, processor, psum, sorter, weights
from .blocks import sequencer as control
from .blocks.neurons import SUM
from .commands import program_of
from .parameters import STEPS, WORDS, parameters
from .run_data import RunData, no_rows
from .state import PSUM_ROW, Record, jit, merged

STANDSTILL = 100
"""How many times as long a RUN may take as all its work one after the other; after that the model counts as stuck."""

RING = 1 << 16
"""Cycles of which a log is kept before it is taken out."""

RECORDS = (
    state.BUS, state.SEQUENCER, state.LOADER, state.FRONT, state.WEIGHT, state.SORT, state.PROCESSOR, state.DRAIN,
    state.NEURONS, state.OUTPUT, state.ADDEND,
)  # fmt: skip


@merged
def _leave(
    c: Record,
    p: Record,
    dr: Record,
    nr: Record,
    out: Record,
    data: RunData,
    run: Record,
    write_takes: bool,
    t: int,
) -> None:
    """Do what lies between the partial sums and the write master, from its end to its beginning."""
    leaves = output.results(c, nr, out, run, run.interleaved != 0, write_takes)
    neurons.advance(nr, run, leaves)
    ready = neurons.select(nr, run)
    if dr.o_valid and ready:
        dr.events = PSUM_ROW
        neurons.take(nr, dr.o_last_plane, dr.o_last_position, dr.o_last)
    psum.step(c, p, dr, data, run.groups, ready, t)


@merged
def _core(
    c: Record,
    ft: Record,
    w: Record,
    so: Record,
    p: Record,
    dr: Record,
    nr: Record,
    out: Record,
    data: RunData,
    front: Record,
    run: Record,
    may_write: bool,
    t: int,
) -> None:
    """Do what lies between im2col's queue of rows and the write channels, from its end to its beginning.

    A block comes before those that feed it, so that it sees what they offered when the cycle began.
    """
    write_takes = axi.write_step(c, out, may_write, t)
    p.hold = psum.wants(c, dr, data)
    p.inside = p.valid[0] or p.valid[1] or p.buffer_busy.any() or dr.o_valid
    for step in range(1 + c.no_neurons * (STEPS - 1)):
        waits = dr.running or nr.full or nr.inside or nr.ro_valid or out.skid_full or pool.busy(out) or out.e_valid
        if step > 0 and not waits:
            break
        _leave(c, p, dr, nr, out, data, run, write_takes and step == 0, t)
        if step == 0:
            psum.update(c, p, data)
    takes = sorter.detect(c, so, data, t)
    processor.contexts(c, p, so, w, data, t)
    claimed, tile = processor.issue(c, p, so, data, t)
    processor.scoreboard(c, p, so, w, dr, data, claimed, tile, t)
    if c.no_psum:
        _reuse_at_once(c, p, so, data)
    room = c.queue_depth - c.margin
    so.d_room = so.level[0] <= room and so.level[1] <= room and so.level[2] <= room
    taken = sorter.pick(c, so, takes)
    accept = sorter.visit(c, so, data, taken)
    if c.no_detector:
        so.t_valid = so.t_valid and not accept
        sorter.search_at_once(c, so, data, t)
    sorter.load(c, ft, w, front, so, data, accept, t)
    for n in range(1 + c.banks):
        sorter.fifo(so, n, data.push[n, t % state.RING])
        data.push[n, t % state.RING] = 0


@jit
def _reuse_at_once(c: Record, p: Record, so: Record, data: RunData) -> None:
    """Do all reuse rows whose prefix is finished, as idealized partial sums allow."""
    for b in range(c.banks):
        still = 0
        while still < 4:  # as many steps can pass before the FIFO shows another row
            moved = processor.reuse_one(p, so, data, b)
            sorter.fifo(so, state.REUSE + b, 0)
            still = 0 if moved else still + 1


@jit
def _rows_at_once(c: Record, ft: Record, w: Record, so: Record, data: RunData, front: Record, t: int) -> None:
    """Build and load in one cycle all rows for which there is room, as an idealized im2col does."""
    still = 0
    while still < 4:  # as many steps can pass before one of its registers is seen to move another
        before = ft.t_row + ft.t_left + ft.in_ + ft.out + ft.segment + ft.g_left + ft.g_k + ft.g_count
        full = ft.full[ft.t_read]
        im2col.table(c, ft, front, False)
        im2col.build(c, ft, front, data.segments, full, t)
        im2col.scan(c, ft, front, data.segments, False)
        sorter.load(c, ft, w, front, so, data, False, t)
        after = ft.t_row + ft.t_left + ft.in_ + ft.out + ft.segment + ft.g_left + ft.g_k + ft.g_count
        still = still + 1 if after == before else 0


@kernel(error_model="numpy", nogil=True, _nrt=False)
def _simulate(
    c: Record,
    program: np.ndarray,
    records: tuple[Record, ...],
    data: RunData,
    ends: np.ndarray,
    starts: np.ndarray,
    work: np.ndarray,
    log: np.ndarray,
    last: int,
    t: int,
    limit: int,
) -> int:
    """Run the accelerator from cycle ``t`` until the next RUN's rows start or END is reached, and return that cycle.

    If ``last`` is the number of a RUN, its end is waited for instead, before which no rows of the next one start. If
    nothing happens before ``limit``, that is returned. What happens in a cycle goes into the ring ``log``, unless that
    is empty.
    """
    bus, s, load, ft, w, so, p, dr, nr, out, ad = records
    began = s.rows_start >= 0
    while t < limit:
        run = program[s.run]
        hold = s.prepared and not load.waits and (load.ask_left > 0 or bus.left[2] > 0 or bus.offer[2] > 0)
        hold = hold and (not c.overlap or not s.run_busy or control.rows_busy(load))
        front_busy = ft.left > 0 or weights.busy(w)
        busy, older, written = s.run_busy, axi.older_idle(out), axi.idle(out)
        takes = control.dispatch(c, s, load, program, front_busy, out.done, written, c.overlap and last < 0, t)
        ended = busy and not s.run_busy
        if ended:
            ends[s.taken_run] = t + 1
        if s.run_start == t:
            psum.begin(dr, run, t)
            output.begin(out, run)
            starts[s.run] = t
        front = program[s.front]
        full = ft.full[ft.t_read]
        im2col.table(c, ft, front, s.front_start == t)
        if began or s.rows_start == t:
            im2col.build(c, ft, front, data.segments, full, t)
            im2col.scan(c, ft, front, data.segments, s.rows_start == t)
            _core(c, ft, w, so, p, dr, nr, out, data, front, run, t >= s.may_write, t)
            if c.no_im2col:
                _rows_at_once(c, ft, w, so, data, front, t)
            psum.mark(p, data, work, t)
        weights.weights(c, w, bus, front, data, s.front_start == t, t)
        control.loads(c, s, load, bus, program, busy, older, written and not busy, t)
        if c.addend_groups:
            addends.step(c, ad, nr, bus, run, s.run_start == t)
        joins.step(c, out, bus, run, s.run_start == t)
        control.fetch(c, s, bus, program, takes, t)
        for _ in range(1 + c.no_memory * (WORDS - 1)):
            axi.read_step(c, bus, s.holds, t)
        s.holds = hold  # the arbiter knows it a cycle later
        if len(log):
            state.collect(log, t, bus, s, w, so, p, dr, out)
        t += 1
        if s.rows_start == t or s.finished or (ended and s.taken_run == last):
            break
    return t


class Machine:
    """The accelerator at work on a program, one RUN after the other.

    Parameters
    ----------
    program : (opcode, fields) of every command
    config : HardwareConfig
    word : address of the first command in bus words
    latency, gap : cycles of the memory from an address to its first beat, and its idle cycles after every beat
    log : keep what happens in every cycle
    older : steps that the hardware is to lack (:data:`reprise.estimate.cycles.parameters.OLDER`)

    Members
    -------
    starts, ends : int64[commands], the cycles in which a RUN starts and ends, counted from the host's start
    work : int64[2, commands], the first and the last cycle of a RUN in which a partial sum is computed or updated
    log : pairs (cycles, events) of int64 arrays: the bits of :data:`reprise.estimate.cycles.state.EVENTS` that were set
        from a cycle on until the next one; empty unless it was asked for
    """

    def __init__(
        self, program: list, config: HardwareConfig, *, word: int, latency: int, gap: int, log: bool = False,
        older: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._memory = config, latency, gap
        self._config = parameters(config, latency, gap, older=older)
        self._program = program_of(program, config)
        self._ring, self.log = np.zeros(RING if log else 0, np.int64), list[tuple[np.ndarray, np.ndarray]]()
        self.starts = np.zeros(len(program), np.int64)
        self.ends = np.zeros(len(program), np.int64)
        self.work = np.zeros((2, len(program)), np.int64)
        self._states = tuple(np.zeros(1, dtype) for dtype in RECORDS)
        _, sequencer, _, front, weight, sort, processor, _, neurons, output, _ = (one[0] for one in self._states)
        sequencer["wanted"], sequencer["address"], sequencer["command"] = 1, word, -1
        sequencer["load"] = sequencer["front_start"] = sequencer["rows_start"] = sequencer["run_start"] = -1
        front["credits"], weight["release"] = self._config[0]["rows_queue"], -1
        sort["first"] = 1
        for name in ("stage", "active", "finish_tile", "hold", "reuse"):
            processor[name] = -1
        processor["fresh"], processor["steal_left"] = 1, STEAL_AFTER
        neurons["stages"] = SUM + 1 + config.level_bits
        neurons["pipe"], neurons["room"] = -1, 1
        output["done"] = 1
        self._rows = no_rows()
        self._cycle = int(self._config[0]["begin"])

    def fork(self, ideal: Collection[str] = ()) -> Machine:
        """Return a machine that goes on from here by itself, with some blocks idealized.

        Parameters
        ----------
        ideal : names of :data:`reprise.estimate.cycles.parameters.IDEAL`
        """
        twin = copy(self)
        twin._ring = np.zeros(0, np.int64)
        twin._config = parameters(*self._memory, ideal)
        twin._states = tuple(one.copy() for one in self._states)
        twin._rows = in_flight.twin(self._rows)
        twin.starts, twin.ends, twin.work = self.starts.copy(), self.ends.copy(), self.work.copy()
        return twin

    def advance(self, data: RunData | None, *, stops: bool = False) -> int:
        """Go on until the rows of the next RUN start or END is reached, and return the cycle.

        ``data`` holds the rows of the RUN that begins now. It is None before the first one, and after a stop. With
        ``stops``, the end of this RUN is waited for, before which no rows of the next one start.

        Raises
        ------
        RuntimeError
            This never happens, which means that the model contradicts itself.
        """
        c, front = self._config[0], int(self._states[1][0]["front"])
        run, last = self._program[front], front if stops else -1
        if data is not None:
            counting = {"sort": self._states[5][0], "processor": self._states[6][0], "drain": self._states[7][0]}
            self._rows = in_flight.follow(self._rows, data, counting)
        data = self._rows
        work = data.bits.sum() + len(data.rows) + data.beats.sum() * data.segments.max(initial=0)
        work += len(data.order) * run["groups"] * (run["out_planes"] + run["int_bytes"] + run["addend_bytes"])
        work += len(data.beats) * run["tile_depth"] * run["weight_beats"]
        work += (self._program["beats"] * self._program["chunks"]).sum() + len(self._program) * (c["latency"] + 100)
        limit = self._cycle + STANDSTILL * int(work) * (1 + int(c["gap"]))
        records = tuple(one[0] for one in self._states)
        marks = self.ends, self.starts, self.work
        while True:
            first, end = self._cycle, min(limit, self._cycle + (len(self._ring) or limit))
            self._cycle = int(_simulate(c, self._program, records, data, *marks, self._ring, last, first, end))
            if self._cycle >= limit:
                raise RuntimeError(f"the cycle model stands still: nothing taken up to cycle {limit}")
            if len(self._ring):
                self._keep(first)
            s = self._states[1][0]
            if self._cycle in (s["rows_start"], self.ends[front] if stops else -1) or s["finished"]:
                return self._cycle

    def _keep(self, first: int) -> None:
        """Take what happened from a cycle on until now out of the ring, and keep the cycles in which it changed."""
        cycles = np.arange(first, self._cycle)
        events = self._ring[cycles % len(self._ring)]
        changes = np.flatnonzero(np.diff(events, prepend=-1))
        self.log.append((cycles[changes], events[changes]))

    @property
    def cycles(self) -> int:
        """Cycles of the whole job, from the host's start to the interrupt, once END has been reached."""
        return int(self._states[1][0]["finished"] + self._config[0]["finish"])
