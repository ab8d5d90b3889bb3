"""The whole accelerator in RTL: networks against the model, and every error followed by a correct job."""

import re
from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.errors import ProgramError
from reprise.compiler.golden.interpreter import Interpreter
from reprise.cosim.bench.system import Traffic
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.host import JobFailed, Status, end_steps, read, run_job, start_steps, write
from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.cosim.soak.attention import random_attention
from reprise.hw.arch.program import Error
from reprise.hw.csr.register_map import FIELDS
from reprise.hw.csr.start import OPEN
from reprise.model.inference.runner import run
from tests.cosim.bad_jobs import Bad, play
from tests.support.benches import system_bench
from tests.support.cosim_jobs import (
    FILL,
    TIMEOUT,
    TINY,
    Job,
    encoded,
    flipped,
    place_programs,
    pooled,
    small_network,
    spoiled,
)

TRAFFIC = [
    Traffic(latency=0),
    Traffic(latency=35, gap=1),
    Traffic(latency=3, stall=0.3, seed=5),
    Traffic(latency=1, stall=0.8, seed=6),
]


@pytest.fixture(scope="session")
def bench():
    return system_bench()


@pytest.fixture(scope="module")
def job():
    network = small_network()
    return Job.make(network, np.random.default_rng(1).integers(0, 8, (2, 1, 6, 6)))


@pytest.mark.parametrize("traffic", TRAFFIC, ids=lambda t: f"latency{t.latency}-gap{t.gap}-stall{t.stall}")
def test_traffic(bench, job, traffic):
    ran = run_job(bench, job.compiled, job.images, traffic=traffic, fill=FILL, timeout=TIMEOUT)
    job.check(ran.memory)
    constants = np.frombuffer(job.compiled.data, np.uint8)
    assert np.array_equal(ran.memory[: len(constants)], constants), "constants were overwritten"
    assert ran.counters["CYCLES_LO"] == pytest.approx(ran.cycles, abs=20)


@pytest.mark.parametrize("make", [random_network, random_attention])
@pytest.mark.parametrize("seed", range(12))
def test_random_networks(bench, seed, make):
    network = make(seed, TINY)
    images = random_images(seed, network, 1 + seed % 3)
    keep = seed % 2 == 0
    try:
        compiled = compile_network(network, TINY, len(images), keep_features=keep)
    except CompileError:
        pytest.skip("the compiler refuses it")
    traffic = Traffic(latency=seed * 3, stall=seed % 3 * 0.25, gap=seed % 2, seed=seed)
    ran = run_job(bench, compiled, images, traffic=traffic, fill=FILL, timeout=TIMEOUT)
    expected = run(network, images, record=("features", "potentials"))
    for check in compare(compiled, ran.memory, expected):
        assert not check.mismatches or not (keep or check.layer == network.layers[-1].name), check.first or check.error


def test_malformed_headers(bench, job):
    load, segments, params, go = map(job.first, ("LOAD_FEATURES", "LOAD_SEGMENTS", "LOAD_PARAMS", "RUN"))
    end = len(job.commands) - 1
    spots = [
        (load, 0, 31, "magic"),
        (go, 0, 16, "magic"),
        (load, 0, 3, "opcode 9"),
        (end, 0, 7, "opcode 128"),
        (load, 0, 8, "reserved beside the opcode"),
        (load, 63, 31, "last reserved bit of a load"),
        (segments, 5, 0, "reserved word of LOAD_SEGMENTS"),
        (params, 3, 16, "reserved half word of LOAD_PARAMS"),
        (go, 7, 7, "reserved bit inside a RUN"),
        (go, 62, 0, "reserved word of a RUN"),
        (end, 1, 0, "reserved word of END"),
    ]
    memory, addresses = place_programs(job, [flipped(job, i, word, bit) for i, word, bit, _ in spots])
    bads = [Bad(error=Error.COMMAND, program=at, command=i) for at, (i, *_) in zip(addresses, spots, strict=True)]
    play(bench, job, bads, memory)


def test_fields_out_of_range(bench, job):
    go, load, segments, params = map(job.first, ("RUN", "LOAD_FEATURES", "LOAD_SEGMENTS", "LOAD_PARAMS"))
    changes = [
        (go, {"k_tiles": 0}),
        (go, {"m_tiles": 0}),
        (go, {"rows": TINY.tile_m + 1}),
        (go, {"rows_last": 0}),
        (go, {"groups": TINY.groups + 1}),
        (go, {"timesteps": 0}),
        (go, {"timesteps": TINY.max_timesteps + 1}),
        (go, {"planes": 0}),
        (go, {"levels": TINY.max_levels + 1}),
        (go, {"weights": (1 << 40) + 64}),
        (go, {"loop0_count": 0}),
        (go, {"weights_ready": 1}),
        (load, {"bytes": 4}),
        (load, {"bytes": 0}),
        (load, {"source": job.commands[load][1]["source"] + 1}),
        (load, {"target": TINY.feature_words}),
        (segments, {"target": TINY.segments}),
        (segments, {"count": 0}),
        (params, {"groups": 0}),
        (params, {"groups": TINY.groups + 1}),
    ]
    programs = [spoiled(job, i, **change) for i, change in changes]
    programs += [pooled(job, pool) for pool in (5, 6, 15)]
    memory, addresses = place_programs(job, programs)
    bads = []
    for at in addresses:  # the interpreter refuses the same command with the same code
        with pytest.raises(ProgramError) as refused:
            Interpreter(replace(job.compiled, program=at), memory.copy(), windows=OPEN).run()
        assert refused.value.code == Error.FIELD, refused.value
        command = int(re.match(r"command (\d+):", str(refused.value))[1])
        bads.append(Bad(error=Error.FIELD, program=at, command=command))
    play(bench, job, bads, memory)


