"""The core in RTL against the model: random layers, corner cases, idle and backpressure, configurations."""

import numpy as np
import pytest

from reprise.cosim.bench.core import CoreBench
from reprise.cosim.jobs.core_job import make_job, play
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.tiling import LayerTiles, layer_tiles
from reprise.support.errors import SimulationError
from tests.support.benches import TINY, core_bench

CONFIGS = {
    "tiny": TINY,
    "two banks": TINY.replace(banks=2, queries=2),
    "one bank two queries": TINY.replace(queries=2, tile_k=4, load_rows=2),
    "wide row": TINY.replace(tile_m=32, tile_k=16, lanes=4, neuron_lanes=2, load_rows=8, bus_bits=64, weight_tiles=4),
}


@pytest.fixture(scope="module", params=CONFIGS)
def bench(request):
    return core_bench(CONFIGS[request.param])


def random_neuron(rng, channels: int, kind: str, levels: int, reset: str) -> Neuron:
    return Neuron(
        kind=kind,
        levels=0 if kind == "readout" else levels,
        reset="none" if kind == "readout" else reset,
        threshold=rng.integers(1, 200, channels),
        bias=rng.integers(-50, 50, channels),
        v0=rng.integers(-50, 50, channels),
        leak=rng.integers(0, 257, channels) if kind == "lif" else np.full(channels, 256),
    )


def random_layer(
    rng, config: HardwareConfig, *, channels: int, timesteps: int, input_levels: int, encoding: str, **neuron
):
    size, kernel, inputs = int(rng.integers(3, 7)), int(rng.integers(1, 4)), int(rng.integers(1, 5))
    weight = rng.integers(-128, 128, (channels, inputs, kernel, kernel)).astype(np.int8)
    layer = Layer(
        name="layer",
        sources=(Source(feature="input", weight=weight, padding=int(rng.integers(0, kernel))),),
        neuron=random_neuron(rng, channels, **neuron),
        encoding=encoding,
    )
    density = rng.choice([0.1, 0.5, 0.9])
    levels = rng.integers(0, input_levels + 1, (1, timesteps, inputs, size, size))
    levels[rng.random(levels.shape) > density] = 0
    return layer, layer_tiles(layer, (levels,), (input_levels,), tile_m=config.tile_m, tile_k=config.tile_k)


CASES = [
    dict(kind="if", levels=4, reset="soft", timesteps=1, input_levels=4, encoding="bitplane"),
    dict(kind="if", levels=1, reset="hard", timesteps=4, input_levels=1, encoding="bitplane"),
    dict(kind="lif", levels=3, reset="soft", timesteps=3, input_levels=3, encoding="thermometer"),
    dict(kind="lif", levels=15, reset="none", timesteps=1, input_levels=255, encoding="bitplane"),
    dict(kind="readout", levels=1, reset="none", timesteps=2, input_levels=7, encoding="bitplane"),
]


@pytest.mark.parametrize("traffic", [{}, {"idle": 0.5}, {"stall": 0.7}, {"idle": 0.3, "stall": 0.3}], ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}-{case['encoding']}-T{case['timesteps']}")
def test_random_layers(bench, case, traffic):
    seed = CASES.index(case) * 100 + len(str(traffic))
    rng = np.random.default_rng(seed)
    print("seed", seed)
    channels = int(rng.integers(1, bench.config.lanes + 1))
    layer, tiles = random_layer(rng, bench.config, channels=channels, **case)
    job = make_job(tiles, layer.neuron, bench.config, bitplane=case["encoding"] == "bitplane")
    play(bench, job, seed=seed, **traffic)


