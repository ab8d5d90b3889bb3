# amaranth: UnusedElaboratable=no
"""AXI4 read master and the stream FIFO: data, order, bursts, priority, error answers, halting, exact rates."""

from __future__ import annotations

import random

import pytest

from tests.hw.axi.bench import Readers
from tests.support.axi_bench import CONFIG, TRAFFIC, simulate
from tests.support.axi_memory import AxiMemory


def feeder(source_stream, requests):
    async def bench(ctx):
        for request in requests:
            ctx.set(source_stream.payload, request)
            ctx.set(source_stream.valid, 1)
            await ctx.tick().until(source_stream.ready)
        ctx.set(source_stream.valid, 0)

    return bench


@pytest.mark.parametrize("bus_bits", [64, 128, 512])
@pytest.mark.parametrize("traffic", TRAFFIC, ids=str)
def test_reads(traffic, bus_bits):
    """Two readers at once, any lengths (also 0), any alignment, random backpressure behind one of them."""
    config = CONFIG.replace(bus_bits=bus_bits, lanes=bus_bits // 8, neuron_lanes=4)
    dut = Readers(config)
    memory = AxiMemory(dut, bus_bits, seed=bus_bits, **traffic)
    rng = random.Random(bus_bits)
    memory.data[:] = rng.randbytes(len(memory.data))
    size = bus_bits // 8
    requests = [[], []]
    got = [[], []]
    for port in range(2):
        for _ in range(12):
            beats = rng.choice([0, 1, 2, 15, 16, 17, rng.randrange(40)])
            requests[port].append({"address": rng.randrange(len(memory.data) // size - 64) * size, "beats": beats})

    def taker(port, stall):
        async def bench(ctx):
            wanted = sum(r["beats"] for r in requests[port])
            while len(got[port]) < wanted:
                ready = rng.random() >= stall
                ctx.set(dut.o[port].ready, ready)
                _, _, valid, word = await ctx.tick().sample(dut.o[port].valid, dut.o[port].payload)
                if valid and ready:
                    got[port].append(word)
            ctx.set(dut.o[port].ready, 1)
            for _ in range(30):
                _, _, valid = await ctx.tick().sample(dut.o[port].valid)
                assert not valid

        return bench

    benches = [feeder(dut.i[n], requests[n]) for n in range(2)] + [taker(0, 0.0), taker(1, 0.7)]
    simulate(dut, memory, *benches)
    for port in range(2):
        expected = [
            int.from_bytes(memory.data[r["address"] + i * size :][:size], "little")
            for r in requests[port]
            for i in range(r["beats"])
        ]
        assert got[port] == expected


def test_read_sustains_the_bus():
    """After the first answer a word arrives in every cycle, in spite of a latency of 60 cycles."""
    dut = Readers(CONFIG, depth=128)
    memory = AxiMemory(dut, CONFIG.bus_bits, latency=60)
    cycles = []

    async def bench(ctx):
        ctx.set(dut.o[0].ready, 1)
        for cycle in range(700):
            _, _, valid = await ctx.tick().sample(dut.o[0].valid)
            if valid:
                cycles.append(cycle)

    simulate(dut, memory, feeder(dut.i[0], [{"address": 0, "beats": 512}]), bench, limit=900)
    assert len(cycles) == 512
    assert cycles[-1] - cycles[0] == 511


def test_waiting_reader_does_not_block_the_other():
    dut = Readers(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits, latency=5)
    done = []

    async def bench(ctx):
        ctx.set(dut.o[0].ready, 0)  # has priority, never takes anything
        ctx.set(dut.o[1].ready, 1)
        for _ in range(1000):
            _, _, valid = await ctx.tick().sample(dut.o[1].valid)
            done.extend([1] if valid else [])

    requests = [{"address": 0, "beats": 200}], [{"address": 4096, "beats": 100}]
    simulate(dut, memory, feeder(dut.i[0], requests[0]), feeder(dut.i[1], requests[1]), bench, limit=1500)
    assert len(done) == 100
    assert sum(beats for _, beats in memory.reads) == 132  # one buffer's worth and all of the other


def test_priority_and_hold():
    """Reader 0 goes first; held, it begins nothing and reader 1 has the bus for itself."""
    for hold, order in ((0b00, [0, 1]), (0b01, [1, 0])):
        dut = Readers(CONFIG, depth=128)
        memory = AxiMemory(dut, CONFIG.bus_bits, latency=5)

        async def bench(ctx, dut=dut, hold=hold):
            for n in range(2):
                ctx.set(dut.o[n].ready, 1)
            ctx.set(dut.hold, hold)
            await ctx.tick().repeat(150)
            ctx.set(dut.hold, 0)
            await ctx.tick().repeat(150)

        feeders = [feeder(dut.i[n], [{"address": n * 4096, "beats": 64}]) for n in range(2)]
        simulate(dut, memory, *feeders, bench, limit=500)
        assert [address // 4096 for address, _ in memory.reads] == [n for n in order for _ in range(4)]


def test_read_error_and_halt():
    """An error answer is flagged; after ``halt`` everything under way comes in and the master is idle."""
    dut = Readers(CONFIG, depth=128)
    memory = AxiMemory(dut, CONFIG.bus_bits, latency=20, stall=0.3, faults=[range(256, 264)])
    seen = {}

    async def bench(ctx):
        ctx.set(dut.o[0].ready, 1)
        await ctx.tick().until(dut.error)
        seen["error"] = memory.cycle
        ctx.set(dut.halt, 1)
        before = len(memory.reads)
        await ctx.tick().until(dut.idle)
        seen["bursts"] = len(memory.reads)
        assert seen["bursts"] <= before + 2  # on the bus already
        for _ in range(100):
            await ctx.tick()
        assert len(memory.reads) == seen["bursts"]
        assert memory.beats_read == sum(beats for _, beats in memory.reads)

    simulate(dut, memory, feeder(dut.i[0], [{"address": 0, "beats": 1000}]), bench, limit=4000)
    assert "bursts" in seen
