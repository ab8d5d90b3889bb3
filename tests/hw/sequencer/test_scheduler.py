"""Dispatch of commands without a data path: what each waits for, and weights held from run to run."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.program import Error, Wait
from reprise.hw.arch.rules import follows, order_violations
from reprise.hw.sequencer.scheduler import LOAD_CHECK, JobScheduler
from tests.hw.sequencer.bench import TINY, Play, random_fields
from tests.support.simulation import simulate
from tests.support.streams import unpack


def test_dispatch_order():
    """A RUN waits for loads and for the run before; loads go on beside a run; BARRIER and END wait for everything."""
    dut = JobScheduler(TINY)
    rng = random.Random(3)

    async def bench(ctx):
        play = Play(dut)
        await play.begin(ctx)
        run = random_fields(rng, TINY, "RUN")
        load = random_fields(rng, TINY, "LOAD_FEATURES") | {"wait": int(Wait.ALL)}

        ctx.set(dut.enable, 0)
        await play.offer(ctx, "BARRIER")
        assert not await play.taken_after(ctx, 5), "not enabled"
        ctx.set(dut.enable, 1)
        assert await play.taken_after(ctx, 1)

        await play.offer(ctx, "LOAD_FEATURES", **load)
        assert not await play.taken_after(ctx, 5), "the loader isn't free"
        payload = unpack(dut.o_load.payload.shape(), ctx.get(dut.o_load.payload.as_value()))
        assert payload["source"] == load["source"] and payload["beats"] == load["bytes"] // 8
        assert all(payload[name] == load[name] for name in ("chunks", "stride", "target", "target_stride", "wait"))
        ctx.set(dut.o_load.ready, 1)
        assert await play.taken_after(ctx, 1)
        ctx.set(dut.loads_idle, 0)

        await play.offer(ctx, "RUN", **run)
        assert not await play.taken_after(ctx, 5), "a load is under way"
        ctx.set(dut.loads_idle, 1)
        assert await play.taken_after(ctx, 1)
        assert ctx.get(dut.run_start) and ctx.get(dut.run_busy)
        assert all(ctx.get(dut.run[name]) == value for name, value in run.items())
        ctx.set(dut.run_done, 0)
        ctx.set(dut.front_busy, 1)
        await ctx.tick()
        assert not ctx.get(dut.run_start)

        await play.offer(ctx, "LOAD_SEGMENTS", source=64, count=3, target=5)
        assert await play.taken_after(ctx, 1), "loads go on beside a run"
        for opcode, fields in (("BARRIER", {}), ("END", {})):
            await play.offer(ctx, opcode, **fields)
            assert not await play.taken_after(ctx, 5), f"{opcode} beside a run"
        ctx.set(dut.valid, 0)
        assert ctx.get(dut.run_busy) and not ctx.get(dut.prepared)

        following = random_fields(rng, TINY, "RUN")
        await play.offer(ctx, "RUN", **following)
        assert not await play.taken_after(ctx, 5) and not ctx.get(dut.prepared), "the front is in use"
        ctx.set(dut.front_busy, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.front_start) and ctx.get(dut.prepared), "prepared once the front is free"
        ctx.set(dut.front_busy, 1)  # by the run prepared
        assert not await play.taken_after(ctx, 5), "the run before has not ended"
        assert all(ctx.get(dut.front[name]) == value for name, value in following.items())
        assert all(ctx.get(dut.run[name]) == value for name, value in run.items())
        ctx.set(dut.run_done, 1)
        await ctx.tick()
        assert not ctx.get(dut.run_busy) and not ctx.get(dut.run_start)
        assert await play.taken_after(ctx, 1)
        assert ctx.get(dut.run_start) and not ctx.get(dut.prepared)
        assert all(ctx.get(dut.run[name]) == value for name, value in following.items())
        await ctx.tick().repeat(5)
        assert ctx.get(dut.run_busy), "rows or weights are left"
        ctx.set(dut.front_busy, 0)
        await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.run_busy)
        for name in ("writes_idle", "loads_idle"):
            ctx.set(getattr(dut, name), 0)
            for opcode in ("BARRIER", "END"):
                await play.offer(ctx, opcode)
                assert not await play.taken_after(ctx, 5), f"{opcode} while not {name}"
            ctx.set(getattr(dut, name), 1)
        # END is still offered.
        assert not await play.taken_after(ctx, LOAD_CHECK), "what the load brought is still looked at"
        assert await play.taken_after(ctx, 1)

    simulate(dut, bench, limit=50_000)


@pytest.mark.parametrize(
    "first, second, refused",
    [
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1, weights_ready=1), False),
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1), True),
        (dict(weights_keep=1), dict(weights_keep=1, weights_ready=1), True),
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1, weights_ready=1, k_tiles=1), True),
    ],
    ids=str,
)
def test_held_weights(first, second, refused):
    """Weights are ready exactly when the run before held as many K tiles: else the slots would never fit."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(4), TINY, "RUN") | {"k_tiles": 2}

    async def bench(ctx):
        play = Play(dut)
        await play.begin(ctx)
        await play.offer(ctx, "RUN", **(run | first))
        assert await play.taken_after(ctx, 2)
        await ctx.tick().repeat(3)
        await play.offer(ctx, "RUN", **(run | second))
        await ctx.tick()
        error, code = ctx.get(dut.error), ctx.get(dut.code)
        assert error == refused and ctx.get(dut.front_start) != refused
        assert not refused or code == Error.FIELD
        assert await play.taken_after(ctx, 2) == (not refused)

    simulate(dut, bench, limit=50_000)


