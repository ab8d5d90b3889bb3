"""Plays mutated programs of networks in one simulation, and says of each how RTL and interpreter ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from ...compiler import CompileError, compile_network
from ...compiler.golden.errors import OrderBroken, ProgramError
from ...compiler.golden.interpreter import Interpreter
from ...hw.arch.config import HardwareConfig
from ...hw.arch.memory_image import AddressWindow, MemoryImage, Windows
from ...hw.arch.program import Error
from ...model.network.network import Network
from ..bench.system import SystemBench, Traffic
from ..jobs.host import Status, end_steps, start_steps
from ..jobs.random_networks import random_images, random_network, random_tiles
from ..soak.attention import random_attention
from ..soak.joins import random_joins
from ..soak.shortcuts import random_shortcuts
from .mutate import Mutant, mutate

FILL = 0xA5
CASES = 40
"""Mutated programs of one network."""

BENCH_BYTES = 1 << 23
"""Size of the bench's memory, which holds an image and all mutated programs with their data."""

MOST_COMMANDS, MOST_BYTES = 40, 1 << 16
"""Size of the programs and of their memory; larger networks are left out, for a simulation is to be short."""


NAMES = {error.value: error.name for error in Error}
WATCHDOG, LIMIT = 20_000, 2_000_000
"""Cycles without progress after which a job is ended, and within which any job must have ended."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """How one mutated program ended.

    Members
    -------
    what : the mutations
    way : "refused" (both, with the same code), "equal" (both ran it, and their memories are equal), "order" (a rule of
        order is broken: the interpreter names it, the RTL ended inside its window), or "wrong"
    detail : error code, name of the rule, or what is wrong
    """

    what: str
    way: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Golden:
    """How the interpreter ended: with a memory, an error code, or the name of a rule of order."""

    memory: np.ndarray
    code: int = 0
    rule: str = ""
    message: str = ""


def base_network(config: HardwareConfig, seed: int, number: int) -> Network:
    """Make a small network; every second seed makes one that needs what only some configurations have built."""
    special = {"masks": random_attention, "addend_groups": random_shortcuts, "joins": random_joins}
    built = [make for field, make in special.items() if getattr(config, field)]
    if built and seed % 2:
        return built[seed // 2 % len(built)](number, config)
    return random_network(number, config, size=6, channels=12, layers=1 + number % 3)


def base_job(config: HardwareConfig, seed: int) -> tuple[MemoryImage, np.ndarray]:
    """Return the compiled network of a seed, and its images; the first that is small enough is taken."""
    for attempt in range(1000):
        number = seed * 1000 + attempt
        network = base_network(config, seed, number)
        images = random_images(number, network, 1 + number % 2)
        try:
            cuts = random_tiles(number, network, config)
            compiled = compile_network(network, config, len(images), keep_features=number % 4 > 0, **cuts)
        except CompileError:
            continue
        if len(compiled.commands()) <= MOST_COMMANDS and compiled.size <= MOST_BYTES:
            return compiled, images
    raise AssertionError(f"seed {seed}: no network is small enough")


def place(compiled: MemoryImage, memory: np.ndarray, mutants: list[Mutant]) -> tuple[np.ndarray, list[int]]:
    """Return the memory with all mutated programs behind the image, and their addresses.

    A mutant's changed data lies in a copy of all constants, to which its commands are turned.
    """
    parts, addresses = [memory], []
    end = -(-len(memory) // 4096) * 4096
    parts.append(np.full(end - len(memory), FILL, np.uint8))
    for mutant in mutants:
        if mutant.data:
            constants = memory[: len(compiled.data)].copy()
            for at, raw in mutant.data.items():
                constants[at - compiled.base : at - compiled.base + len(raw)] = np.frombuffer(raw, np.uint8)
            for n, (opcode, fields) in enumerate(mutant.commands):
                if opcode in ("LOAD_SEGMENTS", "LOAD_PARAMS") and fields["source"] < compiled.base + len(constants):
                    mutant.commands[n] = (opcode, fields | {"source": fields["source"] + end - compiled.base})
            filled = np.full(-(-len(constants) // 4096) * 4096, FILL, np.uint8)
            filled[: len(constants)] = constants
            parts.append(filled)
            end += len(filled)
        program = np.frombuffer(mutant.program(), np.uint8)
        padded = np.full(-(-len(program) // 4096) * 4096, FILL, np.uint8)
        padded[: len(program)] = program
        addresses.append(end)
        parts.append(padded)
        end += len(padded)
    return np.concatenate(parts), addresses


def golden(compiled: MemoryImage, memory: np.ndarray, program: int, windows: Windows) -> Golden:
    """Run a program in the interpreter."""
    after = memory.copy()
    interpreter = Interpreter(replace(compiled, program=program), after, windows=windows, strict=False)
    try:
        interpreter.run()
    except OrderBroken as error:
        return Golden(memory=after, rule=error.rule, message=str(error))
    except ProgramError as error:
        return Golden(memory=after, code=error.code or -1, message=str(error))
    return Golden(memory=after)


def verdict(
    mutant: Mutant, status: Status, after: np.ndarray, before: np.ndarray, wanted: Golden, write: AddressWindow
) -> Case:
    """Compare how the RTL ended with how the interpreter did."""
    what = "; ".join(mutant.what)

    def case(way: str, detail: str) -> Case:
        return Case(what=what, way=way, detail=detail)

    outside = np.ones(len(before), bool)
    outside[write.base : write.end] = False
    changed = int((after != before)[outside].sum())
    if changed:
        return case("wrong", f"{changed} bytes outside the write window changed")
    if wanted.rule:
        return case("order", wanted.rule)
    if status.error != wanted.code:
        return case("wrong", f"RTL: {status}; interpreter: {wanted.code} {wanted.message}")
    if wanted.code:
        return case("refused", NAMES[wanted.code])
    differs = int((after != wanted.memory).sum())
    return case("wrong", f"{differs} bytes differ") if differs else case("equal", "")


@dataclass(frozen=True, kw_only=True)
class _Game:
    """The mutated programs of one network: all that is known before the simulation."""

    seed: int
    compiled: MemoryImage
    mutants: list[Mutant]
    addresses: list[int]
    memory: np.ndarray
    windows: Windows
    traffic: Traffic

    @classmethod
    def of(cls, config: HardwareConfig, seed: int) -> _Game:
        """Make CASES mutated programs of the network of a seed."""
        compiled, images = base_job(config, seed)
        r = np.random.default_rng([seed, 31])
        mutants = [m for m in (mutate(compiled, r) for _ in range(CASES)) if m.what]
        memory, addresses = place(compiled, compiled.initial_memory(images, FILL), mutants)
        memory = np.concatenate([memory, np.full(-len(memory) % (config.bus_bits // 8), FILL, np.uint8)])
        return cls(
            seed=seed,
            compiled=compiled,
            mutants=mutants,
            addresses=addresses,
            memory=memory,
            windows=Windows(read=AddressWindow(base=0, size=len(memory)), write=compiled.windows.write),
            traffic=Traffic(latency=int(r.choice([0, 3, 20])), stall=float(r.choice([0, 0, 0.3])), seed=seed & 0xFFFF),
        )

    @property
    def name(self) -> str:
        return f"memory{self.seed}"

    def steps(self) -> Iterator[list]:
        """Yield the steps that play every mutated program, and after each the right one."""
        yield from (["set", name, value] for name, value in self.traffic.signals().items())
        for n, address in enumerate(self.addresses):
            for name, program in ((f"bad{self.seed}-{n}", address), (f"good{self.seed}-{n}", self.compiled.program)):
                yield ["load", self.name]
                yield from start_steps(program, self.windows, watchdog=WATCHDOG)
                yield from end_steps(LIMIT)
                yield ["dump", name, 0, len(self.memory)]

    def cases(self, ends: Iterator[Status], dumps: dict[str, np.ndarray]) -> list[dict]:
        """Compare how each program ended, in the order of the steps, with how it ends in the interpreter."""
        right = golden(self.compiled, self.memory, self.compiled.program, self.windows)
        assert not right.code and not right.rule, right.message
        found = []
        for n, (mutant, address) in enumerate(zip(self.mutants, self.addresses, strict=True)):
            wanted = golden(self.compiled, self.memory, address, self.windows)
            after, write = dumps[f"bad{self.seed}-{n}"], self.windows.write
            case = verdict(mutant, next(ends), after, self.memory, wanted, write)
            good = next(ends)
            if good.error or not np.array_equal(dumps[f"good{self.seed}-{n}"], right.memory):
                case = Case(what=case.what, way="wrong", detail=f"the job after it: {good}")
            found.append(asdict(case))
        return found


def play(config: HardwareConfig, seeds: Sequence[int]) -> dict[int, list[dict]]:
    """Play the mutated programs of the networks of some seeds in one simulation, each followed by the right program.

    Returns
    -------
    dict
        By the seed, a :class:`Case` for each program, as a dictionary.
    """
    games = [_Game.of(config, seed) for seed in seeds]
    steps = [step for game in games for step in game.steps()]
    memories = {game.name: game.memory for game in games}
    result = SystemBench(config, memory_bytes=BENCH_BYTES).run(steps, memories)
    wait = end_steps(LIMIT)[1]
    ends = (Status.of(v) for step, v in zip(steps, result.results, strict=True) if step == wait)
    return {game.seed: game.cases(ends, result.dumps) for game in games}
