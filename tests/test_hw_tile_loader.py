"""Tile loader: histograms, kept beats, latency, a beat per cycle."""

import random

import pytest

from hw.config import HardwareConfig
from hw.tile_loader import TileLoader
from tests.frontend_oracle import CORNERS, beats, corner_tile, random_info, random_tile
from tests.stream_helpers import Sink, Source, run_streams

CONFIG = HardwareConfig.load("tiny")


def expected(config, tiles, infos):
    words, histograms = [], []
    for rows, info in zip(tiles, infos, strict=True):
        useful = [(i, beat["rows"]) for i, beat in enumerate(beats(config, rows, info)) if any(beat["rows"])]
        for n, (index, group) in enumerate(useful):
            nonzero = sum((row != 0) << r for r, row in enumerate(group))
            words.append({"rows": group, "nonzero": nonzero, "index": index, "last": int(n == len(useful) - 1)})
        counts = [row.bit_count() for row in rows if row]
        upto = [sum(count <= p + 1 for count in counts) for p in range(config.tile_k)]
        histograms.append({"upto": upto, "empty": int(not counts), "tile": info})
    return words, histograms


@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.3, 0.5)])
def test_histograms_and_beats(idle, stall):
    rng = random.Random(1)
    tiles = [corner_tile(CONFIG, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(CONFIG, rng) for _ in range(40)]
    infos = [random_info(CONFIG, rng) for _ in tiles]
    words, histograms = expected(CONFIG, tiles, infos)
    dut = TileLoader(CONFIG)
    given = [beat for rows, info in zip(tiles, infos, strict=True) for beat in beats(CONFIG, rows, info)]
    source = Source(dut.i, given, idle=idle)
    sinks = [Sink(dut.o_words, stall=stall, expect=len(words)), Sink(dut.o_tile, stall=stall, expect=len(tiles))]
    run_streams(dut, [source], sinks, seed=2)
    assert sinks[0].items == words
    assert sinks[1].items == histograms
    if not idle:
        assert source.cycles == list(range(1, len(given) + 1)), "one beat per cycle, after the reset's"
        lasts = [cycle for cycle, beat in zip(source.cycles, given, strict=True) if beat["last"]]
        assert [offered - last for offered, last in zip(sinks[1].offered, lasts, strict=True)] == [
            TileLoader.LATENCY
        ] * len(tiles)


def test_latency_of_a_lone_beat():
    rng = random.Random(1)
    dut = TileLoader(CONFIG)
    source = Source(dut.i, beats(CONFIG, [1, 2, 3, 4], random_info(CONFIG, rng)))
    sinks = [Sink(dut.o_words, expect=1), Sink(dut.o_tile, expect=1)]
    run_streams(dut, [source], sinks)
    assert sinks[0].offered[0] - source.cycles[0] == TileLoader.LATENCY_WORDS
    assert sinks[1].offered[0] - source.cycles[0] == TileLoader.LATENCY


def test_beats_wait_for_room():
    """Nothing is taken from the loader for long: its FIFO fills, the input stops, nothing is lost."""
    rng = random.Random(5)
    tiles = [[rng.randrange(1, 256) for _ in range(16)] for _ in range(12)]
    infos = [random_info(CONFIG, rng) for _ in tiles]
    words, histograms = expected(CONFIG, tiles, infos)
    dut = TileLoader(CONFIG)
    given = [beat for rows, info in zip(tiles, infos, strict=True) for beat in beats(CONFIG, rows, info)]
    source = Source(dut.i, given)
    sinks = [Sink(dut.o_words, expect=len(words), gate=lambda cycle: cycle > 100), Sink(dut.o_tile, expect=len(tiles))]
    run_streams(dut, [source], sinks)
    assert sinks[0].items == words
    assert sinks[1].items == histograms
    assert sum(cycle < 100 for cycle in source.cycles) < len(given)
