"""The sequencer takes a job from the host's start to its end, which is a result or an error."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..arch.program import Error
from ..lib.resets import REACH

RESET_CYCLES = 7
"""Cycles for which the data path is held in reset before every job and after every error."""


DRAIN_CYCLES = 1 << 16
"""Most cycles to wait for the bus to answer after an error. A bus that does not answer by then is left alone, and
``bus_hung`` says so."""


class Sequencer(wiring.Component):
    """Keeps the state of a job: the reset of the data path, the commands, and the end with a result or an error.

    ::

        idle -> reset -> run -> (END) idle
                          | error, stop
                          v
                        drain (the bus is let run dry) -> reset -> idle

    Before every job and after every error the data path is reset for RESET_CYCLES cycles, so that no job sees what
    another left behind. No burst begins while no job is in progress, and a start waits until the bus has run dry, so
    that no reset cuts a burst. A start together with a stop begins a job that ends with the error of the stop.

    Latency: the first command is fetched (``begin``) ``BEGIN`` cycles after ``start``, and ``done`` follows ``END``
    cycles after ``finished``.

    Parameters
    ----------
    config : HardwareConfig
    drain_cycles : most cycles to wait for the bus to answer after an error

    Members
    -------
    start, stop : In(1), strobes of the host; a start during a job does nothing
    bad_start : In(1), what the host's registers held at the start is no program address or no window; it is looked at
        when the first command would be fetched, ``BEGIN`` cycles after ``start``
    watchdog : In(32), number of cycles without progress after which a job is ended; 0 means never
    progress : In(1), something moved in the data path
    finished, command_error, command_code : In, from the job scheduler
    taken : In(1), a command was issued
    read_error, write_error : In(1), strobes of the bus masters
    read_outside, write_outside, bad_data, unloaded : In(1), what the data path found; they stay until its reset
    bus_quiet : In(1), nothing is under way on the bus
    begin : Out(1), strobe: the program's first command is to be fetched
    enable : Out(1), commands may be issued
    halt : Out(1), no new bursts may begin
    reset : Out(1), reset of the data path
    busy, done, code, index, bus_hung : Out, for the host's registers: a job is under way; strobe at its end; its error
        code; number of commands issued; the bus did not answer after an error
    started : Out(1), strobe: a job begins
    """

    BEGIN = RESET_CYCLES + REACH + 1
    """The cycles of the reset, those in which its copies still hold it, and the cycle of ``begin``."""

    END = 1

    def __init__(self, config: HardwareConfig, *, drain_cycles: int = DRAIN_CYCLES) -> None:
        self.config, self.drain_cycles = config, drain_cycles
        strobes = (
            *("start", "stop", "progress", "finished", "command_error", "taken", "read_error", "write_error"),
            *("read_outside", "write_outside", "bad_start"),
        )
        outs = ("begin", "enable", "halt", "reset", "busy", "done", "bus_hung", "started")
        super().__init__(
            {
                **{name: In(1) for name in (*strobes, "bad_data", "unloaded", "bus_quiet")},
                "command_code": In(4),
                "watchdog": In(32),
                **{name: Out(1) for name in outs},
                "code": Out(4),
                "index": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(max(self.drain_cycles, RESET_CYCLES) + 1))
        failed, expired = Signal(), Signal()
        idle_cycles = Signal(32)
        stopping = Signal()  # a stop that comes before the first command is not lost
        with m.If(self.busy | self.start):
            m.d.sync += stopping.eq(self.stop | (stopping & self.busy))
        with m.Else():
            m.d.sync += stopping.eq(0)
        self._count(m)
        m.d.sync += expired.eq((self.watchdog != 0) & (idle_cycles >= self.watchdog))
        m.d.sync += self.done.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.halt.eq(1)
                with m.If(self.start):
                    m.d.comb += self.started.eq(1)
                    m.d.sync += [
                        self.busy.eq(1),
                        failed.eq(0),
                        self.code.eq(0),
                        self.index.eq(0),
                        self.bus_hung.eq(0),
                        left.eq(Mux(self.bus_quiet, RESET_CYCLES, self.drain_cycles)),
                    ]
                    m.next = "DRAIN"
                    with m.If(self.bus_quiet):
                        m.next = "RESET"
            with m.State("RESET"):
                # The data path is reset by copies, which take effect REACH cycles late: no burst may begin until then.
                m.d.comb += [self.reset.eq(1), self.halt.eq(1)]
                m.d.sync += [left.eq(left - 1), idle_cycles.eq(0), expired.eq(0)]
                with m.If(left == 1):
                    m.next = "RELEASE"
            with m.State("RELEASE"):  # the copies still hold the reset, and do so in the next cycle
                m.d.comb += self.halt.eq(1)
                m.next = "SETTLE"
                with m.If(failed):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.next = "IDLE"
            with m.State("SETTLE"):
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += self.begin.eq(~self.bad_start)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.enable.eq(1)
                m.d.sync += idle_cycles.eq(Mux(self.progress, 0, idle_cycles + 1))
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

    def _count(self, m: Module) -> None:
        """Count the commands a cycle late, since their number is wanted when the job has ended."""
        taken = Signal()
        m.d.sync += taken.eq(self.taken)
        with m.If(taken):
            m.d.sync += self.index.eq(self.index + 1)

    def _errors(self, m: Module, expired: Value, stopping: Value, failed: Signal, left: Signal) -> None:
        """End a job early for one of these causes; of several in one cycle the first in the list gives the code."""
        causes = [
            (self.read_error, Error.READ.value),
            (self.write_error, Error.WRITE.value),
            (self.bad_start, Error.START.value),
            (self.read_outside, Error.READ_WINDOW.value),
            (self.write_outside, Error.WRITE_WINDOW.value),
            (self.bad_data, Error.DATA.value),
            (self.command_error, self.command_code),
            (self.unloaded, Error.UNLOADED.value),
            (self.stop | stopping, Error.STOPPED.value),
            (expired, Error.WATCHDOG.value),
        ]
        for cause, code in reversed(causes):
            with m.If(cause):
                m.d.sync += [self.code.eq(code), failed.eq(1), left.eq(self.drain_cycles)]
                m.d.sync += [self.busy.eq(1), self.done.eq(0)]
                m.next = "DRAIN"
