"""When the commands of a program are fetched, taken and done: the cycle model of sequencer and loader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hw.config import HardwareConfig
from hw.program import COMMAND_BYTES

LOAD_WORDS = 64  # bus words of loads under way


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Cycles of the sequencer's steps, calibrated against the RTL.

    begin : from the host's start to the request of the first command.
    read : of a read beside the memory's latency.
    check : from a command's last word to its being taken.
    load : from the last word of a load to its end.
    run : from what a RUN waits for to its start.
    answer : of the last write beside the memory's latency.
    finish : from END to the interrupt.
    """

    begin: int = 13
    read: int = 5
    check: int = 4
    load: int = 4
    run: int = 2
    answer: int = 8
    finish: int = 5


RunCycles = Callable[[int, int], tuple[int, int]]
"""(early, weights_early) -> cycles of a RUN, and of its front (rows and weights)."""


class Schedule:
    """Walks a program command by command.

    A command is fetched while the one before is carried out; loads follow each other without waiting for an address; a
    RUN prepares its rows and weights as soon as the front of the RUN before is free, and starts when all loads are
    complete and the RUN before has ended.
    """

    def __init__(self, config: HardwareConfig, *, latency: int, gap: int, delays: Delays | None = None):
        self.config, self.latency, self.gap, self.delays = config, latency, gap, delays or Delays()
        self.taken = self.requested = self.delays.begin
        self.loads = self.earlier = self.run_end = self.front_free = 0

    def _fetch(self) -> int:
        """When the next command is in its register and checked."""
        words = COMMAND_BYTES * 8 // self.config.bus_bits
        read = self.latency + self.delays.read
        # Answers come in order: those that the loader had asked for before come first.
        ahead = min(LOAD_WORDS * (1 + self.gap), max(0, self.earlier - self.requested - read))
        arrived = self.requested + read + ahead
        end = max(max(arrived, self.taken + 1) + words, arrived + words * (1 + self.gap))
        self.requested = end + self.delays.check - 1
        return self.requested + 1

    def _work(self, opcode: str, f: dict[str, int]) -> int:
        """Cycles in which a load's words come, or are put away if that takes longer."""
        c = self.config
        bus = c.bus_bits // 8
        size, per_word = {
            "LOAD_FEATURES": (f.get("bytes", 0) * f.get("chunks", 0), max(1, c.bus_bits // c.feature_bits // 2)),
            "LOAD_SEGMENTS": (f.get("count", 0) * 8, c.bus_bits // 64),
            "LOAD_PARAMS": (f.get("groups", 0) * c.neuron_lanes * 16, 1),
        }[opcode]
        return -(-size // bus) * max(1 + self.gap, per_word)

    def step(self, opcode: str, fields: dict[str, int], run: RunCycles | None = None) -> int:
        """The next command; the end of the last RUN so far (of END: the job's end)."""
        d, ready = self.delays, self._fetch()
        if opcode == "RUN":
            prepared = max(ready, self.front_free)
            loads = self.loads + d.load
            start = max(prepared + 1, loads, self.run_end + 1) + d.run
            # Weights are asked for when no load is left to ask for: a latency before its words come.
            asked = self.loads - self.latency - d.read
            cycles, front = run(start - prepared, start - max(prepared, asked))
            self.run_end, self.front_free, self.taken = start + cycles, start + front, start
        elif opcode in ("BARRIER", "END"):
            written = self.run_end + self.latency + d.answer if self.run_end else 0
            self.taken = max(ready, self.loads + d.load, written)
            if opcode == "END":
                return self.taken + d.finish
        else:
            self.taken, self.earlier = ready, self.loads
            self.loads = max(ready + self.latency + d.read, self.loads + 1) + self._work(opcode, fields)
        return self.run_end
