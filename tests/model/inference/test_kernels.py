"""reprise.model.inference.kernels: integer products, plain and with reuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.kernels import int_conv, reuse_matmul, tile_results
from reprise.model.prosparsity.rows import pack_rows
from reprise.model.prosparsity.tiles import analyze_tile, tile_starts
from tests.support.oracles import naive_conv
from tests.support.random_models import random_weight

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(0, 2))
def test_conv_equals_the_definition(seed, stride, padding):
    rng = np.random.default_rng(seed)
    c, o, kh, kw = rng.integers(1, 4, 4)
    padding = min(padding, kh - 1, kw - 1)
    h, w = rng.integers(3, 8, 2)
    x, weight = rng.integers(-128, 256, (2, c, h, w)), random_weight(rng, o, c, kh, kw)
    result = int_conv(x, weight, stride, padding)
    for frame in range(2):
        assert np.array_equal(result[frame], naive_conv(x[frame], weight, stride, padding))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 64), st.integers(1, 40))
def test_reused_sums_equal_the_plain_product(seed, tile_k, tile_m):
    rng = np.random.default_rng(seed)
    rows, depth, outputs = rng.integers(1, 60), rng.integers(1, 100), rng.integers(1, 9)
    bits = rng.random((rows, depth)) < rng.random()
    packed = pack_rows(bits, tile_k)
    weights = np.zeros((packed.shape[1] * tile_k, outputs), dtype=np.int8)
    weights[:depth] = random_weight(rng, depth, outputs)
    expected = bits.astype(np.int64) @ weights[:depth].astype(np.int64)
    assert np.array_equal(reuse_matmul(packed, tile_starts(rows, tile_m), weights, tile_k), expected)


def test_largest_tile_result_does_not_overflow():
    full = pack_rows(np.ones((3, 64), dtype=bool), 64)
    weights = np.full((64, 2), -128, dtype=np.int8)
    assert (reuse_matmul(full, tile_starts(3, 3), weights, 64) == -8192).all()
    assert (tile_results(analyze_tile(full[:, 0]), weights) == -8192).all()


def test_results_of_one_tile():
    rng = np.random.default_rng(4)
    bits, weights = rng.random((50, 16)) < 0.3, random_weight(rng, 16, 5)
    results = tile_results(analyze_tile(pack_rows(bits, 16)[:, 0]), weights)
    assert np.array_equal(results, bits.astype(int) @ weights.astype(int))


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="shapes must be NCHW and OCHW"):
        int_conv(np.zeros((1, 2, 3, 3), dtype=int), np.zeros((1, 1, 3, 3), dtype=np.int8))
    with pytest.raises(ValueError, match=r"weights must be of 16 rows \(KT \* tile_k\)"):
        reuse_matmul(np.zeros((2, 1), dtype=np.uint64), tile_starts(2, 2), np.zeros((3, 1), dtype=np.int8), 16)
