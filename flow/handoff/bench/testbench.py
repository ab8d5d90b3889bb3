"""Says what the delivered testbench must see: cycles, beats, counters, and programs that must be refused.

None of it comes from the RTL: cycles are those of the cycle model, and everything else is the golden interpreter's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ....compiler.golden.interpreter import Interpreter
from ....compiler.golden.trace import RunTrace
from ....cosim.trace.log import LATE, Log, joined, times
from ....estimate.bench import MEMORY_DEPTH
from ....estimate.cycles.state import EVENTS
from ....estimate.network import Estimator, SystemTiming
from ....hw.arch.memory_image import MemoryImage
from ....hw.arch.program import Error
from ....hw.csr.register_map import COUNTERS, OFFSETS
from ....hw.csr.start import start_registers
from ....hw.lib.resets import REACH
from .boundaries import boundaries
from .refused import Refused, boundary_programs, refused_programs
from .state import registers
from .stimuli import stimuli

LATENCIES = (6, 1, 45)
"""Cycles from an address to its first beat, in runs without stalls: of all jobs, and then of small ones."""

OUTSIDE = 6
"""Cycles that the model counts and CYCLES does not: from the host's access to the start, and from the end to the
interrupt. The testbench shows that it is exact."""

MARGIN, SPARE = 2, 500
"""A job is given up after so many times what it may take, which is what it takes by the cycle model at the memory's
latency, as often as the slowest channel of the memory stalls, and some cycles for the host's accesses."""

BASES = (0x5A5A5A5000, 0xA5A5A5A000)
"""Where the testbench's memory lies, for one job and the next: the upper bits of one are those that the other lacks."""

FILL = 0xA5
"""What the bytes of memory hold that nobody has written."""

SMALL, STORMS = 6000, 32
"""The most cycles of a job that is played again and again, and how many times one of them is cut short."""

OTHERS, MOST_CYCLES, PAGE = 30, 100_000, 4096
"""How many random networks the testbench runs besides and how many cycles all of them take, at most, and what an image
begins at a multiple of."""

WORK = ("ROWS_WORDS", "WEIGHT_ROWS", "NEURON_ITEMS", "COMPUTE_ROWS", "REUSE_ROWS")
"""Counters of what is done, whenever it is done."""

MARKED = {"reuse_rows": ("reuse0", "reuse1")} | {
    event: (event,) for event in EVENTS if event in COUNTERS.values() or event == "output_word"
}
"""Events of the profile, each with the events of the cycle model's log that it shows."""

LOGGED = {name: MARKED[event] for name, event in COUNTERS.items() if event in MARKED}
"""The events of the cycle model's log that a counter counts."""

