"""The whole front-end against the definition: values, order, latency, throughput, backpressure on every port."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.frontend import FrontEnd
from reprise.model.prosparsity.tiles import analyze_tile
from tests.hw.frontend_oracle import (
    CORNERS,
    bench,
    corner_tile,
    naive_tile,
    random_info,
    random_tile,
    row_cycles,
    run_cycles,
    schedule,
    visits,
)

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "data" / "captures"
SHAPES = [(1, 1), (1, 2), (2, 1), (2, 2)]
PORTS = ("begin", "end", "compute", "reuse0", "reuse1")


def small(queries=1, banks=1, **changes):
    fields = dict(tile_m=16, tile_k=8, lanes=8, load_rows=4, neuron_lanes=4, bus_bits=64, feature_words=512)
    return HardwareConfig(**fields | dict(queries=queries, banks=banks, segments=128) | changes)


@pytest.mark.parametrize("one_bit", [0, 1], ids=["", "one-bit rows match"])
@pytest.mark.parametrize(("queries", "banks"), SHAPES)
def test_corners_and_random_tiles(queries, banks, one_bit):
    """Each corner twice in a row (both tile parities), then random tiles of any length, back to back."""
    config, rng = small(queries, banks, one_bit_matches=one_bit), random.Random(queries * 10 + banks)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(40)]
    bench(config, tiles)


@pytest.mark.parametrize(("queries", "banks", "seed"), [(1, 2, 1), (2, 1, 2), (2, 2, 3)])
def test_idle_and_backpressure_everywhere(queries, banks, seed):
    config, rng = small(queries, banks), random.Random(seed)
    tiles = [corner_tile(config, name, rng) for name in CORNERS]
    tiles += [random_tile(config, rng) for _ in range(25)]
    stalls = {port: rng.choice([0.3, 0.6, 0.8]) for port in PORTS}
    bench(config, tiles, seed=seed, idle=0.2, stalls=stalls)


@pytest.mark.parametrize(("queries", "banks"), [(1, 2), (2, 1)])
def test_modes(queries, banks):
    """Tiles of all modes, in any order: no prefixes but where they are wanted, and all rows and bits of dense tiles."""
    config, rng = small(queries, banks, modes=1), random.Random(queries)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(3)]
    tiles += [random_tile(config, rng)[: rng.randint(1, 16)] for _ in range(60)]
    infos = [random_info(config, rng) | {"rows": len(tile)} for tile in tiles]
    for n in range(3 * len(CORNERS)):
        infos[n]["mode"] = n % 3
    stalls = {port: rng.choice([0.0, 0.3]) for port in PORTS}
    bench(config, tiles, infos=infos, idle=0.1, stalls=stalls, limit=100_000)


@pytest.mark.parametrize(("queries", "banks"), [(1, 2), (2, 1)])
def test_each_port_blocked_for_long(queries, banks):
    """While one port takes nothing the front-end fills up and stops; nothing is lost or repeated afterwards."""
    config, rng = small(queries, banks), random.Random(5)
    tiles = [random_tile(config, rng) for _ in range(60)] + [[7] * 16] * 20 + [list(range(1, 17))] * 20
    span, ports = 160, PORTS[: 3 + banks]

    def gate(port):
        blocked = ports.index(port)
        return lambda cycle: (cycle // span) % (len(ports) + 1) != blocked

    bench(config, tiles, gates={port: gate(port) for port in ports})


@pytest.mark.parametrize("queries", [1, 2])
def test_latency_of_a_lone_tile(queries):
    """The same whatever a tile holds (with two queries one more where its first word gives one row of several)."""
    config, rng = small(queries, 1, load_rows=16, tile_m=16), random.Random(1)
    tiles = [rng.sample([0] * (16 - n) + [3] * n, 16) for n in range(1, 17)]
    _, source, sinks = bench(config, tiles, source_gap=60)
    firsts = sinks["compute"].offered  # the other rows of a tile are exact matches
    latencies = [first - sent for first, sent in zip(firsts, source.cycles, strict=True)]
    assert latencies == [FrontEnd.latency(config)] * 16
    assert FrontEnd.latency(config) == 17


@pytest.mark.parametrize(("queries", "banks"), [(1, 1), (2, 2)])
def test_throughput_has_no_bubbles(queries, banks):
    """Full tiles, sparse tiles and both alternating: the sum of the tiles' cycles, and the fill once."""
    config, rng = small(queries, banks), random.Random(2)
    pool = [3, 5, 7, 9]
    full = [[rng.choice(pool) for _ in range(16)] for _ in range(20)]
    sparse = [[rng.choice(pool) if i in (1, 6, 15) else 0 for i in range(16)] for _ in range(20)]
    mixed = [tile for pair in zip(full, sparse, strict=True) for tile in pair]
    empty = [[0] * 16] * 20
    parts = (full, sparse, mixed, empty, [[3, 5, 7, 0]] * 40)
    sizes = (4, 4, 4, 4, 1)  # beats of a tile
    starts = [sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
    _, source, sinks = bench(config, sum(parts, []), waits=starts[1:-1])
    beat = 0
    for tiles, size, end in zip(parts, sizes, starts[1:], strict=True):
        cycles = sinks["end"].cycles[end - 1] - source.cycles[beat]
        # From the first beat to the last end: a tile's beats overlap the rows of the one before (the first tile's beats
        # and the last one's rows nothing), and the latency once (ends leave two cycles before rows do).
        formula = run_cycles(config, tiles)
        fill = FrontEnd.latency(config) - 4
        assert cycles <= formula + fill, f"{cycles} cycles, not {formula} + {fill}"
        if tiles is sparse:
            assert cycles == formula + fill
        if tiles is full:  # never kept waiting: the row picker's exact schedule
            words = [[len(indices) for *_, indices in visits(config, rows)] for rows in tiles]
            assert cycles == size + schedule(queries, words)[-1] + 1 + fill
            assert schedule(queries, words)[-1] + 1 == 20 * 16 // queries
        # Row-bound: the sum of their rows' cycles, beat-bound: that of their beats.
        costs = [row_cycles(config, rows) for rows in tiles]
        if all(cost >= size for cost in costs):
            assert formula + fill == sum(costs) + FrontEnd.latency(config) - 3 + (size - 1)
        if all(cost <= size for cost in costs):
            assert formula + fill == size * len(tiles) + FrontEnd.latency(config) - 3 + (costs[-1] - 1)
        beat += size * len(tiles)


def test_begins_bound_the_lead():
    """With no begin read, two tiles (and no more) come out; then the rest."""
    config = small()
    tiles = [[3, 5, 6, 7]] * 10
    release = 200
    _, _, sinks = bench(config, tiles, gates={"begin": lambda cycle: cycle >= release})
    early = [item for item, cycle in zip(sinks["end"].items, sinks["end"].cycles, strict=True) if cycle < release]
    assert len(early) == 2


configs = st.builds(
    small,
    queries=st.sampled_from([1, 2]),
    banks=st.sampled_from([1, 2]),
    tile_m=st.sampled_from([8, 16, 32]),
    tile_k=st.sampled_from([4, 8, 16]),
    load_rows=st.sampled_from([2, 4, 8]),
    weight_tiles=st.integers(2, 5),
    one_bit_matches=st.sampled_from([0, 1]),
)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=configs, seed=st.integers(0, 2**32 - 1), stall=st.sampled_from([0.0, 0.5]))
def test_random_configurations(config, seed, stall):
    rng = random.Random(seed)
    tiles = [corner_tile(config, rng.choice(CORNERS), rng) for _ in range(3)]
    tiles += [random_tile(config, rng) for _ in range(5)]
    bench(config, tiles, seed=seed, idle=stall / 2, stalls=dict.fromkeys(PORTS, stall))


