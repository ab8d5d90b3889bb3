"""Row picker: groups, places, every group's cycle, words of two tiles."""

import itertools
import random

import pytest

from reprise.hw.interface.search import query_parts
from reprise.hw.sorter.layouts import words
from reprise.hw.sorter.row_picker import RowPicker
from tests.hw.detector.bench import sorted_groups
from tests.hw.frontend_oracle import CORNERS, corner_tile, random_info, random_tile, row_cycles, schedule, visits
from tests.hw.sorter.bench import config_for, loaded, visits_of
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams


def words_of(config, rows, info):
    """The memory's words for a tile: rows of other classes and stale ones are in them too."""
    size = config.tile_m // words(config)
    tile = loaded(config, rows, info, 0)
    for visit, (*_, indices) in zip(visits_of(config, rows, tile), visits(config, rows), strict=True):
        start = visit["word"] * size
        held = rows[start : start + size]
        yield {
            "rows": held + [255 % (1 << config.tile_k)] * (size - len(held)),
            "mine": sum(1 << (index - start) for index in indices),
            "visit": {**visit, "bases": [base or 0 for base in visit["bases"]]},
        }


def run_picker(config, tiles, *, seed=0, idle=0.0, stall=0.0, gate=None):
    rng = random.Random(seed)
    infos = [random_info(config, rng) for _ in tiles]
    given, wanted = [], []
    for rows, info in zip(tiles, infos, strict=True):
        given += words_of(config, rows, info)
        wanted += sorted_groups(config, rows, info)[0]
    dut = design(RowPicker, config)
    source, sink = Source(dut.i, given, idle=idle), Sink(dut.o, stall=stall, expect=len(wanted), gate=gate)
    run_streams(dut, [source], [sink], seed=seed, limit=20_000)
    for got, want in zip(sink.items, wanted, strict=True):
        got["rows"] = got["rows"][: len(want["rows"])]  # the others are undefined
        assert got == want
    return source, sink


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)])
@pytest.mark.parametrize("sizes", [{}, {"tile_m": 8, "load_rows": 8}, {"tile_m": 32, "load_rows": 2, "tile_k": 4}])
def test_groups(queries, idle, stall, sizes):
    """Values, and with continuous traffic the cycle of every group: latency 2, throughput of the window."""
    config, rng = config_for(queries, **sizes), random.Random(queries)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(60)] + [[0] * config.load_rows] * 5
    source, sink = run_picker(config, tiles, seed=queries, idle=idle, stall=stall)
    if not idle and not stall:
        counts = [[len(indices) for *_, indices in visits(config, rows)] for rows in tiles]
        start = source.cycles[0] + RowPicker.LATENCY
        assert [cycle - start for cycle in sink.cycles] == schedule(queries, counts)
        assert sink.cycles[-1] - start < sum(row_cycles(config, rows) for rows in tiles) + queries - 1


@pytest.mark.parametrize(("queries", "parts"), [(1, 7), (2, 4)])
def test_a_row_for_every_part_of_the_tcam(queries, parts):
    config, rng = config_for(queries, tile_m=256), random.Random(queries)
    assert len(query_parts(config)) == parts
    run_picker(config, [random_tile(config, rng) for _ in range(6)], seed=queries, stall=0.3)


def test_one_query_gives_a_row_per_cycle():
    config, rng = config_for(1), random.Random(2)
    tiles = [random_tile(config, rng) for _ in range(30)]
    source, sink = run_picker(config, tiles)
    start = source.cycles[0] + RowPicker.LATENCY
    assert sink.cycles == list(range(start, start + len(sink.cycles)))


def test_lone_row_waits_for_the_next_word():
    """Two queries: a row alone in its word leaves with the next word's first, or alone where its tile ends."""
    config = config_for(2)
    source, sink = run_picker(config, [[1, 3, 0, 0], [1, 0, 0, 0], [0] * 4])
    start = source.cycles[0] + RowPicker.LATENCY
    assert sink.cycles == [start + 1, start + 2, start + 3]
    assert [group["valid"] for group in sink.items] == [3, 1, 0]


@pytest.mark.parametrize("queries", [1, 2])
def test_throughput_bound(queries):
    """Tiles of up to four words: never over sum(ceil(rows / queries)) cycles, and with two queries one more once.

    The schedule is the one that :func:`test_groups` holds the picker to.
    """
    config = config_for(queries, tile_m=32, load_rows=8 // queries)  # words of 8 rows
    rng = random.Random(1)
    for counts in itertools.product([0, 1, 2, 3, 4, 7], repeat=4):
        rows = [row for count in counts for row in [1] * count + [0] * (8 - count)]
        some = [count for count in counts if count] or [0]
        bound, cost = sum(max(1, -(-count // queries)) for count in some), row_cycles(config, rows)
        assert max(-(-sum(some) // queries), len(some)) <= cost <= bound
        others = [[rng.choice([1, 2, 5])] * rng.choice([1, 2, 3]) for _ in range(2)]
        cycles = schedule(queries, [some] * 6)[-1] + 1
        assert cycles <= 6 * cost + queries - 1
        full = [[8, 8]] * 2  # the tile between others: what it adds
        alone, more = [schedule(queries, full + between + others)[-1] for between in ([], [some])]
        assert more - alone <= cost + queries - 1
