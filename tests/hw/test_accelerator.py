# amaranth: UnusedElaboratable=no
"""The top in RTL: ports, registers, counters, recovery under traffic (see also test_cosim_system)."""

from __future__ import annotations

import numpy as np
import pytest

from reprise.compiler.golden.interpreter import Interpreter
from reprise.cosim.bench.system import Traffic
from reprise.hw.accelerator import Accelerator
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.axi.ports import lite_members, read_members, write_members
from reprise.hw.csr.register_map import OFFSETS
from reprise.hw.verilog import ports
from tests.support.accelerator_jobs import COUNTER_READS, finish, read, start, status, write
from tests.support.benches import system_bench
from tests.support.cosim_jobs import Job, small_network

TINY = HardwareConfig.load("tiny")


def test_ports_are_frozen():
    """The names that tools infer interfaces from; a change here breaks every design around the accelerator."""
    found = ports(Accelerator(TINY))
    expected = {"clk", "rst", "irq", "profile"} | {f"s_axil_{name}" for name in lite_members()}
    expected |= {f"m_axi_{name}" for name in read_members(64) | write_members(64)}
    assert set(found) == expected
    widths = {"m_axi_araddr": 40, "m_axi_rdata": 64, "m_axi_wstrb": 8, "m_axi_awlen": 8, "s_axil_awaddr": 12, "irq": 1}
    assert {name: found[name]["width"] for name in widths} == widths
    outputs = ("m_axi_arvalid", "m_axi_rready", "m_axi_bready", "s_axil_awready", "s_axil_rvalid", "irq")
    assert all(found[name]["direction"] == "output" for name in outputs)


@pytest.fixture(scope="module")
def bench():
    return system_bench()


@pytest.fixture(scope="module")
def job():
    return Job.make(small_network(), np.random.default_rng(1).integers(0, 8, (2, 1, 6, 6)))


def play(bench, job, steps, **traffic):
    """Steps on the job's memory; the simulation's result and the steps' values."""
    result = bench.run(steps, job.memory(), traffic=Traffic(**traffic))
    return result, result.results


