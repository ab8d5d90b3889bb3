"""The rows of a RUN start before the run itself: when they may, and that the drain waits for the run."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.program import Error, Wait
from reprise.hw.interface.commands import Kind
from reprise.hw.loader.loader import Loader
from reprise.hw.processor.processor import Processor
from reprise.hw.sequencer.scheduler import JobScheduler
from tests.hw.loader.bench import Feed
from tests.hw.processor.bench import CONFIGS, front_end, job_of, sums_of
from tests.hw.sequencer.bench import TINY, Play, random_fields
from tests.support.simulation import design, simulate
from tests.support.streams import Sink, Source, run_streams


def test_rows_start_beside_the_run_in_progress():
    """They wait for loads and for the rules about products, and start once; the run follows when it may."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(7), TINY, "RUN")

    async def bench(ctx):
        play = Play(dut)
        ctx.set(dut.rows_loaded, 1)
        await play.begin(ctx)
        await play.offer(ctx, "RUN", **run)
        assert await play.taken_after(ctx, 2)
        assert ctx.get(dut.run_start) and ctx.get(dut.rows_start), "nothing was in the way: both start together"
        for name in ("run_done", "rows_loaded"):
            ctx.set(getattr(dut, name), 0)
        await ctx.tick().repeat(2)
        await play.offer(ctx, "RUN", **run)
        await ctx.tick()
        assert ctx.get(dut.front_start)
        for lacking, value in (("rows_loaded", 0), ("products_done", 0), ("bad_product", 1), ("weights_outside", 1)):
            ctx.set(dut.rows_loaded, 1)
            ctx.set(getattr(dut, lacking), value)
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.rows_start) and not ctx.get(dut.rows_ahead), lacking
            assert ctx.get(dut.prepared) and ctx.get(dut.run_busy) and not ctx.get(dut.error)
            ctx.set(dut.rows_loaded, 0)
            ctx.set(getattr(dut, lacking), 1 - value)
        ctx.set(dut.rows_loaded, 1)
        ctx.set(dut.loads_idle, 0)  # parameters are on their way
        await ctx.tick()
        assert ctx.get(dut.rows_start) and ctx.get(dut.rows_ahead) and not ctx.get(dut.run_start)
        await ctx.tick()
        assert not ctx.get(dut.rows_start) and ctx.get(dut.rows_ahead), "they start once"
        assert not await play.taken_after(ctx, 5), "the run before has not ended"
        ctx.set(dut.run_done, 1)
        assert not await play.taken_after(ctx, 5), "a load is under way"
        ctx.set(dut.loads_idle, 1)
        assert await play.taken_after(ctx, 1)
        assert ctx.get(dut.run_start) and not ctx.get(dut.rows_start) and not ctx.get(dut.rows_ahead)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.rows_start)

    simulate(dut, bench, limit=1000)