def corner_rows(name: str, m: int, k: int) -> np.ndarray:
    """uint64[m] rows of one named corner case."""
    full = (1 << k) - 1
    ladder = [(1 << (i % (k + 1))) - 1 for i in range(m)]
    rows = {
        "all-zero rows": [0] * m,
        "all-equal rows": [full & 0b1011] * m,
        "full rows": [full] * m,
        "single bits": [1 << (i % k) for i in range(m)],
        "ladder up": sorted(ladder),
        "ladder down": sorted(ladder, reverse=True),
        "last row only": [0] * (m - 1) + [full],
        "first row only": [full] + [0] * (m - 1),
        "one bank only": [full & (i + 1) if i % 2 else 0 for i in range(m)],
    }[name]
    return np.array(rows, np.uint64)


CORNERS = [
    "all-zero rows",
    "all-equal rows",
    "full rows",
    "single bits",
    "ladder up",
    "ladder down",
    "last row only",
    "first row only",
    "one bank only",
]


@pytest.mark.parametrize("traffic", [{}, {"stall": 0.6, "idle": 0.4}], ids=str)
def test_corner_tiles(bench, traffic):
    """Every corner case beside every other: three K tiles an m tile, odd sizes, extreme weights."""
    c = bench.config
    rng = np.random.default_rng(5)
    sizes = [c.tile_m, c.tile_m - 1, 1, c.tile_m // 2 + 1]
    order = [CORNERS[i] for i in rng.permutation(np.repeat(np.arange(len(CORNERS)), 4))]
    starts, packed = [0], []
    for i in range(0, len(order), 3):
        m = sizes[(i // 3) % len(sizes)]
        packed.append(np.stack([corner_rows(name, m, c.tile_k) for name in order[i : i + 3]], axis=1))
        starts.append(starts[-1] + m)
    weights = rng.choice([-128, 127, 1], (3 * c.tile_k, c.lanes)).astype(np.int8)
    tiles = LayerTiles(
        packed=np.concatenate(packed),
        starts=np.array(starts),
        positions=np.stack([np.zeros(starts[-1], int), np.arange(starts[-1])], axis=1),
        plane_weights=np.array([1]),
        weights=weights,
        images=1,
        timesteps=1,
        tile_k=c.tile_k,
    )
    neuron = random_neuron(rng, c.lanes, "readout", 0, "none")
    play(bench, make_job(tiles, neuron, c, bitplane=True), **traffic)


def one_tile_along_m(k_tiles: int, rng) -> LayerTiles:
    """A single m tile with so many K tiles; few bits are set, so that sums stay inside their width."""
    rows = rng.integers(0, 1 << TINY.tile_k, (TINY.tile_m, k_tiles)).astype(np.uint64)
    rows[rng.random(rows.shape) < 0.9] = 0
    return LayerTiles(
        packed=rows,
        starts=np.array([0, TINY.tile_m]),
        positions=np.stack([np.zeros(TINY.tile_m, int), np.arange(TINY.tile_m)], axis=1),
        plane_weights=np.array([1]),
        weights=rng.integers(-1, 2, (k_tiles * TINY.tile_k, TINY.lanes)).astype(np.int8),
        images=1,
        timesteps=1,
        tile_k=TINY.tile_k,
    )


def test_streams_of_any_length():
    """More words of rows and of weights than any memory of a bench would hold: they are read while they are played."""
    rng = np.random.default_rng(6)
    tiles = one_tile_along_m(5000, rng)
    assert tiles.packed.size // TINY.load_rows > 1 << 14 and len(tiles.weights) > 1 << 15
    neuron = random_neuron(rng, TINY.lanes, "readout", 0, "none")
    play(core_bench(), make_job(tiles, neuron, TINY, bitplane=True))


def test_a_file_that_ends_too_early_is_an_error(monkeypatch):
    """Never silently wrong: what the simulation would play instead of the missing item is no one's data."""
    monkeypatch.setattr(CoreBench, "_write", lambda *args, write=CoreBench._write: write(*args) + 1)
    rng = np.random.default_rng(7)
    neuron = random_neuron(rng, TINY.lanes, "readout", 0, "none")
    with pytest.raises(SimulationError, match="fewer items"):
        play(core_bench(), make_job(one_tile_along_m(2, rng), neuron, TINY, bitplane=True), timeout=2_000)
