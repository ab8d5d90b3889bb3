"""Says what the delivered testbench must see: cycles, beats, counters, and programs that must be refused.

None of it comes from the RTL: cycles are those of the cycle model, and everything else is the golden interpreter's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...compiler import CompileError, compile_network
from ...compiler.golden.errors import OrderBroken, ProgramError
from ...compiler.golden.interpreter import Interpreter
from ...cosim.fuzz.mutate import mutate
from ...cosim.jobs.random_networks import random_images, random_network
from ...estimate.bench import MEMORY_DEPTH
from ...estimate.network import Estimator, SystemTiming
from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import MemoryImage
from ...hw.arch.program import Error
from ...hw.csr.register_map import COUNTERS, OFFSETS
from ...hw.csr.start import start_registers
from ...model.network.network import Network

LATENCY = 6
"""Cycles from an address to its first beat, in the run without stalls."""

OUTSIDE = 6
"""Cycles that the model counts and CYCLES does not: from the host's access to the start, and from the end to the
interrupt. The testbench shows that it is exact."""

SEED = 22
PATIENCE = 3
"""A job is given up after so many times the cycles of the good one."""

OTHERS, CANDIDATES, MOST_COMMANDS, MOST_BYTES, MOST_CYCLES, PAGE = 14, 100, 40, 1 << 15, 80_000, 4096
"""How many random networks the testbench runs besides and of how many they are chosen, how large their programs and
images are at most, how many cycles all of them take, and what an image begins at a multiple of."""

REFUSED, TRIED, MOST_WORDS = 48, 900, 3
"""How many spoiled programs the testbench plays, of how many they are chosen, and how many bus words each spoils."""

CACHE = 0b0011
"""AxCACHE of every burst (:func:`reprise.hw.axi.ports.constant_address_signals`)."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A spoiled program: the words of memory that differ, (index, value), and the error code and command of STATUS."""

    words: list[tuple[int, int]]
    code: int
    name: str
    command: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program of the testbench, and what it must take.

    Members
    -------
    name, commands : of the network, and of its program
    start : the registers that a host writes
    first, last, write_first, write_last : bus words of the image and of its write window, from the memory's first on
    regions : the feature maps that it writes: name, first bus word, and number of bus words
    cycles : by the cycle model
    work : what is counted of its work, by the names of the registers
    """

    name: str
    commands: int
    start: dict[str, int]
    first: int
    last: int
    write_first: int
    write_last: int
    regions: list[dict]
    cycles: int
    work: dict[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What the testbench runs: the jobs, their memory before and after (uint8), and programs that must be refused."""

    jobs: list[Job]
    refused: list[Refused]
    before: np.ndarray
    golden: np.ndarray


def make_bench(image: MemoryImage, before: np.ndarray) -> Bench:
    """Put the image and small random networks, which use what it may not, one behind another and time them all.

    ``before`` is the image's memory at the start of its job.
    """
    jobs: list[Job] = []
    memories: list[np.ndarray] = []
    goldens: list[np.ndarray] = []
    for n, other in enumerate([None, *_others(image.config)]):
        one, memory = image, before
        if other is not None:
            network, images, keep = other
            base = image.base + sum(len(part) for part in memories)
            one = compile_network(network, image.config, 2, base=base, keep_features=keep)
            memory = one.initial_memory(images)
        job, golden = _job(one, memory, image.base)
        taken = sum(earlier.cycles for earlier in jobs[1:])
        if not n or (taken + job.cycles <= MOST_CYCLES and len(jobs) <= OTHERS):
            jobs.append(job)
            for found, part in ((memories, memory), (goldens, golden)):
                found.append(np.append(part, np.zeros(-len(part) % PAGE, np.uint8)))
    return Bench(
        jobs=jobs, refused=_refused(image, before), before=np.concatenate(memories), golden=np.concatenate(goldens)
    )


def _others(config: HardwareConfig) -> list[tuple[Network, np.ndarray, bool]]:
    """Return small random networks with their images, and whether all features are kept.

    Of many, those are taken that use most of what commands can say and the ones before do not: each field of each
    command being 0, 1, 2, or more.
    """
    found = []
    for number in range(CANDIDATES):
        network = random_network(number, config, size=6 + 5 * (number % 3), channels=(12, 20)[number % 2], layers=2)
        images, keep = random_images(number, network, 2), bool(number % 2)
        try:
            image = compile_network(network, config, 2, keep_features=keep)
        except CompileError:
            continue
        uses = {(op, field, min(abs(value), 3)) for op, fields in image.commands() for field, value in fields.items()}
        if len(image.commands()) <= MOST_COMMANDS and image.size <= MOST_BYTES:
            found.append((uses, (network, images, keep)))
    chosen: list = []
    for _ in range(min(2 * OTHERS, len(found))):
        uses, one = max(found, key=lambda pair: len(pair[0]))
        chosen.append(one)
        found = [(others - uses, other) for others, other in found if other is not one]
    return chosen


