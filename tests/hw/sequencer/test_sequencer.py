"""The life of a job: begin, every error to idle, watchdog, a start while busy, a dead bus."""

from __future__ import annotations

import pytest

from reprise.hw.arch.program import Error
from reprise.hw.lib.resets import REACH
from reprise.hw.sequencer.sequencer import RESET_CYCLES, Sequencer
from tests.hw.sequencer.bench import TINY
from tests.support.simulation import simulate


async def begin(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    cycles, after = 0, 1  # of the reset; since the start
    while not ctx.get(dut.begin):
        assert ctx.get(dut.busy) and not ctx.get(dut.enable)
        cycles += ctx.get(dut.reset)
        await ctx.tick()
        after += 1
    assert cycles == RESET_CYCLES and after == Sequencer.BEGIN
    await ctx.tick()
    assert ctx.get(dut.enable)


async def ends(ctx, dut, code, *, drain):
    """After an error: halt until the bus is quiet, then reset, then idle with the code."""
    ctx.set(dut.bus_quiet, 0)
    await ctx.tick()
    for _ in range(drain):
        assert ctx.get(dut.halt) and ctx.get(dut.busy) and not ctx.get(dut.enable)
        await ctx.tick()
    ctx.set(dut.bus_quiet, 1)
    await ctx.tick()
    for _ in range(RESET_CYCLES):
        assert ctx.get(dut.reset) and ctx.get(dut.halt) and not ctx.get(dut.done)
        await ctx.tick()
    assert not ctx.get(dut.reset) and ctx.get(dut.halt) and not ctx.get(dut.done)
    await ctx.tick()
    assert ctx.get(dut.done) and not ctx.get(dut.busy) and ctx.get(dut.code) == code
    await ctx.tick()
    assert not ctx.get(dut.done)


CAUSES = {
    "read_error": Error.READ,
    "write_error": Error.WRITE,
    "read_outside": Error.READ_WINDOW,
    "write_outside": Error.WRITE_WINDOW,
    "bad_start": Error.START,
    "bad_data": Error.DATA,
    "unloaded": Error.UNLOADED,
    "stop": Error.STOPPED,
    "command_error": Error.COMMAND,
}


def test_every_error_ends_in_idle():
    """Each cause, one job after the other; then a job that ends well."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        ctx.set(dut.command_code, Error.COMMAND)
        for cause, code in CAUSES.items():
            await begin(ctx, dut)
            ctx.set(dut.taken, 1)
            await ctx.tick().repeat(3)
            ctx.set(dut.taken, 0)
            ctx.set(getattr(dut, cause), 1)
            ctx.set(dut.bus_quiet, 0)
            await ctx.tick()
            ctx.set(getattr(dut, cause), 0)
            await ends(ctx, dut, code, drain=7)
            assert ctx.get(dut.index) == 3
        await begin(ctx, dut)
        assert ctx.get(dut.index) == 0 and ctx.get(dut.code) == 0
        ctx.set(dut.finished, 1)
        await ctx.tick().repeat(Sequencer.END)
        ctx.set(dut.finished, 0)
        assert ctx.get(dut.done) and not ctx.get(dut.busy) and ctx.get(dut.code) == 0

    simulate(dut, bench, limit=50_000)


@pytest.mark.parametrize("limit", [0, 1, 20])
def test_watchdog(limit):
    """Exactly ``limit`` cycles without progress are borne; 0 bears any number."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        ctx.set(dut.watchdog, limit)
        ctx.set(dut.progress, 1)
        await begin(ctx, dut)
        await ctx.tick().repeat(50)
        ctx.set(dut.progress, 0)
        quiet = 0
        while ctx.get(dut.enable) and quiet < 200:
            await ctx.tick()
            quiet += 1
        assert quiet == (limit + 2 if limit else 200)
        if limit:
            await ctx.tick().repeat(RESET_CYCLES + 2)
            assert ctx.get(dut.done) and ctx.get(dut.code) == Error.WATCHDOG

    simulate(dut, bench, limit=50_000)


def test_start_while_busy_and_dead_bus():
    """A second start changes nothing; a bus that never answers is given up after the bound."""
    dut = Sequencer(TINY, drain_cycles=30)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        await begin(ctx, dut)
        ctx.set(dut.bus_quiet, 0)
        ctx.set(dut.start, 1)
        assert not ctx.get(dut.started)
        await ctx.tick()
        ctx.set(dut.start, 0)
        assert ctx.get(dut.enable)
        ctx.set(dut.stop, 1)
        await ctx.tick()
        ctx.set(dut.stop, 0)
        waited = 0
        while not ctx.get(dut.reset):
            await ctx.tick()
            waited += 1
        assert waited == 31 and ctx.get(dut.bus_hung)
        await ctx.tick().repeat(RESET_CYCLES + 1)
        assert ctx.get(dut.done) and ctx.get(dut.code) == Error.STOPPED
        ctx.set(dut.bus_quiet, 1)
        await begin(ctx, dut)
        assert not ctx.get(dut.bus_hung)

    simulate(dut, bench, limit=50_000)


def test_no_burst_without_a_job_and_no_reset_that_cuts_one():
    """Halt while idle; a start waits for the bus, then goes its usual way."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        assert ctx.get(dut.halt) and not ctx.get(dut.busy)
        ctx.set(dut.start, 1)
        assert ctx.get(dut.started)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(9):
            assert ctx.get(dut.halt) and ctx.get(dut.busy) and not ctx.get(dut.reset)
            await ctx.tick()
        ctx.set(dut.bus_quiet, 1)
        await ctx.tick()
        for _ in range(RESET_CYCLES):
            assert ctx.get(dut.reset)
            await ctx.tick()
        await ctx.tick().repeat(REACH)
        assert ctx.get(dut.begin)
        await ctx.tick()
        assert ctx.get(dut.enable) and not ctx.get(dut.bus_hung)

    simulate(dut, bench, limit=50_000)


def test_start_with_stop_and_a_bad_start():
    """Both bits in one write: the job ends as stopped. Wrong registers: it ends before it fetches anything."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        for strobes, code in ((("start", "stop"), Error.STOPPED), (("start", "bad_start"), Error.START)):
            for name in strobes:
                ctx.set(getattr(dut, name), 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.stop, 0)
            for _ in range(4 * RESET_CYCLES):
                assert code != Error.START or not ctx.get(dut.begin)
                if ctx.get(dut.done):
                    break
                await ctx.tick()
            assert ctx.get(dut.done) and ctx.get(dut.code) == code and ctx.get(dut.index) == 0
            ctx.set(dut.bad_start, 0)
            await ctx.tick()

    simulate(dut, bench, limit=50_000)
