"""What rows a tile uses, and the runs into which they are cut, against plain sets."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.loader.row_runs import RowRuns
from reprise.hw.loader.used_rows import TILES_KNOWN, UsedRows
from tests.support.simulation import simulate

TINY = HardwareConfig.load("tiny")


def runs_of(used: int, bits: int) -> list[tuple[int, int, bool]]:
    """The runs (first, rows, last) of a set, found bit by bit."""
    found, first = [], None
    for k in range(bits + 1):
        inside = k < bits and used >> k & 1
        if inside and first is None:
            first = k
        if not inside and first is not None:
            found.append((first, k - first))
            first = None
    found = found or [(0, 0)]
    return [(*one, n == len(found) - 1) for n, one in enumerate(found)]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("tile_k", [8, 16, 64])
def test_runs(tile_k, stall):
    """Empty, full, lowest, highest and alternating rows by name, then random ones; no cycle is lost without stalls."""
    config = TINY.replace(tile_k=tile_k)
    rng = random.Random(tile_k)
    full = (1 << tile_k) - 1
    named = [0, full, 1, 1 << (tile_k - 1), full // 3, full ^ (full // 3), full ^ 1, full >> 1]
    sets = [*named, *(rng.getrandbits(tile_k) & rng.getrandbits(tile_k) for _ in range(60)), *named]
    wanted = [run for used in sets for run in runs_of(used, tile_k)]
    dut = RowRuns(config)

    async def give(ctx):
        for used in sets:
            ctx.set(dut.i.payload, used)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def bench(ctx):
        got, cycles = [], []
        cycle = 0
        while len(got) < len(wanted):
            ready = rng.random() >= stall
            ctx.set(dut.o.ready, ready)
            _, _, valid, run = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid and ready:
                got.append((run.first, run.rows, bool(run.last)))
                cycles.append(cycle)
            cycle += 1
        assert got == wanted
        if not stall:
            assert cycles[0] == RowRuns.LATENCY and cycles[-1] - cycles[0] == len(wanted) - 1

    simulate(dut, bench, background=[give], limit=5000)


RUNS = [
    dict(m_tiles=2, k_tiles=3, whole_tiles=0),
    dict(m_tiles=2, k_tiles=3, whole_tiles=4),
    dict(m_tiles=1, k_tiles=2, whole_tiles=9),
    dict(m_tiles=2, k_tiles=2, whole_tiles=1, weights_keep=1),
    dict(m_tiles=1, k_tiles=2, weights_keep=1, weights_ready=1),
    dict(m_tiles=1, k_tiles=40, whole_tiles=1),
]


@pytest.mark.parametrize(("idle", "stall", "busy"), [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.9), (0.3, 0.3, 0.5)])
def test_used_rows(idle, stall, busy):
    """Rows pass unchanged; every tile behind the whole ones is told with its used rows, and none of another RUN."""
    rng = random.Random(11)
    dut = UsedRows(TINY)
    passed, told = [], []

    async def watch_rows(ctx):
        while True:
            ctx.set(dut.o.ready, rng.random() >= stall)
            _, _, valid, ready, word = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload.as_value())
            if valid and ready:
                passed.append(word)

    async def watch_used(ctx):
        while True:
            ctx.set(dut.o_used.ready, rng.random() >= busy)
            _, _, valid, ready, used = await ctx.tick().sample(dut.o_used.valid, dut.o_used.ready, dut.o_used.payload)
            if valid and ready:
                told.append(used)

    async def bench(ctx):
        for run in RUNS:
            passed.clear()
            told.clear()
            fields = dict(whole_tiles=0, weights_keep=0, weights_ready=0) | run
            for name, value in fields.items():
                ctx.set(dut.run[name], value)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            sent, wanted = [], []
            for tile in range(run["m_tiles"] * run["k_tiles"]):
                words, used = rng.choice([1, 1, 2, 3]), 0
                for n in range(words):
                    rows = [rng.getrandbits(8) & rng.getrandbits(8) & rng.getrandbits(8) for _ in range(TINY.load_rows)]
                    for row in rows:
                        used |= row
                    while rng.random() < idle:
                        await ctx.tick()
                    ctx.set(dut.i.payload, {"rows": rows, "last": n == words - 1})
                    ctx.set(dut.i.valid, 1)
                    (word,) = await ctx.tick().sample(dut.i.payload.as_value()).until(dut.i.ready)
                    ctx.set(dut.i.valid, 0)
                    sent.append(word)
                if tile >= fields["whole_tiles"] and not fields["weights_keep"]:
                    wanted.append(used)
            while len(told) < len(wanted):
                await ctx.tick()
            await ctx.tick().repeat(5)
            assert passed == sent and told == wanted

    simulate(dut, bench, background=[watch_rows, watch_used], limit=20_000)


async def offer_tiles(ctx, dut, *, row):
    """Start a RUN none of whose tiles is fetched whole, and offer tiles of one word, in which all rows are ``row``."""
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    ctx.set(dut.o.ready, 1)
    ctx.set(dut.i.valid, 1)
    ctx.set(dut.i.payload, {"rows": [row] * TINY.load_rows, "last": 1})


def test_rows_wait_while_nobody_takes_what_is_known():
    """TILES_KNOWN tiles pass; the word behind them waits until one of them is taken."""
    dut = UsedRows(TINY)

    async def bench(ctx):
        await offer_tiles(ctx, dut, row=1)
        passed = 0
        for _ in range(TILES_KNOWN + 5):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            passed += ready
        assert passed == TILES_KNOWN
        ctx.set(dut.o_used.ready, 1)
        await ctx.tick()
        ctx.set(dut.o_used.ready, 0)
        assert ctx.get(dut.i.ready)
        await ctx.tick()
        assert not ctx.get(dut.i.ready)

    simulate(dut, bench, limit=200)


def test_a_tile_is_known_after_its_latency():
    dut = UsedRows(TINY)

    async def bench(ctx):
        await offer_tiles(ctx, dut, row=2)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(UsedRows.LATENCY - 1):
            assert not ctx.get(dut.o_used.valid)
            await ctx.tick()
        assert ctx.get(dut.o_used.valid) and ctx.get(dut.o_used.payload) == 2

    simulate(dut, bench, limit=50)
