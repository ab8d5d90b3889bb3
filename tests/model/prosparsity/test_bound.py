"""model.prosparsity.bound and estimate.processor_model: baselines, bounds, and the event model against a naive one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.estimate.baselines.dense import bit_sparse_cycles, dense_cycles
from reprise.estimate.baselines.prosperity import published_cycles, published_tile_cycles
from reprise.estimate.density import density_report
from reprise.estimate.processor_model import ProcessorTiming, simulate_processor
from reprise.model.files.capture import load_capture
from reprise.model.prosparsity.bound import output_groups, own_cycles, own_tile_bound
from reprise.model.prosparsity.tiles import Counts, analyze_packed, analyze_tile, tile_starts
from tests.hw.processor.oracle import naive_processor

CAPTURE = Path(__file__).parents[4] / "shared/data/captures/lenet5_mnist.npz"
published = pytest.mark.skipif(not CAPTURE.exists(), reason="the published capture (../shared/data) is absent")


@published
def test_published_figures_of_the_lenet5_capture():
    total = density_report(load_capture(CAPTURE))["total"]
    assert abs(total["bit_density"] - 0.2536399466271977) < 1e-12
    assert abs(total["product_density"] - 0.015613787226408325) < 1e-12
    assert total["cycles"]["published"] == 38651
    assert total["cycles"]["published_tilewise"] == 39723
    assert total["cycles"]["bit_sparse"] == 180965


@published
def test_own_figures_of_the_lenet5_capture():
    """The two bounds of the published evidence, and the event model close above the one with two banks."""
    layers = [analyze_packed(t.packed, t.starts) for t in (one.tiles(256, 16) for one in load_capture(CAPTURE))]
    totals = [block.counts.total() for block in layers]
    assert sum(t.residual_bits for t in totals) == 11140 and sum(t.exact for t in totals) == 27511
    assert sum(t.nonzero for t in totals) == 35444 and sum(t.multi_bit for t in totals) == 31076
    assert sum(own_cycles(block.counts, banks=1) for block in layers) == 35577
    assert sum(own_cycles(block.counts, banks=2) for block in layers) == 18657
    simulated = sum(simulate_processor(block, banks=2, queries=2).cycles for block in layers)
    # Tiles overlap, so the sum over tiles can be beaten; a layer's sums can't.
    strict = sum(max(t.residual_bits, -(-t.nonzero // 2)) for t in totals)
    assert strict <= simulated < 1.03 * 18657


def counts(**fields):
    zeros = np.zeros((1, 2), dtype=np.int64)
    names = ("rows", "nonzero", "multi_bit", "exact", "set_bits", "residual_bits")
    return Counts(**{name: np.array([fields[name]]) if name in fields else zeros for name in names})


def test_formulas_by_hand():
    c = counts(rows=[20, 15], nonzero=[11, 9], multi_bit=[9, 2], exact=[3, 1], set_bits=[40, 12], residual_bits=[5, 9])
    compute, preprocess = published_tile_cycles(c)
    assert compute.tolist() == [[8, 10]] and preprocess.tolist() == [[11, 3]]
    assert published_cycles(c, 3) == 3 * 18 and published_cycles(c, 3, tilewise=True) == 3 * 21
    assert bit_sparse_cycles(c, 2) == 104 and dense_cycles(c, 30, 2) == 20 * 30 * 2
    assert own_tile_bound(c, banks=1).tolist() == [[11, 9]] and own_tile_bound(c, banks=2).tolist() == [[6, 9]]
    assert own_tile_bound(c, banks=4, queries=1).tolist() == [[11, 9]]
    assert own_tile_bound(counts(rows=[80, 9]), queries=2).tolist() == [[10, 2]]  # the load of zero rows
    assert own_cycles(c, 2, banks=2) == 30
    assert [output_groups(o, 128) for o in (1, 128, 129, 256)] == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="banks must be an integer of at least 1, not 0"):
        own_cycles(c, banks=0)


def random_block(seed, tile_m=32, bits=16):
    """Rows that repeat and nest, some zero; several tiles along M and K, the last ragged."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**bits, 8) & rng.integers(0, 2**bits, 8)
    rows = base[rng.integers(0, 8, (100, 3))] & rng.choice([0, 2**bits - 1, 2**bits - 2, 0xF0F], (100, 3))
    return analyze_packed(rows.astype(np.uint64), tile_starts(100, tile_m))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_event_model_equals_the_naive_one_tile_by_tile(seed, banks, queries):
    block = random_block(seed)
    tiles = [[(int(tile.residual[i]).bit_count(), i) for i in tile.order.tolist()] for tile in block]
    trace = simulate_processor(block, banks=banks, queries=queries)
    assert trace.finish.tolist() == naive_processor(tiles, [len(tile.rows) for tile in block], banks, queries)
    again = simulate_processor(iter(block), ProcessorTiming(banks=banks, queries=queries))
    assert again.finish.tolist() == trace.finish.tolist() and again.cycles == trace.cycles
    totals = block.counts.total()
    assert trace.accumulator_busy == totals.residual_bits and trace.bank_busy == totals.nonzero
    assert trace.cycles == trace.finish[-1] >= max(totals.residual_bits, -(-totals.nonzero // banks))
    assert trace.tile_cycles.sum() == trace.cycles


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 3))
def test_event_model_of_tiles_that_load_slowly_and_emit_fast(seed, banks, queries):
    """Empty tiles, tiles of zero rows, and full ones in turn: the loader's two buffers decide."""
    rng = np.random.default_rng(seed)
    tiles = []
    for _ in range(int(rng.integers(1, 12))):
        rows = rng.integers(1, 2**8, int(rng.choice([0, 1, 9, 60, 200])))
        tiles.append(analyze_tile((rows * (rng.random(len(rows)) < rng.choice([0, 0.02, 1]))).astype(np.uint64)))
    issued = [[(int(tile.residual[i]).bit_count(), i) for i in tile.order.tolist()] for tile in tiles]
    naive = naive_processor(issued, [len(tile.rows) for tile in tiles], banks, queries)
    assert simulate_processor(tiles, banks=banks, queries=queries).finish.tolist() == naive


