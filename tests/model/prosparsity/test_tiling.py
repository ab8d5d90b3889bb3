"""reprise.model.prosparsity.tiling: rows bit by bit against the oracle, orders, cuts and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from reprise.model.prosparsity.rows import unpack_rows
from reprise.model.prosparsity.tiling import (
    issue_positions,
    layer_tiles,
    network_tiles,
    source_columns,
    tile_cuts,
    weight_rows,
)
from tests.support.oracles import naive_rows
from tests.support.random_models import random_images, random_network, random_weight


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["kkc", "ckk"]),
    st.sampled_from([1, 5, 16, 64]),
    st.booleans(),
    st.integers(5, 7),
)
def test_rows_of_every_layer_equal_the_definition(seed, k_order, tile_k, signed, size):
    net = random_network(seed, size=size, input_signed=signed)
    result = run(net, random_images(net, 2, seed), record="features")
    for layer in net.layers:
        tiles = network_tiles(net, layer.name, result.features, tile_m=1024, tile_k=tile_k, k_order=k_order)
        one = [
            naive_rows(net, layer.name, {k: v[image] for k, v in result.features.items()}, tile_k, k_order)
            for image in range(2)
        ]
        assert np.array_equal(unpack_rows(tiles.packed, tile_k), np.concatenate(one))
        # the weights in the same order give the partial sums
        sums = tiles.combine(unpack_rows(tiles.packed, tile_k).astype(np.int64) @ tiles.weights.astype(np.int64))
        plain = run(net, random_images(net, 2, seed), record="psums").psums[layer.name]
        assert np.array_equal(sums, plain)


def test_positions_row_major_and_in_pool_windows():
    assert issue_positions(2, 3).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert issue_positions(3, 5, 2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    assert len(issue_positions(7, 7, 3)) == 36 and issue_positions(7, 7, 3).max() == 5


def test_k_orders_of_a_convolution_and_of_a_linear_layer():
    conv = Source(feature="a", weight=np.arange(8).reshape(1, 2, 2, 2))  # w[c, ky, kx] = 4c + 2ky + kx
    assert weight_rows(conv, 2, "ckk")[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert weight_rows(conv, 2, "kkc")[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]  # k = (ky*KW + kx)*C + c
    linear = Source(feature="a", weight=np.arange(6).reshape(1, 6, 1, 1), flatten=True)  # columns (y, x, c), C = 2
    assert weight_rows(linear, 2, "kkc")[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert weight_rows(linear, 2, "ckk")[:, 0].tolist() == [0, 2, 4, 1, 3, 5]
    with pytest.raises(ValueError, match="k_order must be 'kkc' or 'ckk', not 'cck'"):
        source_columns(conv, 2, "cck")


@pytest.mark.parametrize(
    ("positions", "rows", "tile_m", "images", "shared", "starts"),
    [
        (10, 3, 10, 1, False, [0, 9, 18, 27, 30]),  # 3 positions of 3 rows fit 10 rows; the last is ragged
        (10, 3, 10, 2, False, [0, 9, 18, 27, 30, 39, 48, 57, 60]),  # each image starts a tile
        (1, 4, 16, 6, True, [0, 16, 24]),  # a linear layer: images share tiles
        (1, 4, 16, 3, False, [0, 4, 8, 12]),
        (2, 8, 8, 1, False, [0, 8, 16]),
    ],
)
def test_cuts_keep_positions_whole(positions, rows, tile_m, images, shared, starts):
    assert tile_cuts(positions, rows, tile_m, images, shared).tolist() == starts


def test_a_tile_must_hold_a_position():
    with pytest.raises(ValueError, match="tile_m must be at least 24, not 23: the rows of one position"):
        tile_cuts(4, 24, 23)


def small_layer(**fields):
    rng = np.random.default_rng(0)
    source = Source(feature="input", weight=random_weight(rng, 3, 2, 3, 3), padding=1)
    return Layer(**dict(name="a", sources=(source,), neuron=Neuron.uniform(3), pool=MaxPool(kernel=2)) | fields)


def test_rows_and_shared_images():
    layer = small_layer()
    levels = np.random.default_rng(1).integers(0, 4, (2, 3, 2, 5, 5))  # n=2, T=3; N=3: two planes
    tiles = layer_tiles(layer, (levels,), (3,), tile_m=30, tile_k=7)
    assert len(tiles.packed) == 2 * 16 * 3 * 2
    assert (tiles.m_tiles, tiles.k_tiles) == (8, 3) and np.diff(tiles.starts).tolist() == [30, 30, 30, 6] * 2
    assert np.array_equal(tiles.rows(5, 2), tiles.packed[126:156, 2])
    assert np.array_equal(tiles.tile_weights(2), tiles.weights[14:21]) and not tiles.weights[18:].any()
    one = layer_tiles(layer, (levels[1],), (3,), tile_m=30, tile_k=7)
    assert np.array_equal(one.packed, tiles.packed[96:])
    shared = layer_tiles(layer, (levels,), (3,), tile_m=30, tile_k=7, share_images=True)
    assert np.diff(shared.starts).tolist() == [30] * 6 + [12]
    cut = layer_tiles(layer, (levels,), (3,), tile_m=100, tile_k=7, whole_positions=False)
    assert cut.starts.tolist() == [0, 100, 192]


def test_images_share_the_tiles_of_a_linear_layer():
    source = Source(feature="input", weight=np.ones((3, 8, 1, 1), dtype=int), flatten=True)
    layer = Layer(name="fc", sources=(source,), neuron=Neuron.uniform(3))
    levels = np.random.default_rng(2).integers(0, 2, (5, 2, 2, 2, 2))
    assert layer_tiles(layer, (levels,), (1,), tile_m=4, tile_k=16).starts.tolist() == [0, 4, 8, 10]


def test_wrong_inputs_are_named():
    layer = small_layer()
    levels = np.zeros((1, 2, 5, 5), dtype=int)
    with pytest.raises(ValueError, match=r"inputs must be one per source \(1\), not 2"):
        layer_tiles(layer, (levels, levels), (1, 1), tile_m=16, tile_k=16)
    with pytest.raises(ValueError, match="layer 'a': input 'input' must be in 0..1, not"):
        layer_tiles(layer, (levels + 2,), (1,), tile_m=16, tile_k=16)
    with pytest.raises(ValueError, match="layer 'a': input 'input': channels must be 2"):
        layer_tiles(layer, (levels[:, :1],), (1,), tile_m=16, tile_k=16)
    with pytest.raises(ValueError, match="levels must be of axes"):
        layer_tiles(layer, (levels[0],), (1,), tile_m=16, tile_k=16)
