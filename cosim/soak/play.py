"""Plays the jobs of a shard one after the other in one simulation, and compares each with the models.

Every byte of the memory must be what the golden interpreter leaves, and every feature map what the model says, and the
bytes that are moved those of the commands. Where the memory does not stall at random, every RUN must also end in the
very cycle that the exact cycle model says, and so must the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ...compiler.golden.interpreter import Interpreter
from ...estimate.network import Estimator, SystemTiming
from ...hw.interface.streams import epoch_bits
from ...model.inference.runner import run
from ...support.errors import SimulationError
from ..bench.system import Mark, SystemBench
from ..jobs.compare import compare
from ..jobs.figures import run_ends
from ..jobs.host import Status, end_steps, read, start_steps
from ..jobs.prepare import memory_bytes
from ..jobs.run import FILL
from .draw import Case, Hardware, Refused, cases
from .traits import traits

WATCHDOG, LIMIT = 50_000, 20_000_000
"""Cycles without progress after which a job is ended, and within which any job must have ended."""

READ = ("READ_BEATS", "WRITE_BEATS")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a job ended.

    Members
    -------
    seed : of its network
    status : "equal", "refused" (by the compiler), "mismatch" or "failed"
    detail : why it is not equal
    refusals : how many networks the compiler refused before this one
    cycles : of the RTL, or 0 in the interpreter
    exact : whether its cycles had to be those of the cycle model, because the memory does not stall at random
    traits : what is special about it (see :mod:`reprise.cosim.soak.traits`)
    """

    seed: int
    status: str
    detail: str = ""
    refusals: int = 0
    cycles: int = 0
    exact: bool = False
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """What the models say of a job: the memory afterwards, the bytes moved, and when each RUN and the job must end."""

    memory: np.ndarray
    moved: tuple[int, int]
    ends: dict[int, int]
    cycles: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Ran:
    """What the RTL did with a job: see :class:`Golden`."""

    status: Status
    memory: np.ndarray
    moved: tuple[int, int]
    ends: dict[int, int]
    cycles: int


def golden(case: Case) -> Golden:
    """Run a job in the interpreter, and in the cycle model if the memory does not stall at random."""
    image, traffic = case.compiled, case.traffic
    exact = not traffic.stall
    estimator = Estimator(image, SystemTiming(latency=traffic.latency, gap=traffic.gap)) if exact else None
    interpreter = Interpreter(image, image.initial_memory(case.images, FILL), estimator.observe if estimator else None)
    memory = interpreter.run()
    moved = interpreter.bytes_read, interpreter.bytes_written
    if estimator is None:
        return Golden(memory=memory, moved=moved, ends={}, cycles=None)
    cycles = estimator.schedule()[-1]
    runs = [index for index, (opcode, _) in enumerate(image.commands()) if opcode == "RUN"]
    ends = {index: int(estimator.machine.ends[index]) for index in runs}
    return Golden(memory=memory, moved=moved, ends=ends, cycles=cycles)


