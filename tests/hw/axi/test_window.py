"""Address windows: no burst outside, none after it, whatever the size, alignment and place of the window."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.memory_image import AddressWindow
from reprise.hw.arch.memory_image import Windows as HostWindows
from reprise.hw.axi.window import Windows
from reprise.hw.axi.write import WriteMaster
from reprise.hw.csr.start import start_registers
from tests.hw.axi.bench import Readers
from tests.support import simulation
from tests.support.axi_bench import CONFIG, simulate
from tests.support.axi_memory import AxiMemory

WORD = CONFIG.bus_bits // 8
TOP = 1 << 40


def splits(address, beats):
    """The bursts of a request: they end at multiples of 16 words."""
    word, end = address // WORD, address // WORD + beats
    while word < end:
        n = min(end - word, 16 - word % 16)
        yield word * WORD, n
        word += n


@pytest.mark.parametrize("seed", range(6))
def test_reads_stay_in_the_window(seed):
    """Requests in order until one of their bursts leaves the window: those before it are made, nothing after it."""
    rng = random.Random(seed)
    base = rng.randrange(100) * WORD
    size = rng.choice([1, 15, 16, 17, 64, 300]) * WORD
    requests = []
    for _ in range(20):
        first = rng.randrange(max(0, base // WORD - 1), (base + size) // WORD + 1)
        requests.append({"address": first * WORD, "beats": rng.choice([1, 2, 16, 17])})
    bursts = [burst for r in requests for burst in splits(r["address"], r["beats"])]
    inside = [base <= address and address + n * WORD <= base + size for address, n in bursts]
    good = inside.index(False) if False in inside else len(bursts)
    dut = Readers(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits, seed=seed, stall=0.3, latency=4)
    seen = []

    async def bench(ctx):
        ctx.set(dut.o[0].ready, 1)
        for request in requests:  # those behind the bad one are never taken
            ctx.set(dut.i[0].payload, request)
            ctx.set(dut.i[0].valid, 1)
            for _ in range(200):
                _, _, ready, outside = await ctx.tick().sample(dut.i[0].ready, dut.outside)
                if ready or outside:
                    break
            ctx.set(dut.i[0].valid, 0)
        await ctx.tick().repeat(200)
        seen.append(ctx.get(dut.outside))
        assert ctx.get(dut.idle)

    simulate(dut, memory, bench, limit=10_000, window=(base, base + size))
    assert memory.reads == bursts[:good], f"seed {seed}"
    assert seen == [int(good < len(bursts))]


@pytest.mark.parametrize("seed", range(6))
def test_writes_stay_in_the_window(seed):
    """Words at random places around the borders: what is written lies inside, and is what came before the bad burst."""
    rng = random.Random(seed)
    base, size = (32 + rng.randrange(40)) * WORD, rng.choice([1, 2, 31, 32, 90]) * WORD
    dut = WriteMaster(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits, seed=seed, stall=0.3, latency=4)
    before = bytes(memory.data)
    words = [rng.randrange(base // WORD, (base + size) // WORD) for _ in range(40)]
    bad = rng.randrange(40)
    words[bad] = rng.choice([base // WORD - 1, (base + size) // WORD])
    seen = []

    async def bench(ctx):
        for n, word in enumerate(words):
            ctx.set(dut.i.payload, {"address": word * WORD, "data": n + 1, "strobe": 255, "last": 0})
            ctx.set(dut.i.valid, 1)
            for _ in range(200):
                _, _, ready, outside = await ctx.tick().sample(dut.i.ready, dut.outside)
                if ready or outside:
                    break
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(300)
        assert ctx.get(dut.outside) and ctx.get(dut.quiet)
        seen.append(len(memory.writes))

    simulate(dut, memory, bench, limit=30_000, window=(base, base + size))
    assert seen == [len(memory.writes)]
    changed = [at for at, (a, b) in enumerate(zip(before, memory.data, strict=True)) if a != b]
    assert all(base <= at < base + size for at in changed), f"seed {seed}"
    expected = dict.fromkeys(words[:bad], 0) | {word: n + 1 for n, word in enumerate(words[:bad])}
    for word, value in expected.items():
        assert int.from_bytes(memory.data[word * WORD : (word + 1) * WORD], "little") == value


@pytest.mark.parametrize("base", [0, 64])
@pytest.mark.parametrize("size", [0, WORD])
def test_closed_and_open_by_one_word(size, base):
    """An empty window allows nothing, not even its own first word."""
    dut = WriteMaster(CONFIG)
    memory = AxiMemory(dut, CONFIG.bus_bits)

    async def bench(ctx):
        ctx.set(dut.i.payload, {"address": base, "data": 5, "strobe": 255, "last": 1})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(60)
        assert ctx.get(dut.outside) == (size == 0)

    simulate(dut, memory, bench, window=(base, base + size))
    assert memory.writes == [(base, 1)] * (size // WORD)


CASES = {
    "tight": (dict(program=4096, read=(4096, 8192), write=(8192, 4096)), False),
    "everything": (dict(program=0, read=(0, TOP), write=(0, TOP)), False),
    "up to the top": (dict(program=0, read=(TOP - 64, 64), write=(TOP - 8, 8)), False),
    "empty": (dict(program=0, read=(0, 0), write=(0, 0)), False),
    "unaligned program": (dict(program=4, read=(0, 64), write=(0, 64)), True),
    "unaligned base": (dict(program=0, read=(12, 64), write=(0, 64)), True),
    "unaligned size": (dict(program=0, read=(0, 64), write=(0, 65)), True),
    "beyond the top": (dict(program=0, read=(TOP - 64, 72), write=(0, 64)), True),
    "far beyond the top": (dict(program=0, read=(0, 64), write=(TOP - 8, TOP)), True),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_host_may_set(name):
    """The windows hold from the start on; what is no window is told."""
    given, bad = CASES[name]
    windows = {which: AddressWindow(base=given[which][0], size=given[which][1]) for which in ("read", "write")}
    registers = start_registers(given["program"], HostWindows(**windows))
    dut = Windows(CONFIG)

    def value(register):
        return registers[f"{register}_HI"] << 32 | registers[f"{register}_LO"]

    async def bench(ctx):
        ctx.set(dut.i_program, value("PROGRAM"))
        for which, port in (("READ", dut.i_read), ("WRITE", dut.i_write)):
            ctx.set(port, {"base": value(f"{which}_BASE"), "size": value(f"{which}_SIZE")})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for port in (dut.i_program, dut.i_read.base, dut.i_write.base):
            ctx.set(port, 0x55)  # a host that writes on during the job
        await ctx.tick().repeat(Windows.LATENCY - 1)
        assert ctx.get(dut.bad) == bad
        for _ in range(3):
            assert ctx.get(dut.program) == given["program"]
            for which, port in (("read", dut.read), ("write", dut.write)):
                base, size = given[which]
                if not bad and size:
                    assert ctx.get(port.first) == base // WORD and ctx.get(port.last) == (base + size) // WORD - 1
                assert bad or ctx.get(port.open) == (size != 0)
            await ctx.tick()

    simulation.simulate(dut, bench, limit=1000)
