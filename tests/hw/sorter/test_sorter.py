"""Sorter: issue order, TCAM places, latency, throughput, tile borders, the ring of the row memory."""

import random
from itertools import pairwise

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.sorter.layouts import ring_words, words
from reprise.hw.sorter.sorter import Sorter
from tests.hw.frontend_oracle import (
    CORNERS,
    beats,
    corner_tile,
    naive_tile,
    random_info,
    random_tile,
    row_cycles,
    run_cycles,
    visits,
)
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

SIZES = [{"tile_m": 8, "load_rows": 8}, {"tile_m": 32, "load_rows": 2}, {"tile_k": 4}, {"tile_m": 8, "tile_k": 64}]


def config_for(queries, **sizes):
    return HardwareConfig.load("tiny").replace(queries=queries, **sizes)


def run_sorter(config, tiles, *, seed=0, idle=0.0, stall=0.0, gate=None, gap=0):
    """``gap``: a beat is given that many cycles after the one before. Returns (beats' cycles, last beats', sink)."""
    rng = random.Random(seed)
    infos = [random_info(config, rng) for _ in tiles]
    given = [beat for rows, info in zip(tiles, infos, strict=True) for beat in beats(config, rows, info)]
    dut = design(Sorter, config)
    counts = [sum(row != 0 for row in rows) for rows in tiles]
    groups = sum(max(1, -(-count // config.queries)) for count in counts)
    source = Source(dut.i, given, idle=idle)
    source.gate = lambda cycle: not source.cycles or cycle > source.cycles[-1] + gap
    sink = Sink(dut.o, stall=stall, expect=groups, gate=gate)
    run_streams(dut, [source], [sink], seed=seed, limit=20_000)
    check(config, tiles, infos, sink.items)
    return source.cycles, [cycle for cycle, beat in zip(source.cycles, given, strict=True) if beat["last"]], sink


def check(config, tiles, infos, groups):
    """Order and grouping; in each bank places are dense and rise with popcount, then fall with the index."""
    groups = iter(groups)
    for rows, info in zip(tiles, infos, strict=True):
        order = [(index, row) for index, row, _, _ in naive_tile(rows)]
        banks = [[] for _ in range(config.queries)]
        pairs = [order[n : n + config.queries] for n in range(0, len(order), config.queries)] or [[]]
        for n, pair in enumerate(pairs):
            group = next(groups)
            assert group["tile"] == info
            assert (group["first"], group["last"]) == (n == 0, n == len(pairs) - 1)
            assert group["valid"] == (1 << len(pair)) - 1
            for lane, (index, row) in enumerate(pair):
                got = group["rows"][lane]
                assert (got["index"], got["row"], got["cls"]) == (index, row, row.bit_count() - 1)
                banks[lane].append((row.bit_count(), -index, got["entry"]))
        for bank in banks:
            assert [place for *_, place in sorted(bank)] == list(range(len(bank)))


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.6), (0.2, 0.6)])
def test_issue_order_and_places(queries, idle, stall):
    config, rng = config_for(queries), random.Random(queries)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(40)]
    _, _, sink = run_sorter(config, tiles, seed=queries, idle=idle, stall=stall)
    if not idle and not stall:
        assert sink.cycles[-1] <= run_cycles(config, tiles) + Sorter.LATENCY + queries - 2


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("queries", [1, 2])
def test_other_sizes(queries, sizes):
    """Tiles of one beat (tile_m == load_rows), words of few rows, few classes, 64 classes."""
    config, rng = config_for(queries, **sizes), random.Random(7)
    run_sorter(config, [random_tile(config, rng) for _ in range(30)], seed=3, idle=0.1, stall=0.2)


