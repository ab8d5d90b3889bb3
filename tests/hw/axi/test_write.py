"""AXI4 write master: data, order, bursts, error answers, halting, exact rates."""

from __future__ import annotations

import random

import pytest

from reprise.hw.axi.write import WriteMaster
from reprise.hw.interface.memory import BURST_BEATS
from tests.support.axi_bench import CONFIG, TRAFFIC, simulate
from tests.support.axi_memory import AxiMemory


def words_of(seed, count, size):
    """Runs of consecutive words, alternating lines, page borders."""
    rng = random.Random(seed)
    words, address = [], 4096 - 5 * size
    for i in range(count):
        words.append(
            {
                "address": address,
                "data": rng.getrandbits(8 * size),
                "strobe": (1 << size) - 1 if rng.random() < 0.8 else rng.getrandbits(size),
                "last": i == count - 1,
            }
        )
        address = address + size if rng.random() < 0.8 else rng.randrange(1000) * size
    return words


@pytest.mark.parametrize("bus_bits", [64, 256])
@pytest.mark.parametrize("idle", [0.0, 0.8])
@pytest.mark.parametrize("traffic", TRAFFIC, ids=str)
def test_writes(traffic, idle, bus_bits):
    config = CONFIG.replace(bus_bits=bus_bits, lanes=32)
    dut = WriteMaster(config)
    memory = AxiMemory(dut, bus_bits, seed=3, **traffic)
    size = bus_bits // 8
    words = words_of(bus_bits, 150, size)
    done = []
    rng = random.Random(2)

    async def bench(ctx):
        for word in words:
            while rng.random() < idle:
                await ctx.tick()
            ctx.set(dut.i.payload, word)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().until(dut.idle)
        done.append(memory.cycle)

    simulate(dut, memory, bench)
    expected = bytearray(len(memory.data))
    for word in words:
        for i in range(size):
            if word["strobe"] >> i & 1:
                expected[word["address"] + i] = word["data"] >> (8 * i) & 0xFF
    assert done and memory.data == expected
    assert not memory.answers and not memory.write_queue and not memory.data_queue


def test_write_rate_and_bursts():
    """Consecutive words: one per cycle in bursts of BURST_BEATS; scattered words: one per cycle in bursts of 1."""
    for step, beats in ((1, BURST_BEATS), (3, 1)):
        dut = WriteMaster(CONFIG)
        memory = AxiMemory(dut, CONFIG.bus_bits)
        size = CONFIG.bus_bits // 8
        count = 256
        taken = []

        async def bench(ctx, dut=dut, memory=memory, step=step, size=size, taken=taken):
            for i in range(256):
                ctx.set(dut.i.payload, {"address": i * step * size, "data": i, "strobe": 255, "last": i == 255})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                taken.append(memory.cycle)
            ctx.set(dut.i.valid, 0)
            await ctx.tick().until(dut.idle)

        simulate(dut, memory, bench, limit=1000)
        assert [n for _, n in memory.writes] == [beats] * (count // beats)
        assert taken[-1] - taken[0] == count - 1


def test_write_error_and_halt():
    """An error is flagged; after ``halt`` the bursts begun are completed and answered, no other begins."""
    dut = WriteMaster(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits, latency=9, stall=0.5, faults=[range(64, 72)])
    seen = {}

    async def bench(ctx):
        ctx.set(dut.i.payload, {"address": 0, "data": 0, "strobe": 255, "last": 0})
        ctx.set(dut.i.valid, 1)
        i = 0
        while not ctx.get(dut.error):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                i += 1
                ctx.set(dut.i.payload, {"address": 8 * i, "data": i, "strobe": 255, "last": 0})
        ctx.set(dut.halt, 1)
        await ctx.tick().until(dut.quiet)
        seen["bursts"] = len(memory.writes)
        for _ in range(100):
            await ctx.tick()
        assert len(memory.writes) == seen["bursts"] < 25
        assert memory.beats_written == sum(n for _, n in memory.writes)

    simulate(dut, memory, bench, limit=4000)
    assert "bursts" in seen


@pytest.mark.parametrize("traffic", TRAFFIC, ids=str)
def test_older_runs_are_answered(traffic):
    """``older_idle`` says in every cycle whether all bursts of the runs before the last one have been answered.

    Runs follow each other while the bus lags behind. A run's last word closes its burst, so none has words of two runs.
    """
    dut = WriteMaster(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits, seed=5, **traffic)
    rng, size = random.Random(7), CONFIG.bus_bits // 8
    runs = [words_of(n, rng.choice([1, 2, 20, 60]), size) for n in range(12)]
    left, seen = [0, 0], set()  # words of the older runs that have no answer yet, and of the last one

    async def watch(ctx):
        unanswered = []  # the lengths of the bursts that were addressed, in order
        while True:
            sampled = await ctx.tick().sample(
                dut.i_start, dut.i.valid & dut.i.ready, dut.awvalid & dut.awready, dut.awlen, dut.bvalid, dut.older_idle
            )
            start, taken, addressed, length, answered, older_idle = sampled[2:]
            assert older_idle == (left[0] == 0)
            seen.add(older_idle)
            if start:
                left[:] = [left[0] + left[1], 0]
            left[1] += taken
            if addressed:
                unanswered.append(length + 1)
            if answered:
                words = unanswered.pop(0)
                older = min(words, left[0])
                left[0] -= older
                left[1] -= words - older

    async def bench(ctx):
        for words in runs:
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            for word in words:
                while rng.random() < 0.3:
                    await ctx.tick()
                ctx.set(dut.i.payload, word)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)
        await ctx.tick().until(dut.idle)
        assert left == [0, 0]

    simulate(dut, memory, bench, background=[watch])
    assert seen == {0, 1}
