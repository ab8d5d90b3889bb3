"""reprise.model.prosparsity.products: the rows and the weights of every job, bit by bit from the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.runner import run
from reprise.model.prosparsity.density import Density
from reprise.model.prosparsity.products import network_counts, network_jobs
from reprise.model.prosparsity.rows import unpack_rows
from reprise.model.prosparsity.tiling import layer_tiles
from tests.support.random_models import random_attention, random_images


def bits_of(layer, top):
    """The planes of a level, from the least significant one."""
    if layer.encoding == "thermometer":
        return lambda z: [z >= n for n in range(1, top + 1)]
    return lambda z: [bool((z >> b) & 1) for b in range(top.bit_length())]


def padded(row, tile_k):
    return row + [False] * (-len(row) % tile_k)


def naive_jobs(net, layer, features, tile_k):
    """(rows, weights) of every job, from features (n, T, C, H, W)."""
    p = layer.product
    feature, operand = features[p.feature].tolist(), features[p.operand].tolist()
    n, timesteps, channels, height, width = features[p.feature].shape
    d, planes = channels // p.heads, bits_of(layer, net.feature_levels(p.feature))
    count, positions = len(planes(0)), [(y, x) for y in range(height) for x in range(width)]
    for image in range(n):
        if p.over == "tokens":
            dv = features[p.operand].shape[2] // p.heads
            for t in range(timesteps):
                for head in range(p.heads):
                    k = [feature[image][t][head * d + i] for i in range(d)]
                    v = [operand[image][t][head * dv + j] for j in range(dv)]
                    rows = [[planes(one[y][x])[b] for y, x in positions] for one in k for b in range(count)]
                    yield [padded(row, tile_k) for row in rows], [[one[y][x] for one in v] for y, x in positions]
            continue
        for head in range(p.heads):
            rows, weights = [], []
            for y, x in positions:
                for t in range(timesteps):
                    levels = [feature[image][t][head * d + i][y][x] for i in range(d)]
                    for b in range(count):
                        parts = [[planes(z)[b] and tau == t for z in levels] for tau in range(timesteps)]
                        rows.append(sum((padded(part, tile_k) for part in parts), []))
            for t in range(timesteps):
                g = operand[image][t]
                weights += [[g[j][head][i] for j in range(len(g))] for i in range(d)]
                weights += [[0] * len(g)] * (-d % tile_k)
            yield rows, weights


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 4, 16, 64]), st.integers(1, 4))
def test_rows_and_weights_of_every_job_equal_the_definition(seed, tile_k, timesteps):
    net = random_attention(seed, timesteps=timesteps)
    features = run(net, random_images(net, 2, seed), record="features").features
    for layer in (net.layer("g"), net.layer("a")):
        jobs = list(network_jobs(net, layer.name, features, tile_m=64, tile_k=tile_k))
        expected = list(naive_jobs(net, layer, features, tile_k))
        assert len(jobs) == len(expected)
        for job, (rows, weights) in zip(jobs, expected, strict=True):
            tiles = job.tiles
            assert np.array_equal(unpack_rows(tiles.packed, tile_k), np.array(rows))
            assert np.array_equal(tiles.weights[: len(weights)], weights) and not tiles.weights[len(weights) :].any()
            position = len(tiles.plane_weights) * tiles.timesteps
            assert all(start % position == 0 for start in tiles.starts) and tiles.starts[-1] == len(rows)


@pytest.mark.parametrize("seed", range(4))
def test_density_counts_each_bit_once(seed):
    """Set bits are those of the feature's levels, and the elements are rows x K of one head and timestep."""
    net = random_attention(seed)
    features = run(net, random_images(net, 3, seed), record="features").features
    for name in ("g", "a"):
        layer = net.layer(name)
        levels = features[layer.product.feature].reshape(-1).tolist()
        planes = bits_of(layer, net.feature_levels(layer.product.feature))
        for published in (False, True):  # the orders of the published simulator hold the same bits
            counts = network_counts(net, name, features, tile_m=64, tile_k=4, published=published)
            density = Density.of(counts, net.depth(name))
            assert density.set_bits == sum(sum(planes(z)) for z in levels)
            assert density.elements == len(levels) * len(planes(0))


def test_a_product_has_no_tiles_of_its_own():
    net = random_attention(0)
    with pytest.raises(ValueError, match="layer must be one with weights of its own.*product_jobs"):
        layer_tiles(net.layer("g"), (), (), tile_m=16, tile_k=16)
