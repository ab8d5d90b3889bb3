"""The whole accelerator, cycle by cycle: from one RUN's start to the next one's, program in hand."""

from __future__ import annotations

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.processor.issue import PATIENCE as PATIENT
from ...support.kernels import kernel
from . import axi, im2col, neurons, output, processor, psum, sorter, state
from . import axi as read
from . import sequencer as commands
from .parameters import NEURON_STAGES, parameters
from .run_data import RunData, program_of
from .state import Record, jit

PATIENCE = 100
"""A RUN may take so many times the cycles of all its work one after the other; then the model stands still."""

RECORDS = (
    state.BUS, state.SEQUENCER, state.LOADER, state.FRONT, state.SORT, state.PROCESSOR, state.DRAIN, state.NEURONS,
    state.OUTPUT,
)  # fmt: skip


@jit
def _results(c: Record, nr: Record, out: Record, run: Record, interleaved: bool, write_takes: bool) -> bool:
    """From the neurons' output to the write master; whether the neurons' queue hands over its item in this cycle."""
    packs = output.pack_ready(out, write_takes)
    offered = neurons.offered(nr)
    if run.readout:
        chunk, width, ends, leaves = output.readout(c, out, run, offered, packs)
        output.pack(c, out, run, chunk, width, True, ends, True, write_takes)
        return leaves
    chunk, width, last_plane, last_group, last_t, takes = output.encode(c, out, run, packs)
    output.pack(c, out, run, chunk, width, last_plane, last_group, last_t, write_takes)
    ready = output.pool_ready(out, takes)
    item, leaves = -1, False
    if not interleaved:
        leaves = offered >= 0 and ready
        item = offered if leaves else -1
    else:
        full = nr.half_full[nr.w_half]
        if nr.ro_valid and ready:
            item = neurons.LAST_GROUP * nr.ro_group + neurons.LAST_T * nr.ro_last_t
        neurons.reorder_out(nr, run, ready)
        leaves = offered >= 0 and not full
        if leaves:
            neurons.reorder_in(nr, offered)
    output.pool(out, run, item, takes)
    return leaves


@jit
def _core(
    c: Record,
    ft: Record,
    so: Record,
    p: Record,
    dr: Record,
    nr: Record,
    out: Record,
    data: RunData,
    run: Record,
    t: int,
) -> None:
    """Everything between the rows' queue and memory's write channels, from its end to its beginning."""
    write_takes = axi.write_step(c, out, t)
    leaves = _results(c, nr, out, run, data.interleaved, write_takes)
    neurons.advance(nr, run, leaves)
    ready = neurons.select(nr, run)
    if dr.o_valid and ready:
        neurons.take(nr, dr.o_last_position, dr.o_last)
    p.hold = psum.wants(c, dr, data)
    psum.step(c, p, dr, data, run.groups, ready)
    takes = sorter.detect(c, so, data, t)
    processor.contexts(c, p, so, ft, data, run, t)
    claimed, tile = processor.issue(c, p, so, data, t)
    processor.scoreboard(c, p, so, ft, dr, data, run, claimed, tile, t)
    room = c.queue_depth - c.margin
    so.d_room = so.level[0] <= room and so.level[1] <= room and so.level[2] <= room
    taken = sorter.pick(c, so, takes)
    accept = sorter.visit(c, so, data, taken)
    sorter.load(c, ft, so, data, accept, t)
    for n in range(1 + c.banks):
        sorter.fifo(so, n, data.push[n, t % state.RING])
        data.push[n, t % state.RING] = 0


@jit
def _begin(c: Record, so: Record, p: Record, dr: Record, nr: Record, out: Record, run: Record) -> None:
    """A run's numbers of rows and tiles begin at 0; of everything else nothing is left from the run before."""
    so.tile = so.loaded = so.released = so.row = so.begun_tiles = so.c_class = so.v_visit = 0
    p.entered = p.c_head = p.oldest = p.closing = 0
    p.r_head[:] = 0
    p.held[:] = 0
    dr.m = 0
    out.output = run.output
    output.begin(out)