def simulate(bench: SystemBench, jobs: Sequence[Case]) -> list[Ran]:
    """Run jobs one after the other in the RTL, without a reset between them.

    After so many jobs as there are epochs the accelerator clears its feature buffer, and a job that began meanwhile
    would wait for that (:mod:`reprise.hw.sequencer.epoch`), which the cycle model of one job does not know.
    """
    size = jobs[-1].end
    memory = np.full(size, FILL, np.uint8)
    steps: list[list] = []
    at = []
    epochs = (1 << epoch_bits(bench.config)) - 1
    for number, case in enumerate(jobs):
        if number and number % epochs == 0:
            steps.append(["wait", bench.config.feature_words // 2])
        image, signals = case.compiled, case.traffic.signals()
        memory[image.base : image.base + image.size] = image.initial_memory(case.images, FILL)
        steps += [["set", name, signals[name]] for name in ("latency", "stall", "gap")]
        steps += start_steps(image.program, image.windows, watchdog=WATCHDOG)
        at.append(len(steps))
        steps += [*end_steps(LIMIT), *map(read, READ)]
    steps.append(["dump", "memory", 0, size])
    result = bench.run(steps, memory, traffic=jobs[0].traffic)
    found = []
    for case, begin in zip(jobs, at, strict=True):
        start, irq, status = result.results[begin - 2], result.results[begin], result.results[begin + 1]
        beats = result.results[begin + 4 : begin + 6]
        found.append(
            Ran(
                status=Status.of(status),
                memory=result.dumps["memory"][case.compiled.base : case.end],
                moved=(beats[0] * bench.word, beats[1] * bench.word),
                ends=_ends(case, result.marks[:-1], start, irq),
                cycles=irq - start,
            )
        )
    return found


def _ends(case: Case, marks: Sequence[Mark], start: int, irq: int) -> dict[int, int]:
    """Return the cycle of each RUN's end, counted from the start of its job, or nothing if runs are missing."""
    try:
        ends = run_ends(case.compiled, [mark for mark in marks if start <= mark.cycle < irq])
    except ValueError:
        return {}
    return {index: end.cycle - start for index, (_, end) in ends.items()}


def judge(case: Case, wanted: Golden, ran: Ran | None) -> tuple[str, str]:
    """Return the status and the detail of a job's verdict; without ``ran`` it was run in the interpreter alone."""
    image = case.compiled
    after = wanted.memory if ran is None else ran.memory[: image.size]
    if ran is not None and (ran.status.error or not ran.status.done):
        return "failed", f"the job ended with {ran.status}"
    expected = run(case.network, case.images, record=("features", "potentials"))
    kept = {entry.feature: entry for entry in image.layers} if case.kept else {}
    kept[image.layers[-1].feature] = image.layers[-1]
    for check in compare(image, after, expected):
        if check.mismatches and check.feature in kept:
            return "mismatch", str(check.first or check.error)
    if ran is None:
        return "equal", ""
    filled = np.full(len(ran.memory), FILL, np.uint8)
    filled[: image.size] = wanted.memory
    differs = np.flatnonzero(ran.memory != filled)
    if len(differs):
        return "mismatch", f"{len(differs)} bytes of memory differ from the interpreter's, the first at {differs[0]}"
    if ran.moved != wanted.moved:
        return "mismatch", f"bytes read and written must be {wanted.moved}, not {ran.moved}"
    if wanted.cycles is not None and (ran.ends, ran.cycles) != (wanted.ends, wanted.cycles):
        wrong = [index for index, end in wanted.ends.items() if ran.ends.get(index) != end]
        first = f"RUN {wrong[0]}: {wanted.ends[wrong[0]]}, {ran.ends.get(wrong[0])}; " if wrong else ""
        return "mismatch", f"cycles, model and RTL: {first}job: {wanted.cycles}, {ran.cycles}; {case.traffic}"
    return "equal", ""


def verdict(case: Case, bench: SystemBench | None, ran: Ran | None) -> Verdict:
    """Compare a job with the models, and run it alone if it was to be run in RTL and has not been yet."""
    try:
        if bench is not None and ran is None:
            (ran,) = simulate(bench, [case])
        status, detail = judge(case, golden(case), ran)
    except Exception as error:  # whatever happens is the verdict of this job, and the others go on
        status, detail = "failed", f"{type(error).__name__}: {error}"[-1500:]
    return Verdict(
        seed=case.seed,
        status=status,
        detail=detail,
        refusals=len(case.refusals),
        cycles=ran.cycles if ran else 0,
        exact=ran is not None and not case.traffic.stall,
        traits=traits(case),
    )


def play(on: Hardware, shard: int, engine: str) -> list[dict]:
    """Play the jobs of a shard, and return their verdicts as dictionaries; it may be in a process of its own."""
    drawn = list(cases(on, shard))
    jobs = [one for one in drawn if isinstance(one, Case)]
    bench, found = None, dict[int, Ran]()
    if engine == "rtl" and jobs:
        bench = SystemBench(on.config, memory_bytes=memory_bytes(jobs[-1].end))
        try:
            found = {case.seed: ran for case, ran in zip(jobs, simulate(bench, jobs), strict=True)}
        except SimulationError:
            pass  # which job it is turns out when each is run alone
    verdicts = [
        Verdict(seed=one.seed, status="refused", detail=one.reason)
        if isinstance(one, Refused)
        else verdict(one, bench, found.get(one.seed))
        for one in drawn
    ]
    return [asdict(one) for one in verdicts]
