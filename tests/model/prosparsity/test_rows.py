"""reprise.model.prosparsity.rows: planes of levels and packing of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.prosparsity.rows import (
    encode_planes,
    pack_rows,
    plane_table,
    unpack_rows,
)


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 100, 127, 128, 254, 255])
def test_planes_of_every_level(n):
    levels = np.arange(n + 1)
    planes, weights = encode_planes(levels, n, "bitplane")
    assert weights.tolist() == [2**b for b in range(n.bit_length())]  # ceil(log2(n + 1)) planes
    assert [[int(b) for b in f"{z:0{len(weights)}b}"[::-1]] for z in range(n + 1)] == planes.astype(int).tolist()
    planes, weights = encode_planes(levels, n, "thermometer")
    assert planes.shape == (n + 1, n) and weights.tolist() == [1] * n
    assert planes.sum(axis=1).tolist() == levels.tolist()
    assert (planes[:, 1:] <= planes[:, :-1]).all()  # nested: each plane is a subset of the one before


def test_one_level_is_the_binary_spike_in_both_encodings():
    spikes = np.array([[0, 1], [1, 0]], dtype=bool)
    for encoding in ("bitplane", "thermometer"):
        planes, weights = encode_planes(spikes, 1, encoding)
        assert np.array_equal(planes[..., 0], spikes) and weights.tolist() == [1]


def test_signed_planes_are_twos_complement():
    values = np.arange(-128, 128)
    planes, weights = encode_planes(values, 255, "bitplane", signed=True)
    assert weights.tolist() == [1, 2, 4, 8, 16, 32, 64, -128]
    assert np.array_equal(planes @ weights, values)
    assert np.array_equal(planes[:, 7], values < 0)


def test_table_is_the_encoding_and_zero_above_n():
    table = plane_table(5, "thermometer")
    assert np.array_equal(table[:6].astype(bool), encode_planes(np.arange(6), 5, "thermometer")[0])
    assert not table[6:].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([4], 3, "bitplane"), r"levels must be in 0..3, not \(4, 4\)"),
        (([-1], 3, "bitplane"), r"levels must be in 0..3, not \(-1, -1\)"),
        (([128], 255, "bitplane", True), r"levels must be in -128..127, not \(128, 128\)"),
        (([-129], 255, "bitplane", True), "levels must be in -128..127"),
        (([0.5], 3, "bitplane"), "levels must be an array of integers or booleans, not 'float64'"),
        (([1], 0, "bitplane"), "n_levels must be an integer in 1..255, not 0"),
        (([1], 256, "bitplane"), "n_levels must be an integer in 1..255, not 256"),
        (([1], 3, "gray"), "encoding must be one of"),
        (([1], 255, "thermometer", True), "encoding must be 'bitplane'"),
    ],
)
def test_wrong_levels_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        encode_planes(np.array(arguments[0]), *arguments[1:])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(1, 140), st.integers(1, 64))
def test_packing_places_bit_j_of_word_i_at_column(seed, rows, depth, tile_k):
    bits = np.random.default_rng(seed).random((rows, depth)) < 0.5
    packed = pack_rows(bits, tile_k)
    assert packed.dtype == np.uint64 and packed.shape == (rows, -(-depth // tile_k))
    for r in range(rows):
        words = [sum(int(b) << j for j, b in enumerate(bits[r, i : i + tile_k])) for i in range(0, depth, tile_k)]
        assert [int(word) for word in packed[r]] == words
    assert np.array_equal(unpack_rows(packed, tile_k, depth), bits)
    assert not unpack_rows(packed, tile_k)[:, depth:].any()
    assert np.array_equal(pack_rows(bits.astype(np.int64), tile_k), packed)


def test_packing_refuses_what_is_not_binary():
    with pytest.raises(ValueError, match=r"bits must be in 0..1, not \(0, 2\)"):
        pack_rows(np.array([[0, 2]]), 16)
    with pytest.raises(ValueError, match="tile_k must be an integer in 1..64, not 0"):
        pack_rows(np.zeros((1, 1), dtype=bool), 0)