def test_identification(bench, job):
    steps = [read(name) for name in ("ID", "VERSION", "CONFIG_HASH", "BUS", "STATUS", "WATCHDOG")]
    steps += [["read", 0x030], ["write", 0xFFC, 1], ["no_irq"]]
    _, values = play(bench, job, steps)
    assert values[:6] == [0x53525052, 2 << 16, int(TINY.digest()[:8], 16), TINY.bus_bits // 8, 0, 1 << 20]
    assert values[6:8] == [-1, -1]  # refused


def weight_rows(job):
    """The weight rows of every tile that fetches any: all, or those that are used; a tile without any gets one."""
    found = []

    def observe(trace):
        f = trace.fields
        for number, tile in enumerate(trace.tiles()):
            if f["weights_ready"] or (f["weights_keep"] and tile.m):
                continue
            used = {k for row in tile.rows.tolist() for k in range(TINY.tile_k) if row >> k & 1}
            whole = f["weights_keep"] or number < f["whole_tiles"]
            found.append(f["tile_depth"] if whole else max(1, len(used)))

    Interpreter(job.compiled, job.memory(), observe).run()
    assert 0 < min(found) < TINY.tile_k, "some tile uses few rows"
    return found


@pytest.mark.parametrize("traffic", [dict(latency=0), dict(latency=40, stall=0.4), dict(latency=9, gap=3)], ids=str)
def test_counters_agree_with_the_memory_and_the_program(bench, job, traffic):
    steps = [
        *start(job.compiled.program),
        *finish(),
        *COUNTER_READS,
        read("STATUS"),
        ["dump", "m", 0, job.compiled.size],
    ]
    result, values = play(bench, job, steps, **traffic)
    job.check(result.dumps["m"])
    seen = {tuple(step): value for step, value in zip(steps, values, strict=True) if step[0] == "read"}
    runs = [fields for opcode, fields in job.commands if opcode == "RUN"]
    c = TINY

    def counter(name):
        return seen[tuple(read(name))]

    assert counter("RUNS") == len(runs)
    assert counter("COMMANDS") == len(job.commands) - 1 == status(seen[tuple(read("STATUS"))])["command"]
    assert counter("READ_BEATS") == result.beats_read
    assert counter("WRITE_BEATS") == result.beats_written
    words = [-(-r["rows"] // c.load_rows) * (r["m_tiles"] - 1) + -(-r["rows_last"] // c.load_rows) for r in runs]
    assert counter("ROWS_WORDS") == sum(n * r["k_tiles"] for n, r in zip(words, runs, strict=True))
    assert counter("WEIGHT_ROWS") == sum(weight_rows(job))
    rows = sum(r["rows"] * (r["m_tiles"] - 1) + r["rows_last"] for r in runs)
    assert counter("COMPUTE_ROWS") + counter("REUSE_ROWS") <= rows * max(r["k_tiles"] for r in runs)
    assert counter("RUN_BUSY") < counter("CYCLES_LO") <= result.cycles


def test_snapshot_while_running(bench, job):
    """A snapshot in the middle holds still; later ones never show less; the last is the job's total."""
    take = [write("CONTROL", 4), *COUNTER_READS, *COUNTER_READS]
    steps = [*start(job.compiled.program), ["wait", 300], *take, ["wait", 300], *take, *finish(), *COUNTER_READS]
    _, values = play(bench, job, steps)
    reads = [value for step, value in zip(steps, values, strict=True) if step in COUNTER_READS]
    n = len(COUNTER_READS)
    shots = [reads[i : i + n] for i in range(0, len(reads), n)]
    assert shots[0] == shots[1] and shots[2] == shots[3]
    assert shots[0] != shots[2]
    for earlier, later in ((0, 2), (2, 4)):
        assert all(a <= b for a, b in zip(shots[earlier], shots[later], strict=True))


def test_interrupt_enable(bench, job):
    """Without its enable bit the interrupt stays low; the status bit is there, and enabling raises it."""
    steps = [*start(job.compiled.program), write("IRQ_ENABLE", 0)]
    steps += [["poll", OFFSETS["STATUS"], 3, 2, 100_000], ["no_irq"], read("IRQ_STATUS")]
    steps += [write("IRQ_ENABLE", 1), ["irq", 10], write("IRQ_STATUS", 1), ["no_irq"]]
    _, values = play(bench, job, steps)
    assert values[steps.index(read("IRQ_STATUS"))] == 1


def recovers(bench, job, steps, *, code, repair=(), **traffic):
    """The steps end in an error; then the same job runs right on fresh memory."""
    good = [*start(job.compiled.program), *finish(), read("STATUS"), ["dump", "m", 0, job.compiled.size]]
    steps = [*steps, *finish(), read("STATUS"), *repair, ["load"], *good]
    result, values = play(bench, job, steps, **traffic)
    bad, right = (status(v) for step, v in zip(steps, values, strict=True) if step == read("STATUS"))
    assert (bad["error"], bad["busy"], bad["done"], bad["bus_hung"]) == (code, 0, 1, 0)
    assert (right["error"], right["busy"]) == (0, 0)
    job.check(result.dumps["m"])


@pytest.mark.parametrize("wait", [20, 150, 400, 900])
def test_stop_with_answers_outstanding(bench, job, wait):
    """Slow memory, random stalls: bursts are under way at the stop, none of their data reaches the next job."""
    steps = [*start(job.compiled.program), ["wait", wait], write("CONTROL", 2)]
    recovers(bench, job, steps, code=6, latency=60, stall=0.4)


@pytest.mark.parametrize("field, code", [("weights", 3), ("output", 4)])
def test_errors_with_answers_outstanding(bench, job, field, code):
    fault = dict(reversed(job.commands))["RUN"][field] + 8
    steps = [["set", "fault_first", fault], ["set", "fault_last", fault + 7], *start(job.compiled.program)]
    repair = [["set", "fault_first", 1], ["set", "fault_last", 0]]
    recovers(bench, job, steps, code=code, repair=repair, latency=60, stall=0.4)
