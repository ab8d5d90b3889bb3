"""Sequencer: walks the program, starts loads and runs, ends in a result or an error."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import HardwareConfig, clog2
from .loader import LOAD_JOB, Kind
from .loader_unpack import PARAM_BYTES
from .program import COMMAND_BYTES, OPCODES, SEGMENT_BYTES
from .sequencer_fetch import beats_of
from .sequencer_layouts import run_layout
from .sequencer_rules import raw_view

ERROR_COMMAND, ERROR_FIELD, ERROR_READ, ERROR_WRITE, ERROR_WATCHDOG, ERROR_STOPPED = range(1, 7)
"""Codes of ``hw.program.ERRORS``."""

RESET_CYCLES = 8
"""Cycles for which the data path is held in reset before every job and after every error."""

DRAIN_CYCLES = 1 << 16
"""Longest wait for the bus to answer after an error; a bus that doesn't is left alone (``bus_hung``)."""


class Dispatcher(wiring.Component):
    """Issues checked commands in order, each when what it needs is free.

    LOAD: when the loader takes it. RUN, in two steps: its front (row table, weights) is prepared as soon as the front
    of the run before is free; it starts when all loads are complete and the run before has ended. BARRIER and END: when
    nothing is under way, writes answered. (LOAD_PARAMS is held back by the data path until the run before has ended.)

    Members
    -------
    command, valid, bad_header, bad_field, take : the command fetch
    enable : In(1), commands may be issued
    o_load : Out stream of LOAD_JOB
    front, front_start : Out, fields of the RUN prepared or in progress, for the front; strobe: prepare it
    front_busy : In(1), rows or weights are left; rises in the cycle after ``front_start``
    prepared : Out(1), the front waits for the start
    run, run_start : Out, fields of the RUN in progress; start strobe (the fields stand in its cycle)
    run_done : In(1), the run's last word has been handed out; falls in the cycle after ``run_start``
    run_busy : Out(1)
    loads_idle, writes_idle : In(1)
    finished : Out(1), strobe: END is reached
    error, code : Out, a command is refused
    """

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "command": In(COMMAND_BYTES * 8),
                "valid": In(1),
                "bad_header": In(1),
                "bad_field": In(1),
                "take": Out(1),
                "enable": In(1),
                "o_load": Out(stream.Signature(LOAD_JOB)),
                "front": Out(run_layout()),
                "front_start": Out(1),
                "front_busy": In(1),
                "prepared": Out(1),
                "run": Out(run_layout()),
                "run_start": Out(1),
                "run_done": In(1),
                "run_busy": Out(1),
                "loads_idle": In(1),
                "writes_idle": In(1),
                "finished": Out(1),
                "error": Out(1),
                "code": Out(4),
            }
        )

    def elaborate(self, platform):
        m = Module()
        opcode = self.command[:8]
        held = Signal()  # the run before left its weights in the buffer
        held_tiles = Signal(16)
        job = Signal()
        m.d.comb += job.eq(self.valid & self.enable)
        front_used = Signal()  # by the run in progress
        m.d.sync += [self.run_start.eq(0), self.front_start.eq(0)]
        with m.If(~self.front_busy & ~self.front_start & ~self.prepared):
            m.d.sync += front_used.eq(0)
        with m.If(self.run_busy & ~self.run_start & self.run_done & ~front_used):
            m.d.sync += self.run_busy.eq(0)

        run = raw_view(self.command, "RUN")
        unready = (run.weights_ready != held) | (held & (run.k_tiles != held_tiles))
        bad_field = self.bad_field | ((opcode == OPCODES["RUN"]) & unready & ~self.prepared)
        with m.If(job & (self.bad_header | bad_field)):
            m.d.comb += [self.error.eq(1), self.code.eq(Mux(self.bad_header, ERROR_COMMAND, ERROR_FIELD))]
        with m.Elif(job):
            with m.Switch(opcode):
                for name in ("LOAD_FEATURES", "LOAD_SEGMENTS", "LOAD_PARAMS"):
                    with m.Case(OPCODES[name]):
                        self._load(m, name)
                with m.Case(OPCODES["RUN"]):
                    with m.If(~self.prepared & ~front_used):
                        m.d.sync += [self.prepared.eq(1), self.front_start.eq(1)]
                        m.d.sync += [self.front[f].eq(run[f]) for f in self.front.shape().members]
                        m.d.sync += [held.eq(run.weights_hold), held_tiles.eq(run.k_tiles)]
                    with m.If(self.prepared & self.loads_idle & ~self.run_busy):
                        m.d.comb += self.take.eq(1)
                        m.d.sync += [self.run_start.eq(1), self.run_busy.eq(1)]
                        m.d.sync += [self.prepared.eq(0), front_used.eq(1)]
                        m.d.sync += [self.run[f].eq(self.front[f]) for f in self.run.shape().members]
                with m.Default():
                    with m.If(self.loads_idle & ~self.run_busy & self.writes_idle):
                        is_end = opcode == OPCODES["END"]
                        m.d.comb += [self.take.eq(~is_end), self.finished.eq(is_end)]
        return m

    def _load(self, m, name):
        """Hands a load to the loader."""
        c = self.config
        view, load = raw_view(self.command, name), self.o_load.payload
        m.d.comb += [
            self.o_load.valid.eq(1),
            self.take.eq(self.o_load.ready),
            load.source.eq(view.source),
        ]
        if name == "LOAD_FEATURES":
            m.d.comb += [
                load.kind.eq(Kind.FEATURES),
                load.beats.eq(view.bytes >> clog2(c.bus_bits // 8)),
                load.chunks.eq(view.chunks),
                load.stride.eq(view.stride),
                load.target.eq(view.target),
                load.target_stride.eq(view.target_stride),
            ]
        elif name == "LOAD_SEGMENTS":
            m.d.comb += [
                load.kind.eq(Kind.SEGMENTS),
                load.beats.eq(beats_of(c, view.count * SEGMENT_BYTES)),
                load.chunks.eq(1),
                load.target.eq(view.target),
                load.items.eq(view.count),
            ]
        else:
            m.d.comb += [
                load.kind.eq(Kind.PARAMS),
                load.beats.eq(beats_of(c, view.groups * (c.neuron_lanes * PARAM_BYTES))),
                load.chunks.eq(1),
                load.items.eq(view.groups),
            ]


class Sequencer(wiring.Component):
    """Life of a job: reset of the data path, commands, and the end: a result or an error.

    ::

        idle -> reset -> run -> (END) idle
                          | error, stop
                          v
                        drain (the bus is let run dry) -> reset -> idle

    Before every job and after every error the data path is reset for RESET_CYCLES cycles: no job sees what another
    left.

    Members
    -------
    start, stop : In(1), strobes of the host; a start while busy is ``refused``
    watchdog : In(32), cycles without progress that end a job, 0: never
    progress : In(1), something moved
    finished, command_error, command_code : In, the dispatcher's
    taken : In(1), a command was issued
    read_error, write_error, bad_target : In(1), strobes of the data path
    bus_quiet : In(1), nothing is under way on the bus
    begin : Out(1), strobe: fetch the program's first command
    enable : Out(1), commands may be issued
    halt : Out(1), no new bursts
    reset : Out(1), reset of the data path
    busy, done, code, index, refused, bus_hung : Out, for the registers; ``done`` is a strobe at a job's end
    started : Out(1), strobe: a job begins
    """

    def __init__(self, config: HardwareConfig, *, drain_cycles: int = DRAIN_CYCLES):
        self.config, self.drain_cycles = config, drain_cycles
        strobes = ("start", "stop", "progress", "finished", "command_error", "taken", "read_error", "write_error")
        outs = ("begin", "enable", "halt", "reset", "busy", "done", "refused", "bus_hung", "started")
        super().__init__(
            {
                **{name: In(1) for name in (*strobes, "bad_target", "bus_quiet")},
                "command_code": In(4),
                "watchdog": In(32),
                **{name: Out(1) for name in outs},
                "code": Out(4),
                "index": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(max(self.drain_cycles, RESET_CYCLES) + 1))
        failed = Signal()
        idle_cycles = Signal(32)
        expired = Signal()
        stopping = Signal()  # a stop that comes before the first command is not lost
        with m.If(~self.busy):
            m.d.sync += stopping.eq(0)
        with m.Elif(self.stop):
            m.d.sync += stopping.eq(1)
        m.d.sync += expired.eq((self.watchdog != 0) & (idle_cycles >= self.watchdog))
        m.d.comb += self.refused.eq(self.start & self.busy)
        m.d.sync += self.done.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.comb += self.started.eq(1)
                    m.d.sync += [
                        self.busy.eq(1),
                        failed.eq(0),
                        self.code.eq(0),
                        self.index.eq(0),
                        self.bus_hung.eq(0),
                        left.eq(RESET_CYCLES),
                    ]
                    m.next = "RESET"
            with m.State("RESET"):
                # The top registers the reset: no burst may begin in the cycle between.
                m.d.comb += [self.reset.eq(1), self.halt.eq(1)]
                m.d.sync += [left.eq(left - 1), idle_cycles.eq(0), expired.eq(0)]
                with m.If(left == 1):
                    with m.If(failed):
                        m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "SETTLE"
            with m.State("SETTLE"):  # the top registers the reset once more
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += self.begin.eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.enable.eq(1)
                m.d.sync += idle_cycles.eq(Mux(self.progress, 0, idle_cycles + 1))
                with m.If(self.taken):
                    m.d.sync += self.index.eq(self.index + 1)
                with m.If(self.finished):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.next = "IDLE"
                self._errors(m, expired, stopping, failed, left)
            with m.State("DRAIN"):
                m.d.comb += self.halt.eq(1)
                m.d.sync += left.eq(left - 1)
                with m.If(self.bus_quiet | (left == 0)):
                    m.d.sync += [self.bus_hung.eq(~self.bus_quiet), left.eq(RESET_CYCLES)]
                    m.next = "RESET"
        return m

    def _errors(self, m, expired, stopping, failed, left):
        """What ends a job early; the first in this list names the code."""
        causes = [
            (self.read_error, ERROR_READ),
            (self.write_error, ERROR_WRITE),
            (self.bad_target, ERROR_FIELD),
            (self.command_error, self.command_code),
            (self.stop | stopping, ERROR_STOPPED),
            (expired, ERROR_WATCHDOG),
        ]
        for cause, code in reversed(causes):
            with m.If(cause):
                m.d.sync += [self.code.eq(code), failed.eq(1), left.eq(self.drain_cycles)]
                m.d.sync += [self.busy.eq(1), self.done.eq(0)]
                m.next = "DRAIN"
