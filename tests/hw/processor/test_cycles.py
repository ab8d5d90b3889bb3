"""Exact cycles of the processor: bounds that are reached, latency."""

import numpy as np
import pytest

from reprise.hw.processor.processor import Processor
from tests.hw.processor.bench import CONFIGS, FULL, Job, front_end, job_of, run, singles, start, sums_of
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def resident_job(config, rng, patterns, *, m_tiles=4, k_tiles=4):
    job = Job(config.replace(weight_tiles=k_tiles))
    for _ in range(m_tiles):
        job.add([patterns(rng) for _ in range(k_tiles)], rng, first_weight=0)
    return job


def test_residual_bits_take_a_cycle_each_without_bubbles(config):
    """Exactly the bound: no cycle is lost between rows, K tiles or m tiles."""
    rng = np.random.default_rng(11)

    def rows(r):  # issued in the order of their indices: no row twice within three slots
        return sorted(r.choice(range(1, 256), 16, replace=False).tolist(), key=int.bit_count)

    done = run(job := resident_job(config, rng, rows))
    assert done.counts["stall_hazard"] == 0
    assert done.last - done.first + 1 == job.bound() == done.counts["residual_bit"]


def test_single_bit_rows_take_a_cycle_each(config):
    rng = np.random.default_rng(12)
    job = resident_job(config, rng, lambda r: singles(*r.permutation(8)), m_tiles=2, k_tiles=6)
    done = run(job)
    assert done.last - done.first + 1 == job.bound() == 2 * 6 * 8


def test_exact_matches_ride_beside():
    """Rows of many bits leave room for all exact matches: only residual bits count, and the tail of the last tile."""
    rng = np.random.default_rng(13)
    full = [FULL ^ (1 << b) for b in range(8)]
    for config in (CONFIGS["one bank"], CONFIGS["two banks"]):
        job = resident_job(config, rng, lambda r: [full[0], full[1], full[2]] + [full[0]] * 4)
        done = run(job)
        assert done.counts["reuse_rows"] == 16 * 4
        assert job.bound() == done.counts["residual_bit"]
        assert done.last - done.first + 1 <= job.bound() + 6


def test_exact_matches_take_a_slot_each(config):
    """Equal rows: partial sums are the bottleneck, one row per bank and cycle."""
    rng = np.random.default_rng(14)
    job = resident_job(config, rng, lambda r: [0b1001] * 16, k_tiles=8)
    done = run(job)
    # Until the first prefix is there (4), and per m tile the drain's rows that found no first touch.
    assert job.bound() <= done.last - done.first + 1 <= job.bound() + 8 + 4 * 8


def test_two_banks_of_updates_leave_the_drain_a_slot():
    """Both banks update a row in every cycle, while the m tile before is drained; its rows wait a few cycles each."""
    config = CONFIGS["two banks"]
    rng, rows = np.random.default_rng(15), [0b1001] * 16
    job = resident_job(config, rng, lambda r: rows, m_tiles=2, k_tiles=24)
    done = run(job)
    updated = 16 * 24 // 2  # cycles that the updates of an m tile take
    assert done.output[15] - done.output[0] < 15 * 4 < updated
    assert done.last - done.first + 1 <= job.bound() + 16 + 8


def test_latency_of_one_row(config):
    """From the transfer of a one-bit row to its partial sum: 10 cycles."""
    job = job_of(config, [[[1]]])
    dut = design(Processor, config)
    begins, ends, computes, _, weights = front_end(job)
    compute = Source(dut.i_compute, [computes[0][1]], gate=lambda cycle: cycle == 40)
    sources = [Source(dut.i_begin, begins), Source(dut.i_end, ends), compute, Source(dut.i_weights, weights)]
    sink = Sink(dut.o_psum, expect=1)
    run_streams(dut, sources, [sink], setup=lambda ctx: start(ctx, dut, {}))
    assert sums_of(sink.items) == job.expected()
    assert sink.cycles[0] - compute.cycles[0] == 10