def test_wide_rows():
    """64-bit rows: popcounts and classes up to 64."""
    config, rng = small(tile_m=8, tile_k=64, load_rows=8), random.Random(9)
    tiles = [[(1 << rng.randrange(65)) - 1 for _ in range(8)] for _ in range(3)] + [[(1 << 64) - 1] * 8]
    bench(config, tiles + [random_tile(config, rng) for _ in range(3)])


def test_the_oracle_agrees_with_the_model():
    config, rng = small(), random.Random(4)
    for _ in range(50):
        rows = random_tile(config, rng)
        for one_bit in (0, 1):
            tile = analyze_tile(np.array(rows, np.uint64), one_bit_matches=one_bit)
            prefixes = [None if p < 0 else int(p) for p in tile.prefix]
            found = [(int(i), rows[i], prefixes[i], int(tile.residual[i])) for i in tile.order]
            assert found == naive_tile(rows, one_bit)


def real_tiles(config, count):
    if not CAPTURES.is_dir():
        pytest.skip("recorded spikes (shared/data/captures) are not here")
    from reprise.model.files.capture import load_capture

    tiles = []
    for layer in load_capture(CAPTURES / "lenet5_mnist.npz"):
        packed = layer.tiles(config.tile_m, config.tile_k)
        for start, end in zip(packed.starts[:-1], packed.starts[1:], strict=True):
            tiles += [[int(row) for row in packed.packed[start:end, k]] for k in range(packed.packed.shape[1])]
    step = len(tiles) // count
    return tiles[::step][:count]


@pytest.mark.parametrize("queries", [1, 2])
def test_recorded_spikes(queries):
    """Tiles of a recorded network, cut to 32 rows of 16 bits."""
    config = small(queries, queries, tile_m=32, tile_k=16, load_rows=8)
    bench(config, real_tiles(config, 20))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "paper2"])
def test_recorded_spikes_at_paper_size(preset):
    config = HardwareConfig.load(preset)
    tiles = real_tiles(config, 6)
    _, _, sinks = bench(config, tiles)
    # Ends, not rows: with two banks one parity of exact matches may leave later. They leave two cycles before rows do;
    # the first beat is taken in cycle 1.
    lead = FrontEnd.latency(config) - 4 + 1 + (config.queries - 1)
    assert sinks["end"].cycles[-1] <= run_cycles(config, tiles) + lead