@pytest.mark.parametrize("c", [TINY, TINY.replace(pool_words=8)], ids=["weights", "weights and a line of a pool"])
def test_what_is_held_as_the_rules_say(c):
    """Random RUNs one after the other: refused exactly where the software's form of a rule is broken."""
    seed = 5
    print("seed", seed)
    dut, rng = JobScheduler(c), random.Random(seed)
    outcomes = []

    async def bench(ctx):
        play, before = Play(dut), None
        await play.begin(ctx)
        for _ in range(120):
            flags = {name: rng.randrange(2) for name in ("weights_ready", "weights_hold")}
            shape = {"k_tiles": rng.randint(1, 2), "tile_depth": rng.choice([3, 3, 3, 4])}
            run = random_fields(rng, c, "RUN") | flags | {"weights_keep": 1} | shape
            if c.pool_words:
                flags = {name: rng.randrange(2) for name in ("weights_ready", "weights_hold")}
                if before and rng.random() < 0.8:  # as the weights want it
                    flags["weights_ready"], shape = before["weights_hold"], {n: before[n] for n in shape}
                run |= flags | shape | {"pool_ready": rng.randrange(2), "pool_hold": rng.randrange(2), "images": 1}
                same = next(rule.same for rule in follows(c, "RUN") if rule.flag == "pool_ready")
                run |= {name: before[name] if before and rng.random() < 0.95 else run[name] for name in same}
            await play.offer(ctx, "RUN", **run)
            await ctx.tick()
            error, code = ctx.get(dut.error), ctx.get(dut.code)
            assert error == bool(order_violations(c, "RUN", run, before)), (before, run)
            outcomes.append(bool(error))
            if error:
                assert code == Error.FIELD
                continue
            assert await play.taken_after(ctx, 5)
            before = run
            await ctx.tick().repeat(3)

    simulate(dut, bench, limit=50_000)
    assert 20 < sum(outcomes) < 100