def test_axi_errors(bench, job):
    """SLVERR on every kind of read and on writes."""
    compiled = job.compiled
    regions = {(r.kind, r.name): r for r in compiled.regions}
    reads = [(k, n) for k, n in regions if k in ("weights", "parameters", "segments", "input")]
    bads = []
    for key in reads:
        before = (("set", "fault_first", regions[key].address), ("set", "fault_last", regions[key].end - 1))
        bads.append(Bad(error=Error.READ, program=compiled.program, before=before))
    for name in ("conv1", "out"):
        r = regions["feature", name]
        # the last bus word alone: the error comes with the last answer
        before = (("set", "fault_first", r.end - 8), ("set", "fault_last", r.end - 1))
        bads.append(Bad(error=Error.WRITE, program=compiled.program, before=before))
    where = compiled.program + 256 * job.first("RUN")
    before = (("set", "fault_first", where), ("set", "fault_last", where))
    bads.append(Bad(error=Error.READ, program=compiled.program, before=before))
    play(bench, job, bads, job.memory())


def test_addresses_beyond_the_memory(bench, job):
    """DECERR: program, weights, input, parameters, segments, output beyond the memory."""
    beyond = bench.memory_bytes
    go, load, segments, params = map(job.first, ("RUN", "LOAD_FEATURES", "LOAD_SEGMENTS", "LOAD_PARAMS"))
    programs = [
        spoiled(job, load, source=beyond),
        spoiled(job, segments, source=beyond + 4096),
        spoiled(job, params, source=beyond - 8),
        spoiled(job, go, weights=(1 << 40) - 64),
        spoiled(job, go, output=beyond),
    ]
    memory, addresses = place_programs(job, programs)
    bads = [Bad(error=Error.READ, program=at) for at in addresses[:4]]
    bads += [Bad(error=Error.WRITE, program=addresses[4]), Bad(error=Error.READ, program=beyond)]
    play(bench, job, bads, memory)


def test_stop_at_many_moments(bench, job):
    whole = run_job(bench, job.compiled, job.images, fill=FILL, timeout=TIMEOUT).cycles
    moments = sorted({1, 5, 20, *np.random.default_rng(7).integers(30, int(whole * 0.9), 9).tolist()})
    bads = [
        Bad(error=Error.STOPPED, program=job.compiled.program, during=(("wait", n), tuple(write("CONTROL", 2))))
        for n in moments
    ]
    play(bench, job, bads, job.memory(), Traffic(latency=30))


def test_watchdog(bench, job):
    """A memory that does not answer for ages; a program of nothing but an END is no such thing."""
    silent = (("set", "latency", 30_000),)
    memory, (end,) = place_programs(job, [encoded([("END", {})])])
    bads = [Bad(error=Error.WATCHDOG, program=job.compiled.program, before=silent, watchdog=n) for n in (1000, 5000)]
    # ... or that falls silent in the middle: whatever the job waits for then, also the answers to its writes.
    whole = run_job(bench, job.compiled, job.images, fill=FILL, timeout=TIMEOUT).cycles
    for n in np.linspace(0.1, 0.9, 7) * whole:
        silence = (("wait", int(n)), ("set", "latency", 30_000))
        bads.append(Bad(error=Error.WATCHDOG, program=job.compiled.program, during=silence, watchdog=2000))
    play(bench, job, bads, memory)
    result = bench.run([*start_steps(end, OPEN, watchdog=1000), *end_steps(TIMEOUT)], memory)
    assert Status.of(result.results[-3]).error == 0


def test_start_while_busy(bench, job):
    """Refused, noted, and the job in progress is right; the note is gone with the next start."""
    size = job.compiled.size
    steps = [*start_steps(job.compiled.program, OPEN), ["wait", 200], write("CONTROL", 1), ["wait", 50], read("STATUS")]
    busy = len(steps) - 1
    steps += [*end_steps(TIMEOUT), ["dump", "first", 0, size], ["load"], *start_steps(job.compiled.program, OPEN)]
    steps += [["wait", 20], read("STATUS")]
    again = len(steps) - 1
    steps += [*end_steps(TIMEOUT), ["dump", "second", 0, size]]
    result = bench.run(steps, job.memory())
    assert Status.of(result.results[busy]).refused and Status.of(result.results[busy]).busy
    status = Status.of(result.results[busy + 2])
    assert status.refused and status.done and not status.error
    assert not Status.of(result.results[again]).refused
    job.check(result.dumps["first"])
    job.check(result.dumps["second"])


def test_stop_while_idle_and_polling(bench, job):
    """A stop without a job changes nothing; without the interrupt a host can poll."""
    size = job.compiled.size
    done = 1 << FIELDS["STATUS"]["done"][0]
    steps = [write("CONTROL", 2), read("STATUS"), *start_steps(job.compiled.program, OPEN)]
    steps.insert(-2, write("IRQ_ENABLE", 0))
    steps += [["poll", *read("STATUS")[1:], done | 1, done, TIMEOUT], ["no_irq"], ["dump", "memory", 0, size]]
    steps += [write("IRQ_ENABLE", 1), ["wait", 2], ["irq", 10], write("IRQ_STATUS", 1), ["no_irq"]]
    result = bench.run(steps, job.memory())
    assert result.results[1] == 0
    job.check(result.dumps["memory"])


def test_run_job_names_the_error(bench, job):
    data = bytearray(job.compiled.data)
    data[job.compiled.program - job.compiled.base + 2] ^= 1  # the first command's magic
    with pytest.raises(JobFailed, match="bad magic, opcode or reserved bits in a command.* at command 0"):
        run_job(bench, replace(job.compiled, data=bytes(data)), job.images, timeout=TIMEOUT)
