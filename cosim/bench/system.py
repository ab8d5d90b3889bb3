"""A bench of the whole accelerator in RTL beside a simulated memory: it plays a host's steps and reads memory back.

``SystemBench(config)`` emits the accelerator and builds its Verilator model, both cached by content. It plays *steps*,
lists such as ``["write", address, value]`` (see :mod:`reprise.cosim.bench.system_cocotb`). No Python runs in a cycle.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...hw.arch.config import HardwareConfig
from ...hw.emission import find, verilog_of
from ...support.checks import require
from ...support.errors import SimulationError
from . import verilator
from .design import design, flatten_bits, probes

if TYPE_CHECKING:
    from ...support.progress import Stage

MEMORY_BYTES = 1 << 25


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How the simulated memory behaves.

    latency : cycles from an address to its first answer
    stall : probability of a stalled cycle on every channel, 0..0.9
    gap : idle cycles after every data beat, so that the bandwidth is that of the bus divided by 1 + gap
    seed : of the stalls
    """

    latency: int = 20
    stall: float = 0.0
    gap: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        require(0 <= self.stall <= 0.9, "stall", "0..0.9", self.stall, "it is the probability of a stalled cycle")
        require(0 <= self.latency <= 65535, "latency", "0..65535 cycles", self.latency)
        require(0 <= self.gap <= 255, "gap", "0..255 cycles", self.gap)

    def signals(self) -> dict[str, int]:
        """Return the values of the bench's inputs."""
        return {
            "latency": self.latency,
            "stall": round(self.stall * 256),
            "gap": self.gap,
            "seed": self.seed & 0xFFFFFFFF,
            "fault_first": 1,  # the first address is beyond the last, so that there are no faults
            "fault_last": 0,
        }


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One line of the profile log, with what was counted before ``cycle``."""

    cycle: int
    start: bool
    end: bool
    beats_read: int
    beats_written: int
    counts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SystemResult:
    """What a simulation gave: the result of each step, memory dumps by name, the profile, and wall-clock seconds."""

    results: list
    dumps: dict[str, np.ndarray]
    marks: list[Mark]
    cycles: int
    beats_read: int
    beats_written: int
    seconds: float = field(compare=False)


def _watch(stage: Stage, profile: Path, runs: int) -> threading.Event:
    """Show in a stage's bar how many of a job's ``runs`` have ended, by its growing log, until the event is set."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            if profile.exists():
                lines = profile.read_text().splitlines()
                ended = [line.split(" ", 2) for line in lines]
                count = sum(len(line) == 3 and line[1] in ("2", "3") for line in ended)
                stage.advance(count, f"run {count} of {runs}", total=runs)

    threading.Thread(target=look, daemon=True).start()
    return done


def known(config: HardwareConfig, *, trace: bool = False, memory_bytes: int = MEMORY_BYTES) -> bool:
    """Return whether a :class:`SystemBench` can be had without emitting or building anything."""
    found = find(config)
    return found is not None and design(config, found, trace, memory_bytes).known


