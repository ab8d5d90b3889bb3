"""Class walker: order of visits, TCAM bases, latency, throughput; its two stages alone."""

import random

import pytest

from reprise.hw.interface.search import entry_bits
from reprise.hw.sorter.class_walker import ClassChooser, ClassWalker, WordWalker
from reprise.hw.sorter.layouts import MAP_PARTS, ring_words
from tests.hw.frontend_oracle import CORNERS, corner_tile, random_info, random_tile, visits
from tests.hw.sorter.bench import config_for, loaded, visits_of
from tests.support.streams import Sink, Source, run_streams


def some_tiles(config, seed):
    """Corners and random tiles as the loader gives them, with the rows of each."""
    rng = random.Random(seed)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(60)] + [[0] * 4] * 5
    bases = [rng.randrange(ring_words(config)) for _ in tiles]
    return tiles, [
        loaded(config, rows, random_info(config, rng), base) for rows, base in zip(tiles, bases, strict=True)
    ]


def classes_of(config, rows, tile):
    """What the chooser gives for a tile."""
    found = sorted({cls for cls, *_ in visits(config, rows)})
    for n, cls in enumerate(found):
        yield {
            "words": tile["words"][cls],
            "low": tile["upto"][cls - 1] if cls else 0,
            "high": tile["upto"][cls],
            "visit": {
                "word": 0,
                "address": tile["base"],
                "cls": cls,
                "bases": [0] * config.queries,
                "first": int(n == 0),
                "last": int(n == len(found) - 1),
                "count": tile["count"],
                "tile": tile["tile"],
            },
        }


def run(dut, given, wanted, *, idle, stall, seed=0):
    source, sink = Source(dut.i, given, idle=idle), Sink(dut.o, stall=stall, expect=len(wanted))

    def copies_agree(ctx, cycle):
        if cycle and hasattr(dut, "ready"):
            assert ctx.get(dut.ready) == (1 << MAP_PARTS) - 1 if ctx.get(dut.i.ready) else ctx.get(dut.ready) == 0

    run_streams(dut, [source], [sink], seed=seed, limit=20_000, each=copies_agree)
    for got, want in zip(sink.items, wanted, strict=True):
        bases = want.get("bases", [])
        for lane, base in enumerate(bases):  # without a row in the lane: any
            bases[lane] = got["bases"][lane] if base is None else base % (1 << entry_bits(dut.config))
        assert got == want
    if not idle:
        start = source.cycles[0] + type(dut).LATENCY
        assert sink.cycles == list(range(start, start + len(wanted))), "latency once, then an item per cycle"


TRAFFIC = [(0.0, 0.0), (0.4, 0.5)]


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), TRAFFIC)
@pytest.mark.parametrize("sizes", [{}, {"tile_m": 8, "load_rows": 8}, {"tile_m": 32, "load_rows": 2, "tile_k": 4}])
def test_visits(queries, idle, stall, sizes):
    config = config_for(queries, **sizes)
    tiles, given = some_tiles(config, seed=queries)
    wanted = [visit for rows, tile in zip(tiles, given, strict=True) for visit in visits_of(config, rows, tile)]
    run(ClassWalker(config), given, wanted, idle=idle, stall=stall)


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), TRAFFIC)
def test_classes(queries, idle, stall):
    """The chooser alone; classes of the tile with rows of every popcount: all of them, in eight cycles."""
    config = config_for(queries)
    tiles, given = some_tiles(config, seed=queries)
    rows = [(1 << n) - 1 for n in range(1, 9)]
    tiles.append(rows)
    given.append(loaded(config, rows, given[0]["tile"], 1))
    wanted = [item for rows, tile in zip(tiles, given, strict=True) for item in classes_of(config, rows, tile)]
    run(ClassChooser(config), given, wanted, idle=idle, stall=stall)


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), TRAFFIC)
def test_words(queries, idle, stall):
    """The word walker alone."""
    config = config_for(queries)
    given, wanted = [], []
    for rows, tile in zip(*some_tiles(config, seed=queries), strict=True):
        given += classes_of(config, rows, tile)
        wanted += visits_of(config, rows, tile)
    run(WordWalker(config), given, wanted, idle=idle, stall=stall)
