"""Tile loader: maps, histograms, the row memory's contents and room, latency, a beat per cycle."""

import random
from collections import deque

import pytest
from amaranth import Module

from reprise.hw.sorter.layouts import MAP_PARTS, ring_words, word_beats
from reprise.hw.sorter.tile_loader import TileLoader
from tests.hw.frontend_oracle import CORNERS, beats, corner_tile, random_info, random_tile
from tests.hw.sorter.bench import config_for, loaded
from tests.support.streams import Sink, Source, run_streams, unpack


class RowMemory:
    """What the loader writes; a word is in use from its first beat until its tile is given back."""

    def __init__(self, dut, config, *, hold=None):
        self.dut, self.config, self.hold = dut, config, hold or (lambda cycle: False)
        self.ring = [{} for _ in range(word_beats(config))]
        self.used, self.tiles, self.kept, self.fullest = set(), deque(), [], 0
        self.open = None  # address of the word that is being written

    def each(self, ctx, cycle):
        self.fullest = max(self.fullest, len(self.used))
        ctx.set(self.dut.freed, 0)
        if self.tiles and not self.hold(cycle):
            addresses = self.tiles.popleft()
            self.used -= set(addresses)
            ctx.set(self.dut.freed, len(addresses))
        if ctx.get(self.dut.o.valid & self.dut.o.ready):
            tile = unpack(self.dut.o.payload.shape(), ctx.get(self.dut.o.payload.as_value()))
            addresses = [(tile["base"] + n) % ring_words(self.config) for n in range(tile["count"])]
            self.kept.append([row for address in addresses for beat in self.ring for row in beat[address]])
            self.tiles.append(addresses)
        writes = unpack(self.dut.write.shape(), ctx.get(self.dut.write.as_value()))
        places = {write["addr"] for write in writes if write["en"]}
        assert len(places) < 2
        if all(write["en"] for write in writes):  # a word's first beat clears the others
            assert not places & self.used, f"cycle {cycle}: word {places} is overwritten"
            self.used |= places
            self.open = places
        assert not places or places == self.open, f"cycle {cycle}: a word goes on at {places}"
        for beat, write in zip(self.ring, writes, strict=True):
            if write["en"]:
                beat[write["addr"]] = write["data"]


def run_loader(config, tiles, *, seed=0, idle=0.0, stall=0.0, hold=None, gate=None):
    """Every tile at ``o`` and its rows in the memory at that time."""
    rng = random.Random(seed)
    infos = [random_info(config, rng) for _ in tiles]
    dut = TileLoader(config)
    top = Module()
    top.submodules.dut = dut
    top.d.comb += dut.ready.eq(dut.o.ready.replicate(MAP_PARTS))
    memory = RowMemory(dut, config, hold=hold)
    given = [beat for rows, info in zip(tiles, infos, strict=True) for beat in beats(config, rows, info)]
    source, sink = Source(dut.i, given, idle=idle), Sink(dut.o, stall=stall, expect=len(tiles), gate=gate)
    run_streams(top, [source], [sink], seed=seed, each=memory.each, limit=20_000)
    base, size = 0, config.load_rows * word_beats(config)
    for rows, info, got, kept in zip(tiles, infos, sink.items, memory.kept, strict=True):
        assert got == loaded(config, rows, info, base)
        rows = rows + [0] * (-len(rows) % size)
        assert [item["count"] for item in kept] == [row.bit_count() for row in rows]
        assert all(item["row"] == row for item, row in zip(kept, rows, strict=True) if row)
        base = (base + got["count"]) % ring_words(config)
    lasts = [cycle for cycle, beat in zip(source.cycles, given, strict=True) if beat["last"]]
    return source.cycles, lasts, sink, memory


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.3, 0.5)])
def test_maps_and_memory(queries, idle, stall):
    config, rng = config_for(queries), random.Random(1)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(40)]
    cycles, lasts, sink, _ = run_loader(config, tiles, seed=2, idle=idle, stall=stall)
    if not idle:
        assert cycles == list(range(1, len(cycles) + 1)), "one beat per cycle, after the reset's"
        assert [offered - last for offered, last in zip(sink.offered, lasts, strict=True)] == [
            TileLoader.LATENCY
        ] * len(tiles)


@pytest.mark.parametrize("sizes", [{"tile_m": 8, "load_rows": 8}, {"tile_m": 32, "load_rows": 2}, {"tile_k": 4}])
@pytest.mark.parametrize("queries", [1, 2])
def test_other_sizes(queries, sizes):
    """Tiles of one beat (a word of one beat), words of few rows, few classes."""
    config, rng = config_for(queries, **sizes), random.Random(7)
    run_loader(config, [random_tile(config, rng) for _ in range(40)], seed=3, idle=0.1, stall=0.2)


@pytest.mark.parametrize("queries", [1, 2])
def test_latency_of_a_lone_tile(queries):
    config = config_for(queries)
    _, lasts, sink, _ = run_loader(config, [[1, 2, 3, 4]])
    assert sink.offered[0] - lasts[0] == TileLoader.LATENCY


@pytest.mark.parametrize("queries", [1, 2])
def test_next_tile_loads_up_to_its_first_beat(queries):
    """While a tile waits at ``o`` two more beats are taken only if they do not begin to count: the first one stands."""
    config = config_for(queries)
    cycles, lasts, _, _ = run_loader(config, [[3] * 16] * 3, gate=lambda cycle: cycle > 40)
    assert lasts[0] == 4
    assert cycles[4] == 5 and cycles[5] == 41


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("size", [4, 12, 16])
def test_row_memory_fills_and_wraps(queries, size):
    """Nothing is given back for long: the input stops before a word is overwritten, more than once around."""
    config, rng = config_for(queries), random.Random(5)
    count = 8 * ring_words(config) // -(-size // (4 * word_beats(config)))
    tiles = [[rng.randrange(1, 256) for _ in range(size)] for _ in range(count)]
    *_, memory = run_loader(config, tiles, hold=lambda cycle: cycle % 200 < 150)
    assert ring_words(config) - 4 < memory.fullest < ring_words(config) + 1