class SystemBench:
    """A built model of the whole accelerator with its memory.

    Parameters
    ----------
    config : HardwareConfig
    trace : build it with waveforms, which makes it slower and larger
    memory_bytes : of the bench's memory
    watch : called with "verilog" and then with "build" as soon as each is there, and whether it came from the cache
    """

    def __init__(
        self,
        config: HardwareConfig,
        *,
        trace: bool = False,
        memory_bytes: int = MEMORY_BYTES,
        watch: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.config, self.memory_bytes = config, memory_bytes
        self.word = config.bus_bits // 8
        start = time.perf_counter()
        emitted = verilog_of(config)
        self.sidecar = emitted.sidecar
        self.seconds = {"verilog": time.perf_counter() - start}
        if watch:
            watch("verilog", emitted.cached)
        self.bits = flatten_bits(self.sidecar["ports"]["profile"])
        self.event_bits = self.bits | dict(enumerate(probes(emitted.text), len(self.bits)))
        start = time.perf_counter()
        self.model = design(config, emitted, trace, memory_bytes).build()
        self.seconds["build"] = time.perf_counter() - start
        self.cached = {"verilog": emitted.cached, "build": self.model.cached}
        if watch:
            watch("build", self.model.cached)

    def _memory_file(self, memory: np.ndarray, path: Path) -> None:
        size, most = len(memory), self.memory_bytes
        require(size <= most, "memory", f"at most {most} bytes (the bench's)", size)
        padded = np.zeros(-(-len(memory) // self.word) * self.word, np.uint8)
        padded[: len(memory)] = memory
        path.write_bytes(padded.reshape(-1, self.word)[:, ::-1].tobytes())

    def run(
        self,
        steps: Sequence[list],
        memory: np.ndarray | dict[str, np.ndarray],
        *,
        traffic: Traffic | None = None,
        waves: Path | None = None,
        window: tuple[int, int] | None = None,
        log: Path | None = None,
        events: Path | None = None,
        stage: Stage | None = None,
        runs: int = 0,
    ) -> SystemResult:
        """Load ``memory``, uint8 from byte address 0 on, and play the steps.

        The step ``["load"]`` loads it again. If there are several memories, by name, the first is loaded, and
        ``["load", name]`` loads another.
        The step ``["dump", name, first_byte, bytes]`` reads memory back into ``dumps[name]``. ``waves`` is the FST file
        of a bench that was built with ``trace``, and ``window`` the cycles (first, last) that it covers. ``events`` is
        the file that gets what happens in every cycle; :mod:`reprise.cosim.trace.log` reads it by ``event_bits``.

        Raises
        ------
        SimulationError
            A step failed or the simulation died; the message ends with the log's last lines.
        """
        with tempfile.TemporaryDirectory(prefix="cosim-") as name:
            folder = Path(name)
            memories = memory if isinstance(memory, dict) else {"memory": memory}
            for key, content in memories.items():
                self._memory_file(content, folder / f"{key}.memory")
            (folder / "memory.bin").symlink_to(folder / f"{next(iter(memories))}.memory")
            played, ranges = self._translate(steps, folder)
            job = {"signals": (traffic or Traffic()).signals(), "steps": played}
            (folder / "steps.json").write_text(json.dumps(job))
            env: dict[str, object] = {"SYSTEM_STEPS": folder / "steps.json", "SYSTEM_RESULTS": folder / "results.json"}
            env |= {"SYSTEM_DUMP": folder / "dump.bin", "SYSTEM_MEMORY": folder / "memory.bin"}
            if window:
                env |= {"TRACE_FIRST": window[0], "TRACE_LAST": window[1]}
            files = {"memory": "memory.bin", "dump": "dump.bin", "profile": "profile.txt"}
            start = time.perf_counter()
            watch = _watch(stage, folder / "profile.txt", runs) if stage else None
            try:
                verilator.run(
                    self.model,
                    "reprise.cosim.bench.system_cocotb",
                    folder=folder / "run",
                    env={key: str(value) for key, value in env.items()},
                    plusargs=[
                        *(f"+{key}={folder / file}" for key, file in files.items()),
                        *([f"+events={events}"] if events else []),
                    ],
                    seed=1,
                    waves=waves,
                    log=log or folder / "log",
                )
            except SimulationError as error:
                path = log or folder / "log"
                text = path.read_text()[-3000:] if path.exists() else ""
                raise SimulationError(f"{error}\n{text}") from None
            finally:
                if watch:
                    watch.set()
            seconds = time.perf_counter() - start
            seen = json.loads((folder / "results.json").read_text())
            dumps = {}
            for dump, (offset, size) in ranges.items():
                data = np.fromfile(folder / f"{dump}.dump", np.uint8)
                dumps[dump] = data[offset : offset + size]
            marks = self._marks((folder / "profile.txt").read_text())
        return SystemResult(
            results=seen["results"],
            dumps=dumps,
            marks=marks,
            cycles=seen["cycle"],
            beats_read=seen["beats_read"],
            beats_written=seen["beats_written"],
            seconds=seconds,
        )

    def _translate(self, steps: Sequence[list], folder: Path) -> tuple[list[list], dict[str, tuple[int, int]]]:
        """Turn dumps by bytes into dumps by words, and names of memories into their files.

        Returns
        -------
        The steps, and for each dump where in the dumped words the bytes lie.
        """
        played, ranges = [], {}
        for step in steps:
            if step[0] == "dump":
                _, name, first, size = step
                word = first // self.word
                last = max(word, (first + size - 1) // self.word)
                ranges[name] = (first - word * self.word, size)
                step = ["dump", word, last, str(folder / f"{name}.dump")]
            elif step[0] == "load" and len(step) > 1:
                step = ["load", str(folder / f"{step[1]}.memory")]
            played.append(step)
        return played, ranges

    def _marks(self, text: str) -> list[Mark]:
        marks = []
        for line in text.splitlines():
            cycle, kind, read, written, *counts = map(int, line.split())
            named: dict[str, int] = {}
            for i, count in enumerate(counts):  # bit n of a number counts for 2**n
                name, _, bit = self.bits[i].partition("[")
                named[name] = named.get(name, 0) + (count << int(bit.rstrip("]") or 0) if bit else count)
            marks.append(
                Mark(
                    cycle=cycle,
                    start=bool(kind & 1),
                    end=bool(kind & 2),
                    beats_read=read,
                    beats_written=written,
                    counts=named,
                )
            )
        return marks