CACHE = 0b0011
"""AxCACHE of every burst (:func:`reprise.hw.axi.ports.constant_address_signals`)."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program of the testbench, and what it must take.

    Members
    -------
    name, commands : of the network, and of its program
    start : the registers that a host writes
    first, last, write_first, write_last : bus words of the image and of its write window, from the memory's first on
    regions : the feature maps that it writes: name, first bus word, and number of bus words
    high : what is added to an address in the testbench's memory
    cycles : by the cycle model, for each of :data:`LATENCIES`
    waits : how many cycles it takes longer with each cycle of latency, by the cycle model, at most
    work : what is counted of its work, by the names of the registers
    timed : what depends on when it happens, with the first latency and without stalls
    marks : a sum of numbers that the cycles have in which something happens (:func:`mark`), for each of
        :data:`LATENCIES`
    """

    name: str
    commands: int
    start: dict[str, int]
    first: int
    last: int
    write_first: int
    write_last: int
    regions: list[dict]
    high: int
    cycles: list[int]
    waits: int
    work: dict[str, int]
    timed: dict[str, int]
    marks: list[dict[str, int]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What the testbench runs: the jobs, their memory before and after (uint8), and programs that must be refused."""

    jobs: list[Job]
    refused: list[Refused]
    before: np.ndarray
    golden: np.ndarray


def make_bench(image: MemoryImage, pixels: np.ndarray) -> Bench:
    """Put the image and small random networks, which use what it may not, one behind another and time them all.

    ``pixels`` are the images on which the network of ``image`` runs.
    """
    jobs: list[Job] = []
    memories: list[np.ndarray] = []
    goldens: list[np.ndarray] = []
    refused: list[Refused] = []
    for other in [None, *stimuli(image.config)]:
        base = BASES[len(jobs) % 2] + sum(len(part) for part in memories)
        one = other.compiled(image.config, base) if other else image.at(base)
        memory = one.initial_memory(other.images if other else pixels, FILL)
        job, golden = _job(one, memory, BASES[len(jobs) % 2])
        refused = refused or [*refused_programs(one, memory), *boundary_programs(one, memory, boundaries(one))]
        taken = sum(earlier.cycles[0] for earlier in jobs[1:])
        if not jobs or (taken + job.cycles[0] <= MOST_CYCLES and len(jobs) <= OTHERS):
            jobs.append(job)
            for found, part in ((memories, memory), (goldens, golden)):
                found.append(np.append(part, np.full(-len(part) % PAGE, FILL, np.uint8)))
    return Bench(jobs=jobs, refused=refused, before=np.concatenate(memories), golden=np.concatenate(goldens))


def mark(cycles: np.ndarray) -> np.ndarray:
    """Return a number of 32 bits for each cycle, whose sums differ where cycles do."""
    found = cycles.astype(np.uint32) * np.uint32(0x9E3779B1)
    for shift in (13, -17, 5):
        found ^= found << np.uint32(shift) if shift > 0 else found >> np.uint32(-shift)
    return found


def marks(log: Log, end: int) -> dict[str, int]:
    """Return the sums of the marks of the cycles in which the profile shows each event of :data:`MARKED`.

    Both count from the host's access. What happens in the processor goes through a register, so the profile shows it
    a cycle late.
    """
    found = {}
    for name, events in MARKED.items():
        seen = [times(log, event, end) + (name == "reuse_rows" or event in LATE) for event in events]
        found[name] = int(mark(np.concatenate(seen)).sum(dtype=np.uint32))
    return found


def _job(image: MemoryImage, before: np.ndarray, bottom: int) -> tuple[Job, np.ndarray]:
    """Time a job, count its work, and return it with the memory that it leaves; memory begins at ``bottom``."""
    estimators = [Estimator(image, SystemTiming(latency=latency), log=True) for latency in LATENCIES]

    def observe(trace: RunTrace) -> None:
        for one in estimators:
            one.observe(trace)

    interpreter = Interpreter(image, before.copy(), observe)
    golden, estimator = interpreter.run(), estimators[0]
    cycles = [one.schedule()[-1] - OUTSIDE for one in estimators]
    log = joined(estimator.machine.log)
    counted = {
        name: sum(len(times(log, event, cycles[0] + OUTSIDE)) for event in events) for name, events in LOGGED.items()
    }
    word, window = image.config.bus_bits // 8, image.windows.write
    bits = sum(int(one["counts"].total().add_steps(image.config.weight_banks)) for one in estimator.runs)
    moved = {"READ_BEATS": interpreter.bytes_read, "WRITE_BEATS": interpreter.bytes_written}
    work = {"COMMANDS": len(image.commands()) - 1, "RUNS": len(estimator.runs), "RESIDUAL_BITS": bits}  # END is none
    work |= {name: n // word for name, n in moved.items()} | {name: counted[name] for name in WORK}
    written = {key: f for key, f in image.features.items() if f.name != "input"}
    job = Job(
        name=image.network,
        commands=len(image.commands()),
        start=start_registers(image.program, image.windows),
        first=(image.base - bottom) // word,
        last=-(-(image.base + image.size - bottom) // word),
        write_first=(window.base - bottom) // word,
        write_last=(window.end - bottom) // word,
        regions=[
            {"name": key, "first": (f.address - bottom) // word, "count": f.bytes // word} for key, f in written.items()
        ],
        high=bottom,
        cycles=cycles,
        waits=-(-(cycles[-1] - cycles[0]) // (LATENCIES[-1] - LATENCIES[0])),
        work=work,
        timed={name: n for name, n in counted.items() if name not in work},
        marks=[marks(joined(one.machine.log), n + OUTSIDE) for one, n in zip(estimators, cycles, strict=True)],
    )
    return job, golden


def reset_of(fields: Mapping[str, tuple[int, int, str, int]]) -> int:
    """Return what a register holds after reset."""
    return sum(reset << low for low, _, _, reset in fields.values())


def mask_of(fields: Mapping[str, tuple[int, int, str, int]]) -> int:
    """Return the bits of a register that hold what is written to them."""
    return sum(((1 << bits) - 1) << low for low, bits, access, _ in fields.values() if access == "rw")


def holes() -> list[int]:
    """Return addresses without a register: the first behind each stretch of registers, and the last of the 4 KiB."""
    return sorted({at + 4 for at in OFFSETS.values()} - set(OFFSETS.values()) | {0xFFC})


def testbench_values(bench: Bench, image: MemoryImage, sidecar: dict, verilog: str) -> dict:
    """Return the values of the names that only the testbench's templates have."""
    events = sidecar["ports"]["profile"]["fields"]
    return {
        "jobs": bench.jobs,
        "refused": bench.refused,
        "words": len(bench.before) * 8 // image.config.bus_bits,
        "margin": MARGIN,
        "spare": SPARE,
        "latencies": LATENCIES,
        "small": SMALL,
        "clearing": image.config.feature_words // 2,
        "unloaded": next((n for n, case in enumerate(bench.refused) if case.stale), None),
        "storms": STORMS,
        "memory_depth_bits": MEMORY_DEPTH.bit_length() - 1,
        "counters": [(name, events[e]["offset"], events[e]["width"]) for name, e in COUNTERS.items()],
        "marked": [(e, events[e]["offset"], events[e]["width"]) for e in MARKED],
        "counter_names": list(COUNTERS),
        "registers": registers(verilog, "reprise"),
        "reach": REACH,
        "regions": [(n, region) for n, job in enumerate(bench.jobs) for region in job.regions],
        "spoiled": [(n, *word) for n, case in enumerate(bench.refused) for word in case.words],
        "id_bits": sidecar["ports"]["m_axi_arid"]["width"],
        "cache": f"{CACHE:04b}",
        "program_offset": image.program - image.base,
        "error": {error.name: error.value for error in Error},
        "reset_of": reset_of,
        "mask_of": mask_of,
        "holes": holes(),
    }