def test_rows_of_a_run_that_will_be_refused_do_not_start():
    """A broken rule about products ends the job when the run before has ended, and not earlier."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(8), TINY, "RUN")

    async def bench(ctx):
        play = Play(dut)
        ctx.set(dut.rows_loaded, 1)
        await play.begin(ctx)
        await play.offer(ctx, "RUN", **run)
        assert await play.taken_after(ctx, 2)
        ctx.set(dut.run_done, 0)
        await ctx.tick().repeat(2)
        await play.offer(ctx, "RUN", **run)
        await ctx.tick()
        assert ctx.get(dut.front_start)
        ctx.set(dut.bad_product, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.rows_start) and not ctx.get(dut.error)
        ctx.set(dut.run_done, 1)
        assert await play.taken_after(ctx, 2)
        await ctx.tick()
        assert ctx.get(dut.error) and ctx.get(dut.code) == Error.FIELD

    simulate(dut, bench, limit=1000)


def test_only_parameters_may_be_under_way():
    """The loader tells a load of parameters, which no row needs, from all others and from one that others follow."""
    dut = design(Loader, TINY)
    beat = TINY.bus_bits // 8
    feed = Feed(dut, random.Random(1).randbytes(4096), beat)
    features = dict(kind=Kind.FEATURES, source=0, beats=4, chunks=1, target=0)
    segments = dict(kind=Kind.SEGMENTS, source=0, beats=4, chunks=1, target=0, items=3)
    params = dict(kind=Kind.PARAMS, source=64, beats=TINY.neuron_lanes * 16 // beat, chunks=1, items=1)

    async def offer(ctx, job):
        ctx.set(dut.i_job.payload, job)
        ctx.set(dut.i_job.valid, 1)
        await ctx.tick().until(dut.i_job.ready)
        ctx.set(dut.i_job.valid, 0)

    async def bench(ctx):
        for job in (features, segments):
            await offer(ctx, job)
            while ctx.get(dut.busy):
                assert ctx.get(dut.rows_busy)
                await ctx.tick()
            assert not ctx.get(dut.rows_busy)
        await offer(ctx, params)  # which nobody takes for now
        await ctx.tick().repeat(30)
        assert ctx.get(dut.busy) and not ctx.get(dut.rows_busy)
        await offer(ctx, features)
        assert ctx.get(dut.rows_busy), "from the first cycle on"
        for _ in range(30):
            await ctx.tick()
            assert ctx.get(dut.rows_busy), "features wait behind parameters"
        ctx.set(dut.o_params.ready, 1)
        while ctx.get(dut.busy):
            assert ctx.get(dut.rows_busy)
            await ctx.tick()
        assert not ctx.get(dut.rows_busy)

    simulate(dut, bench, background=[feed.run], limit=1000)


@pytest.mark.parametrize("wait", Wait)
def test_a_load_waits_for_writes_and_the_loads_behind_it_wait_with_it(wait):
    """It asks for nothing before; a load behind it is held up, too, and one that is under way goes on."""
    dut = design(Loader, TINY)
    feed = Feed(dut, random.Random(1).randbytes(4096), TINY.bus_bits // 8)
    before, waiting, behind = (
        dict(kind=Kind.FEATURES, source=256 * n, beats=4, chunks=2, stride=64, wait=wait * (n == 1)) for n in range(3)
    )
    enough = {Wait.NOTHING: 0b00, Wait.OLDER: 0b01, Wait.ALL: 0b10}[wait]

    async def offer(ctx, job):
        ctx.set(dut.i_job.payload, job)
        ctx.set(dut.i_job.valid, 1)
        await ctx.tick().until(dut.i_job.ready)
        ctx.set(dut.i_job.valid, 0)

    async def bench(ctx):
        await offer(ctx, before)
        await offer(ctx, waiting)
        ctx.set(dut.written, ~enough)
        ctx.set(dut.i_job.payload, behind)
        ctx.set(dut.i_job.valid, 1)
        if wait:
            for _ in range(30):
                await ctx.tick()
                assert ctx.get(dut.waiting) and ctx.get(dut.rows_busy) and not ctx.get(dut.i_job.ready)
            assert [at for at, _ in feed.requests] == [0, 64]
            ctx.set(dut.written, enough)
        await ctx.tick().until(dut.i_job.ready)
        ctx.set(dut.i_job.valid, 0)
        while ctx.get(dut.busy):
            assert not ctx.get(dut.waiting)
            await ctx.tick()
        assert [at for at, _ in feed.requests] == [0, 64, 256, 320, 512, 576]

    simulate(dut, bench, background=[feed.run], limit=1000)


def test_the_next_run_is_not_drained_before_it_starts():
    """Three m tiles, of which the run in progress has two: the third waits for the strobe, however long it is full."""
    config = CONFIGS["one bank"]
    rng = random.Random(9)
    job = job_of(config, [[[rng.randrange(256) for _ in range(16)] for _ in range(2)] for _ in range(3)])
    dut = design(Processor, config)
    begins, ends, computes, reuses, weights = front_end(job)
    expected = job.expected()
    rows = len(expected) // 3
    starts = {1: 2, 900: 1}  # cycles of the strobe, and how many m tiles may be drained then

    def drive(ctx, cycle):
        ctx.set(dut.i_start, cycle in starts)
        if cycle in starts:
            ctx.set(dut.i_m_tiles, starts[cycle])

    streams = ((dut.i_compute, computes), (dut.i_reuse[0], reuses[0]))
    sources = [Source(dut.i_begin, begins), Source(dut.i_end, ends), Source(dut.i_weights, weights)]
    sources += [Source(port, [item for _, item in items]) for port, items in streams]
    sink = Sink(dut.o_psum, expect=len(expected))
    layer = {"groups": 1, "planes": 1, "timesteps": 1}
    run_streams(dut, sources, [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer), each=drive)
    assert sums_of(sink.items) == expected
    assert sink.cycles[2 * rows - 1] < 600, "all three were full long before"
    late = [cycle for cycle in sink.cycles if cycle > 600]
    assert len(late) == rows and 900 < late[0] < 915