@kernel(error_model="numpy")
def _simulate(
    c: Record,
    program: np.ndarray,
    records: tuple[Record, ...],
    data: RunData,
    ends: np.ndarray,
    starts: np.ndarray,
    t: int,
    limit: int,
) -> int:
    """Until the next RUN is taken or END is reached; the cycle."""
    bus, s, load, ft, so, p, dr, nr, out = records
    began = s.run_start >= 0
    while t < limit:
        run = program[s.run]
        hold = s.prepared and (load.ask_left > 0 or bus.left[2] > 0 or bus.offer[2] > 0)
        front_busy = ft.left > 0 or im2col.weights_busy(ft)
        busy = s.run_busy
        takes = commands.dispatch(c, s, load, program, front_busy, out.done, axi.idle(out), t)
        if busy and not s.run_busy:
            ends[s.taken_run] = t + 1
        if s.run_start == t:
            _begin(c, so, p, dr, nr, out, run)
            starts[s.run] = t
        full = ft.full[ft.t_read]
        im2col.table(ft, program[s.front], s.front_start == t)
        if began or s.run_start == t:
            im2col.build(c, ft, run, data.segments, full, t)
            im2col.scan(c, ft, run, data.segments, s.run_start == t)
            _core(c, ft, so, p, dr, nr, out, data, run, t)
        im2col.weights(c, ft, bus, program[s.front], s.front_start == t)
        commands.loads(c, s, load, bus, program, busy, t)
        commands.fetch(c, s, bus, program, takes, t)
        read.read_step(c, bus, hold, t)
        t += 1
        if s.run_start == t or s.finished:
            break
    return t


class Machine:
    """The accelerator at work on a program; RUN after RUN.

    Parameters
    ----------
    program : (opcode, fields) of every command
    config : HardwareConfig
    word : bus word of its first command
    latency, gap : of the memory

    Members
    -------
    starts, ends : by command: cycle of a RUN's start and of its end, counted from the host's start
    """

    def __init__(self, program: list, config: HardwareConfig, *, word: int, latency: int, gap: int) -> None:
        self._config = parameters(config, latency, gap)
        self._program = program_of(program, config)
        self.starts = np.zeros(len(program), np.int64)
        self.ends = np.zeros(len(program), np.int64)
        self._states = tuple(np.zeros(1, dtype) for dtype in RECORDS)
        _, sequencer, _, front, sort, processor, _, neurons, output = (one[0] for one in self._states)
        sequencer["wanted"], sequencer["address"], sequencer["command"] = 1, word, -1
        sequencer["load"] = sequencer["front_start"] = sequencer["run_start"] = -1
        front["credits"], front["release"] = self._config[0]["rows_queue"], -1
        sort["first"] = 1
        for name in ("stage", "active", "finish_tile", "hold", "reuse"):
            processor[name] = -1
        processor["fresh"], processor["patience"] = 1, PATIENT
        neurons["stages"] = NEURON_STAGES + config.level_bits
        neurons["pipe"], neurons["room"] = -1, 1
        output["done"] = 1
        self._cycle = int(self._config[0]["begin"])

    def advance(self, data: RunData) -> int:
        """Until the RUN that was taken last, whose rows ``data`` holds, has ended and the next one is taken, or END.

        Raises
        ------
        RuntimeError
            It never comes: the model contradicts itself.
        """
        c, run = self._config[0], self._program[self._states[1][0]["run"]]
        work = data.bits.sum() + data.ends[-1] + data.beats.sum() * data.segments.max()
        work += data.m_rows.sum() * run["groups"] * (run["out_planes"] + 32 * run["readout"])
        work += len(data.beats) * c["tile_k"] * run["weight_beats"]
        work += (self._program["beats"] * self._program["chunks"]).sum() + len(self._program) * (c["latency"] + 100)
        limit = self._cycle + PATIENCE * int(work) * (1 + int(c["gap"]))
        records = tuple(one[0] for one in self._states)
        self._cycle = int(_simulate(c, self._program, records, data, self.ends, self.starts, self._cycle, limit))
        if self._cycle >= limit:
            raise RuntimeError(f"the cycle model stands still: nothing taken up to cycle {limit}")
        return self._cycle

    @property
    def cycles(self) -> int:
        """Of the whole job, when END is reached."""
        return int(self._states[1][0]["finished"] + self._config[0]["finish"])
