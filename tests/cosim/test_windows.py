"""The host's windows and its races, on the whole accelerator in RTL: nothing outside, nothing lost, never two ends."""

from __future__ import annotations

import numpy as np
import pytest

from reprise.cosim.bench.system import Traffic
from reprise.cosim.jobs.host import Status, end_steps, read, run_job, start_steps, write
from reprise.hw.arch.memory_image import AddressWindow, Windows
from reprise.hw.arch.program import Error
from reprise.hw.csr.start import start_registers
from tests.cosim.bad_jobs import Bad, play
from tests.support.benches import system_bench
from tests.support.cosim_jobs import FILL, TIMEOUT, Job, place_programs, small_network, spoiled

START, STOP = 1, 2


@pytest.fixture(scope="module")
def bench():
    return system_bench()


@pytest.fixture(scope="module")
def job():
    return Job.make(small_network(), np.random.default_rng(1).integers(0, 8, (2, 1, 6, 6)))


def cut(window: AddressWindow, first: int = 0, last: int = 0) -> AddressWindow:
    """The window without its first and its last bytes."""
    return AddressWindow(base=window.base + first, size=window.size - first - last)


def test_what_leaves_a_window_is_refused(bench, job):
    """Windows a bus word too small at either end, and empty ones; after each the right job is right."""
    windows, word = job.compiled.windows, bench.word
    everything = AddressWindow(base=0, size=1 << 40)
    first_read = min(f["source"] for op, f in job.commands if op.startswith("LOAD"))
    bads = [
        Bad(error=error, program=job.compiled.program, windows=Windows(read=reads, write=writes))
        for error, reads, writes in (
            (Error.READ_WINDOW, AddressWindow(base=0, size=0), everything),
            (Error.READ_WINDOW, cut(windows.read, first_read + word), everything),
            (Error.READ_WINDOW, AddressWindow(base=0, size=job.compiled.program + word), everything),
            (Error.WRITE_WINDOW, everything, AddressWindow(base=0, size=0)),
            (Error.WRITE_WINDOW, everything, cut(windows.write, first=word)),
            (Error.WRITE_WINDOW, everything, cut(windows.write, last=windows.write.size // 2)),
            (Error.START, everything, AddressWindow(base=1, size=word)),
        )
    ]
    bads.append(Bad(error=Error.START, program=job.compiled.program + 4))
    play(bench, job, bads, job.memory(), Traffic(latency=6, stall=0.2))


@pytest.mark.parametrize("traffic", [Traffic(), Traffic(latency=20, stall=0.5)], ids=["at once", "slow"])
def test_no_byte_outside_is_written(bench, job, traffic):
    """Runs that would write over weights, program or beyond the outputs end with the code; memory there is whole."""
    go = job.first("RUN")
    fields, allowed = job.commands[go][1], job.compiled.windows.write
    changes = [
        {"output": 0},
        {"output": job.compiled.program},
        {"output": allowed.base - bench.word},
        {"output": allowed.end - bench.word},
        {"image_stride": 1 << 20},
        {"image_stride": 1 << 31},
        {"image_stride": 1 << 31, "output": fields["output"] + (1 << 20)},
        {"output": fields["output"] + (1 << 39)},
    ]
    memory, addresses = place_programs(job, [spoiled(job, go, **change) for change in changes])
    whole = AddressWindow(base=0, size=len(memory))
    steps = []
    for n, at in enumerate(addresses):
        steps += [["load"], *start_steps(at, Windows(read=whole, write=allowed)), *end_steps(TIMEOUT)]
        steps.append(["dump", f"after{n}", 0, len(memory)])
    result = bench.run(steps, memory, traffic=traffic)
    ends = [Status.of(value) for step, value in zip(steps, result.results, strict=True) if step == read("STATUS")]
    outside = np.ones(len(memory), bool)
    outside[allowed.base : allowed.end] = False
    for n, (change, status) in enumerate(zip(changes, ends, strict=True)):
        assert status.error == Error.WRITE_WINDOW and status.done and not status.busy, f"{change}: {status}"
        assert np.array_equal(result.dumps[f"after{n}"][outside], memory[outside]), change


def test_registers_are_taken_at_the_start(bench, job):
    """A host that writes the program's address and the windows while the job begins does not move them."""
    steps = []
    for wait in range(8):
        steps += [["load"], *start_steps(job.compiled.program, job.compiled.windows), ["wait", 1 + wait]]
        closed = AddressWindow(base=0, size=0)
        steps += [write(name, value) for name, value in start_registers(0, Windows(read=closed, write=closed)).items()]
        steps += [*end_steps(TIMEOUT), ["dump", f"after{wait}", 0, job.compiled.size]]
    result = bench.run(steps, job.memory())
    for step, value in zip(steps, result.results, strict=True):
        assert step != read("STATUS") or not Status.of(value).error
    for wait in range(8):
        job.check(result.dumps[f"after{wait}"])


def test_a_start_at_any_moment_of_the_end(bench, job):
    """Around the end of a job a second start is refused or begins a job: busy and done are never seen together."""
    begin = start_steps(job.compiled.program, job.compiled.windows)
    cycles = run_job(bench, job.compiled, job.images, fill=FILL, timeout=TIMEOUT).cycles
    poll = ["poll", *read("STATUS")[1:], 1, 0, TIMEOUT]
    steps, endings = [], set()
    for early in range(-4, 24):
        steps += [["load"], *begin, ["wait", cycles - early], write("CONTROL", START), read("STATUS"), read("STATUS")]
        steps += [poll, write("IRQ_STATUS", 1), ["wait", 3], ["no_irq"]]
    values = bench.run(steps, job.memory()).results
    seen = [Status.of(v) for step, v in zip(steps, values, strict=True) if step in (read("STATUS"), poll)]
    assert not any(status.busy and status.done for status in seen)
    for end in seen[2::3]:
        assert end.done and not end.busy and not end.error
        endings.add("refused" if end.refused else "begun")
    assert endings == {"refused", "begun"}


def test_start_and_stop_in_one_write(bench, job):
    """While idle it is a job that ends as stopped; during a job it ends that one and the start is refused."""
    begin = start_steps(job.compiled.program, job.compiled.windows)
    both = write("CONTROL", START | STOP)
    steps = [*begin[:-1], both, *end_steps(TIMEOUT), *begin, ["wait", 100], both, *end_steps(TIMEOUT)]
    steps += [["load"], *begin, *end_steps(TIMEOUT), ["dump", "memory", 0, job.compiled.size]]
    result = bench.run(steps, job.memory())
    idle, during, good = (Status.of(v) for step, v in zip(steps, result.results, strict=True) if step == read("STATUS"))
    assert (idle.error, idle.command, idle.refused) == (Error.STOPPED, 0, 0)
    assert (during.error, during.refused) == (Error.STOPPED, 1)
    assert (good.error, good.refused) == (0, 0)
    job.check(result.dumps["memory"])