@pytest.mark.parametrize("queries", [1, 2])
def test_latency_of_lone_tiles(queries):
    """The same whatever the tile holds; with two queries one more where its first word gives one row of several."""
    config, rng = config_for(queries), random.Random(3)
    tiles = [corner_tile(config, name, rng) for name in CORNERS] + [random_tile(config, rng) for _ in range(30)]
    tiles += [[3] * n + [0] * (16 - n) for n in range(17)]
    _, lasts, sink = run_sorter(config, tiles, gap=40)
    firsts = [offered for offered, group in zip(sink.offered, sink.items, strict=True) if group["first"]]
    waits = [queries == 2 and len(visits(config, rows)) > 1 and len(visits(config, rows)[0][2]) == 1 for rows in tiles]
    assert queries == 1 or 5 < sum(waits) < len(waits) - 5
    latencies = [first - last for first, last in zip(firsts, lasts, strict=True)]
    assert latencies == [Sorter.LATENCY + wait for wait in waits]
    assert Sorter.LATENCY == 8


@pytest.mark.parametrize("queries", [1, 2])
def test_sustained_rate(queries):
    """One query: a row per cycle over tile borders; two: no more than the bound, also with odd numbers of rows."""
    config, rng = config_for(queries, load_rows=8), random.Random(3)
    tiles = [[rng.choice([3, 5, 9, 255]) for _ in range(15 if n % 2 else 16)] for n in range(12)]
    _, lasts, sink = run_sorter(config, tiles)
    assert sink.offered[0] - lasts[0] == Sorter.LATENCY
    cost = run_cycles(config, tiles) - 2  # from the last beat of the first tile
    if queries == 1:
        assert sink.cycles == list(range(sink.cycles[0], sink.cycles[0] + len(sink.cycles)))
        assert sink.cycles[-1] - sink.cycles[0] + 1 == cost
    assert sink.cycles[-1] - sink.cycles[0] + 1 <= cost


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("row", [0, 3])
def test_a_tile_per_cycle(queries, row):
    """Tiles of one beat that is empty or holds one row."""
    config = config_for(queries)
    tiles = [[row if i == n % 4 else 0 for i in range(4)] for n in range(100)]
    cycles, _, sink = run_sorter(config, tiles)
    assert cycles == list(range(1, 101))
    assert sink.cycles == [cycle + Sorter.LATENCY for cycle in cycles]


@pytest.mark.parametrize("queries", [1, 2])
def test_long_and_short_tiles_in_turn(queries):
    """A tile's beats are loaded while the rows of the one before are visited: the cycles of :func:`run_cycles`."""
    config = config_for(queries, tile_m=32)
    long, short = [[(1 << 1 + i // 4) - 1 for i in range(32)], [7] * 4]
    tiles = [long, short] * 10
    _, lasts, sink = run_sorter(config, tiles)
    assert row_cycles(config, long) == 32 // queries
    cost = run_cycles(config, tiles) - 8
    assert sink.cycles[-1] - sink.cycles[0] + 1 <= cost
    costs = max(1, row_cycles(config, short)), row_cycles(config, long)
    assert sink.cycles[-1] - sink.cycles[0] + 1 >= 10 * sum(costs)


def test_stale_rows_do_not_show():
    """Two queries: tiles that end inside a word lie over older tiles of full words."""
    config = config_for(2)
    full = [[255] * 16, [1] * 16, [(1 << n % 8 + 1) - 1 for n in range(16)]]
    half = [[n % 256 for n in range(start, start + size)] for start in (1, 77) for size in (4, 12, 3, 9)]
    times = 3 * ring_words(config) // words(config)
    rng = random.Random(8)
    run_sorter(config, [rng.choice(full if n % 8 < 4 else half) for n in range(times)])


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("size", [4, 12, 16])
def test_row_memory_fills_and_wraps(queries, size):
    """The output stands still until the row memory is full, more than once around; the input stops, nothing is lost."""
    config, rng = config_for(queries), random.Random(4)
    tiles = [[rng.randrange(1, 256) for _ in range(size)] for _ in range(60)]
    cycles, *_ = run_sorter(config, tiles, gate=lambda cycle: cycle % 100 > 70)
    assert max(after - before for before, after in pairwise(cycles)) > 40