def test_rules_about_products_are_awaited():
    """A run may start before they are worked out, but not write, and no front is prepared; a broken one is refused."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(6), TINY, "RUN")

    async def bench(ctx):
        play = Play(dut)
        await play.begin(ctx)
        await play.offer(ctx, "RUN", **run)
        await ctx.tick()
        assert ctx.get(dut.front_start)
        assert await play.taken_after(ctx, 1), "in this cycle the products are still those of the run before"
        ctx.set(dut.products_done, 0)
        assert ctx.get(dut.run_busy) and not ctx.get(dut.may_write)
        await play.offer(ctx, "RUN", **run)
        for _ in range(5):
            assert not ctx.get(dut.may_write) and not ctx.get(dut.front_start) and not ctx.get(dut.error)
            await ctx.tick()
        ctx.set(dut.products_done, 1)
        await ctx.tick()
        assert ctx.get(dut.may_write) and not ctx.get(dut.error)
        assert await play.taken_after(ctx, 5), "the next run"
        ctx.set(dut.bad_product, 1)
        await ctx.tick()
        assert ctx.get(dut.error) and ctx.get(dut.code) == Error.FIELD

    simulate(dut, bench, limit=1000)


@pytest.mark.parametrize(("product", "params"), [(0, 1), (0, 0), (1, 1), (1, 0)])
def test_weights_outside_the_read_window_come_between_products_and_parameters(product, params):
    """Of several faults of one RUN the rules about products are named first, then the window, then what is missing."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(6), TINY, "RUN") | {"channels": TINY.neuron_lanes, "groups": 1}

    async def bench(ctx):
        play = Play(dut)
        if params:
            await play.begin(ctx)
        for name in ("enable", "loads_idle", "writes_idle", "run_done", "products_done"):
            ctx.set(getattr(dut, name), 1)
        await play.offer(ctx, "RUN", **run)
        await ctx.tick()
        ctx.set(dut.products_done, 0)
        assert await play.taken_after(ctx, 1)
        ctx.set(dut.weights_outside, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.error), "it is not known yet"
        ctx.set(dut.bad_product, product)
        ctx.set(dut.products_done, 1)
        await ctx.tick()
        assert ctx.get(dut.error)
        assert ctx.get(dut.code) == (Error.FIELD if product else Error.READ_WINDOW)

    simulate(dut, bench, limit=1000)


@pytest.mark.parametrize("loaded", [0, 1, 2])
def test_runs_need_parameters(loaded):
    """A RUN of two groups is refused unless the job has loaded the parameters of two."""
    dut = JobScheduler(TINY)
    run = random_fields(random.Random(6), TINY, "RUN") | {"channels": 2 * TINY.neuron_lanes, "groups": 2}

    async def bench(ctx):
        play = Play(dut)
        for name in ("enable", "loads_idle", "writes_idle", "run_done", "products_done"):
            ctx.set(getattr(dut, name), 1)
        ctx.set(dut.o_load.ready, 1)
        for groups in range(loaded, 0, -1):  # the largest number counts
            await play.offer(ctx, "LOAD_PARAMS", source=64, groups=groups)
            assert await play.taken_after(ctx, 1)
        await play.offer(ctx, "RUN", **run)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.error) == (loaded < 2)
        assert loaded == 2 or ctx.get(dut.code) == Error.UNLOADED

    simulate(dut, bench, limit=1000)


def test_a_refusal_waits_for_the_writes_before():
    """A write of the run before may still leave its window; that is the first error then."""
    dut = JobScheduler(TINY)

    async def bench(ctx):
        play = Play(dut)
        await play.begin(ctx)
        ctx.set(dut.writes_idle, 0)
        ctx.set(dut.bad_header, 1)
        ctx.set(dut.bad_field, 1)
        await play.offer(ctx, "BARRIER")
        for _ in range(10):
            await ctx.tick()
            assert not ctx.get(dut.error)
        ctx.set(dut.writes_idle, 1)
        await ctx.tick()
        assert ctx.get(dut.error) and ctx.get(dut.code) == Error.COMMAND

    simulate(dut, bench, limit=1000)
