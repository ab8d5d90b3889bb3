"""The host of the accelerator in RTL: the steps that start a job, wait for its end and read its result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...compiler.joined import Images, initial_memory
from ...hw.arch.memory_image import MemoryImage, Windows
from ...hw.arch.program import Error
from ...hw.csr.register_map import COUNTERS, FIELDS, OFFSETS
from ...hw.csr.start import start_registers
from ...support.errors import SimulationError
from ..bench.system import Mark, SystemBench, Traffic
from .figures import run_ends

if TYPE_CHECKING:
    from ...support.progress import Stage

START, STOP, SNAPSHOT = (1 << FIELDS["CONTROL"][name][0] for name in ("start", "stop", "snapshot"))


class JobFailed(SimulationError):
    """A job ended in an error code, or what it did is not what its counters say."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The fields of the STATUS register."""

    busy: int
    done: int
    refused: int
    bus_hung: int
    error: int
    command: int

    @classmethod
    def of(cls, value: int) -> Status:
        """Take the register's value apart."""
        return cls(**{n: (value >> at) & ((1 << bits) - 1) for n, (at, bits, *_) in FIELDS["STATUS"].items()})

    def __str__(self) -> str:
        known = {error.value: error.text for error in Error}
        return f"error {self.error} ({known.get(self.error, 'unknown')}) at command {self.command}; {vars(self)}"


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """What one job gave.

    Members
    -------
    memory : uint8[size], the memory afterwards
    start, end : cycles of the bench at the start command and at the interrupt
    seconds : of simulation
    marks : the lines of the profile log
    last : the last line of that log, with all that was counted
    runs : the marks of a RUN's start and end, by the index of its command
    counters : performance counters as the host reads them, with CYCLES_LO
    """

    memory: np.ndarray
    start: int
    end: int
    seconds: float
    marks: list[Mark]
    last: Mark
    runs: dict[int, tuple[Mark, Mark]]
    counters: dict[str, int]

    @property
    def cycles(self) -> int:
        """Cycles from the start command to the interrupt."""
        return self.end - self.start


def write(register: str, value: int) -> list:
    """Return the step that writes a register."""
    return ["write", OFFSETS[register], value]


def read(register: str) -> list:
    """Return the step that reads a register."""
    return ["read", OFFSETS[register]]


def start_steps(program: int, windows: Windows, *, watchdog: int | None = None) -> list[list]:
    """Return the steps that give the program's address and the windows, enable the interrupt and start.

    The step before the last one gives the cycle.
    """
    steps = [
        write("IRQ_STATUS", 1),
        write("IRQ_ENABLE", 1),
        *(write(register, value) for register, value in start_registers(program, windows).items()),
    ]
    if watchdog is not None:
        steps.append(write("WATCHDOG", watchdog))
    return [*steps, ["mark"], write("CONTROL", START)]


def end_steps(timeout: int) -> list[list]:
    """Return the steps that wait for the interrupt, read STATUS, and take the interrupt back."""
    return [["irq", timeout], read("STATUS"), write("IRQ_STATUS", 1), ["no_irq"]]


def run_job(
    bench: SystemBench,
    compiled: MemoryImage,
    images: Images,
    *,
    traffic: Traffic | None = None,
    fill: int = 0,
    waves: Path | None = None,
    window: tuple[int, int] | None = None,
    events: Path | None = None,
    timeout: int = 50_000_000,
    stage: Stage | None = None,
) -> JobRun:
    """Run a compiled network on images, or several that were joined, each on its own.

    Parameters
    ----------
    images : levels, as MemoryImage.pack_input takes them; a tuple of them for networks that were joined
    fill : what memory holds that nobody has written
    waves, window : FST file to write, and the cycles that it covers
    events : file that gets what happens in every cycle
    timeout : cycles within which the job must end
    stage : shows how many of the RUNs have ended

    Raises
    ------
    JobFailed
        The job ended in an error, or its counters contradict what the bench saw.
    SimulationError
        The job did not end within ``timeout`` cycles, or the simulation died.
    """
    if compiled.base:
        raise ValueError(f"compiled.base must be 0, not {compiled.base}: the bench's memory begins there")
    memory = initial_memory(compiled, images, fill)
    names = ["CYCLES_LO", *COUNTERS]
    steps = [*start_steps(compiled.program, compiled.windows), *end_steps(timeout), *(read(name) for name in names)]
    steps.append(["dump", "memory", 0, compiled.size])
    runs = sum(opcode == "RUN" for opcode, _ in compiled.commands())
    result = bench.run(
        steps, memory, traffic=traffic, waves=waves, window=window, events=events, stage=stage, runs=runs
    )
    first = next(i for i, step in enumerate(steps) if step[0] == "mark")
    start, end = result.results[first], result.results[first + 2]
    status = Status.of(result.results[first + 3])
    if status.error or status.busy or not status.done:
        raise JobFailed(f"the job ended with {status}")
    at = len(steps) - 1 - len(names)
    counters = dict(zip(names, result.results[at : at + len(names)], strict=True))
    check_counters(counters, result.marks[-1])
    return JobRun(
        memory=result.dumps["memory"],
        start=start,
        end=end,
        seconds=result.seconds,
        marks=result.marks[:-1],
        last=result.marks[-1],
        runs=run_ends(compiled, result.marks),
        counters=counters,
    )


def check_counters(counters: dict[str, int], last: Mark) -> None:
    """Compare the registers that the host reads with what the bench counted; any difference raises JobFailed."""
    for register, event in COUNTERS.items():
        if counters[register] != last.counts[event]:
            raise JobFailed(f"{register} must be {last.counts[event]} ({event} cycles seen), not {counters[register]}")
    for register, beats in (("READ_BEATS", last.beats_read), ("WRITE_BEATS", last.beats_written)):
        if counters[register] != beats:
            raise JobFailed(f"{register} must be {beats} (beats of the memory), not {counters[register]}")


def check_traffic(total: dict, last: Mark, bus_bytes: int) -> None:
    """Compare the bytes that the RTL moved with those of all commands; any difference raises JobFailed.

    The report gives those of the commands for each layer.
    """
    for name, beats in (("bytes_read", last.beats_read), ("bytes_written", last.beats_written)):
        if beats * bus_bytes != total[name]:
            raise JobFailed(f"{name} must be {total[name]} (of all commands), not {beats * bus_bytes} (in the RTL)")
