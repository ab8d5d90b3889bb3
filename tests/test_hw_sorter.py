"""Sorter: issue order, TCAM places, latency, throughput."""

import random

import pytest

from hw.config import HardwareConfig
from hw.sorter import Sorter
from tests.frontend_oracle import CORNERS, corner_tile, naive_tile, random_info, random_tile
from tests.stream_helpers import Sink, Source, run_streams
from tests.test_hw_tile_loader import expected


def config_for(queries):
    return HardwareConfig.load("tiny").replace(queries=queries)


def run_sorter(config, tiles, *, seed=0, idle=0.0, stall=0.0, gate=None):
    rng = random.Random(seed)
    infos = [random_info(config, rng) for _ in tiles]
    words, histograms = expected(config, tiles, infos)
    dut = Sorter(config)
    counts = [sum(row != 0 for row in rows) for rows in tiles]
    groups = sum(max(1, -(-count // config.queries)) for count in counts)
    sources = [Source(dut.i_words, words, idle=idle), Source(dut.i_tile, histograms, idle=idle)]
    sink = Sink(dut.o, stall=stall, expect=groups, gate=gate)
    run_streams(dut, sources, [sink], seed=seed)
    check(config, tiles, infos, sink.items)
    return sources, sink


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
                banks[lane].append((row.bit_count(), -index, got["place"]))
        for bank in banks:
            assert [place for *_, place in sorted(bank)] == list(range(len(bank)))


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.2, 0.6)])
def test_issue_order_and_places(queries, idle, stall):
    config, rng = config_for(queries), random.Random(queries)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    run_sorter(config, tiles + [random_tile(config, rng) for _ in range(40)], seed=queries, idle=idle, stall=stall)


@pytest.mark.parametrize("queries", [1, 2])
def test_latency_and_sustained_rate(queries):
    """One group per cycle over tile borders, also of tiles with an odd number of rows; empty tiles take one cycle."""
    config, rng = config_for(queries), random.Random(3)
    tiles = [[rng.choice([3, 5, 9, 255]) for _ in range(15 if n % 2 else 16)] for n in range(12)]
    tiles += [[0] * 16] * 6
    sources, sink = run_sorter(config, tiles)
    groups = 16 // queries
    # The source gives all beats at once: the first tile's last row was counted groups - 1 cycles after its first.
    assert sink.offered[0] - sources[0].cycles[0] == Sorter.latency(config) + groups
    assert sink.cycles == list(range(sink.cycles[0], sink.cycles[0] + len(sink.cycles)))


def test_ring_fills_and_wraps():
    """The reader stands still until the ring and the tile queue are full, more than once around."""
    config, rng = config_for(2), random.Random(4)
    tiles = [[rng.randrange(1, 256) for _ in range(16)] for _ in range(24)]
    run_sorter(config, tiles, gate=lambda cycle: cycle % 100 > 70)
