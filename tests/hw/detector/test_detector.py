"""Detector and its TCAM banks: best earlier subset by bank, tile borders, pauses."""

import random

import pytest
from amaranth import ResetInserter, Signal

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.detector.detector import Detector
from reprise.hw.interface.search import query_parts
from tests.hw.detector.bench import check_best, sorted_groups
from tests.hw.frontend_oracle import CORNERS, corner_tile, random_info, random_tile
from tests.support.simulation import simulate
from tests.support.streams import Source, run_streams, unpack

TINY = HardwareConfig.load("tiny")


def collect(dut, groups, *, idle=0.0, closed=0.0, seed=0):
    """Feed groups; every valid output with the cycle it came in, and the cycles of the inputs."""
    rng, got = random.Random(seed), []

    def each(ctx, cycle):
        ctx.set(dut.room, rng.random() >= closed)
        ctx.set(dut.tile_room, rng.random() >= closed)
        if not ctx.get(dut.i.valid):  # whatever stands there then means nothing
            ctx.set(dut.i.payload.as_value(), rng.getrandbits(len(dut.i.payload.as_value())))
        if ctx.get(dut.o.valid):
            got.append((cycle, unpack(dut.o.shape(), ctx.get(dut.o.as_value()))))

    source = Source(dut.i, groups, idle=idle)
    run_streams(dut, [source], [], seed=seed, each=each)
    return got, source.cycles


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(
    "rows, parts, one_bit",
    [(None, 1, 0), (128, (4, 2), 0), (None, 1, 1)],
    ids=["one part", "several parts", "one-bit rows match"],
)
@pytest.mark.parametrize(("idle", "closed"), [(0.0, 0.0), (0.3, 0.4)])
def test_best_of_every_bank(queries, rows, parts, one_bit, idle, closed):
    config, rng = TINY.replace(queries=queries, one_bit_matches=one_bit), random.Random(queries)
    if rows:
        config, parts = config.replace(tile_m=rows), parts[queries - 1]
    assert len(query_parts(config)) == parts
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(30)]
    groups, rows = [], []
    for tile in tiles:
        more, slots = sorted_groups(config, tile, random_info(config, rng))
        groups += more
        rows.append(slots)
    got, taken = collect(Detector(config), groups, idle=idle, closed=closed, seed=queries)
    assert [cycle for cycle, _ in got] == [cycle + Detector.LATENCY for cycle in taken]
    out = iter(item for _, item in got)
    half = config.tile_m // 2
    for slots in rows:
        for n in range(0, max(len(slots), 1), queries):
            group = next(out)
            assert group["last"] == (n + queries >= len(slots))
            for lane in range(queries):
                item = group["rows"][lane]
                assert item["valid"] == (n + lane < len(slots))
                if item["valid"]:
                    index, row, slot = slots[n + lane]
                    assert (item["index"], item["row"], item["result"]) == (index, row, slot)
                    check_best(item, slots[: n + lane], row, config, half)
    assert next(out, None) is None


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("queries", [1, 2])
def test_reset_forgets_rows_that_were_taken(queries, reset):
    """Also the one that is taken in the cycle of the reset: its valid bit would come a cycle later."""
    config, rst, found = TINY.replace(queries=queries), Signal(), []
    dut = Detector(config)

    async def bench(ctx):
        ctx.set(dut.room, 1)
        ctx.set(dut.tile_room, 1)
        ctx.set(dut.i.valid, 1)
        for n, row in enumerate((1, 2, 4, 7)):  # the last one contains all before it
            group = {"row": row, "query": [row] * len(query_parts(config)), "entry": n, "cls": row.bit_count() - 1}
            ctx.set(dut.i.payload, {"rows": [group] * queries, "valid": 1})
            ctx.set(rst, reset and row == 4)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(Detector.LATENCY - 1)
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.rows[0].row) == 7
        found.append((ctx.get(dut.o.rows[0].best[0].found), ctx.get(dut.o.rows[0].best[0].entry)))

    simulate(ResetInserter(rst)(dut), bench)
    assert found[0][0] == (not reset) and (reset or found[0][1] == 2)