@pytest.mark.parametrize("seed", range(5))
def test_parameters_have_their_meaning(seed):
    block = random_block(seed)
    base = simulate_processor(block).cycles
    assert simulate_processor(block, latency=7).cycles == base + 7
    assert simulate_processor(block, banks=1).cycles >= base
    assert simulate_processor(block, load_rows=1).cycles >= max(base, 300)  # 300 rows, one a cycle
    deep = simulate_processor(block, fifo_depth=1000, exact_depth=1000).cycles
    shallow = simulate_processor(block, fifo_depth=1, exact_depth=1)
    assert deep == base <= shallow.cycles and shallow.bank_busy == block.counts.total().nonzero
    assert simulate_processor(block, run_ahead=0).cycles >= base


def one_tile(words):
    return [analyze_tile(np.array(words, dtype=np.uint64))]


@pytest.mark.parametrize(
    ("name", "words", "cycles"),
    [
        # load 1, first emission seen in cycle 3
        ("empty tile", [], 2),
        ("all-zero rows", [0] * 8, 2),
        ("one row of one bit", [1], 3),
        ("one full row", [0xFFFF], 2 + 16),
        ("row of two bits and its equal", [3, 3], 2 + 2 + 1),
        ("all-equal rows, alternating banks", [3] * 8, 2 + 2 + 1 + 3),
        ("all-equal rows in one bank", [3 * (n.bit_count() % 2 == 0) for n in range(16)], 1 + 2 + 2 + 7),
        ("independent rows of one bit", [1, 2, 4, 8], 2 + 4),
    ],
)
def test_corner_tiles_by_hand(name, words, cycles):
    assert simulate_processor(one_tile(words)).cycles == cycles


def test_no_tiles_take_no_cycles():
    assert simulate_processor([]).cycles == 0


def test_wrong_timing_is_named():
    with pytest.raises(ValueError, match="timing.banks must be an integer of at least 1, not 0"):
        ProcessorTiming(banks=0)
    with pytest.raises(ValueError, match="timing.fifo_depth must be an integer of at least 1, not 0"):
        ProcessorTiming(fifo_depth=0)