def _job(image: MemoryImage, before: np.ndarray, bottom: int) -> tuple[Job, np.ndarray]:
    """Time a job, count its work, and return it with the memory that it leaves; memory begins at ``bottom``."""
    estimator = Estimator(image, SystemTiming(latency=LATENCY))
    interpreter = Interpreter(image, before.copy(), estimator.observe)
    golden = interpreter.run()
    word, window = image.config.bus_bits // 8, image.windows.write
    bits = sum(int(one["counts"].total().residual_bits) for one in estimator.runs)
    moved = {"READ_BEATS": interpreter.bytes_read, "WRITE_BEATS": interpreter.bytes_written}
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
        cycles=estimator.schedule()[-1] - OUTSIDE,
        work={"RUNS": len(estimator.runs), "RESIDUAL_BITS": bits} | {name: n // word for name, n in moved.items()},
    )
    return job, golden


def _refused(image: MemoryImage, before: np.ndarray) -> list[Refused]:
    """Return spoiled programs that the accelerator must refuse, with as many different errors as there are.

    Each spoils a few words of the memory, and no command is moved. Those that end early go before.
    """
    r, found = np.random.default_rng(SEED), []
    for _ in range(TRIED):
        mutant = mutate(image, r)
        if len(mutant.commands) != len(image.commands()):
            continue
        spoiled = before.copy()
        for address, raw in {image.program: mutant.program(), **mutant.data}.items():
            spoiled[address - image.base : address - image.base + len(raw)] = np.frombuffer(raw, np.uint8)
        words = _changed(before, spoiled, image.config.bus_bits // 8)
        end = _end(image, spoiled) if 0 < len(words) <= MOST_WORDS else None
        if end is not None:
            found.append(Refused(words=words, code=end[0].value, name=end[0].name, command=end[1]))
    found.sort(key=lambda case: case.command)
    ranks: Counter[int] = Counter()
    ranked: list[tuple[int, int, int, Refused]] = []
    for case in found:
        ranks[case.code] += 1
        ranked.append((ranks[case.code], case.command, len(ranked), case))
    return [case for *_, case in sorted(ranked)[:REFUSED]]


def _changed(old: np.ndarray, new: np.ndarray, word: int) -> list[tuple[int, int]]:
    """Return the bus words of a memory that differ from another one: the index and the new value of each."""
    padded = [np.append(memory, np.zeros(-len(memory) % word, np.uint8)).reshape(-1, word) for memory in (old, new)]
    at = np.flatnonzero((padded[0] != padded[1]).any(axis=1))
    return [(int(n), int.from_bytes(padded[1][n].tobytes(), "little")) for n in at]


def _end(image: MemoryImage, memory: np.ndarray) -> tuple[Error, int] | None:
    """Return the error with which the program in a memory is refused and the command, or None if it is not."""
    interpreter = Interpreter(image, memory.copy(), strict=False)
    try:
        interpreter.run()
    except OrderBroken:
        return None
    except ProgramError as error:
        found = re.match(r"command (\d+):", str(error))
        return (error.code, int(found[1])) if error.code and found else None
    return None


def reset_of(fields: Mapping[str, tuple[int, int, str, int]]) -> int:
    """Return what a register holds after reset."""
    return sum(reset << low for low, _, _, reset in fields.values())


def mask_of(fields: Mapping[str, tuple[int, int, str, int]]) -> int:
    """Return the bits of a register that hold what is written to them."""
    return sum(((1 << bits) - 1) << low for low, bits, access, _ in fields.values() if access == "rw")


def holes() -> list[int]:
    """Return addresses without a register: the first behind each stretch of registers, and the last of the 4 KiB."""
    return sorted({at + 4 for at in OFFSETS.values()} - set(OFFSETS.values()) | {0xFFC})


def testbench_values(bench: Bench, image: MemoryImage, sidecar: dict) -> dict:
    """Return the values of the names that only the testbench's template has."""
    events = sidecar["ports"]["profile"]["fields"]
    return {
        "jobs": bench.jobs,
        "refused": bench.refused,
        "words": len(bench.before) * 8 // image.config.bus_bits,
        "patience": PATIENCE,
        "latency": LATENCY,
        "memory_depth_bits": MEMORY_DEPTH.bit_length() - 1,
        "counters": [(name, events[e]["offset"], events[e]["width"]) for name, e in COUNTERS.items()],
        "counter_names": list(COUNTERS),
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
