"""reprise.model.inference.layers: plain sums by both ways, pooling, flattening, exact average pooling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.layers import (
    exact_dtype,
    flatten_columns,
    flatten_features,
    layer_sums,
    max_pool,
    source_sums,
)
from reprise.model.inference.neurons import integrate
from reprise.model.network.layer import Layer, Source
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.support.oracles import naive_conv, naive_pool, naive_sums
from tests.support.random_models import random_weight


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["blas", "integer"]), st.booleans(), st.booleans())
def test_sums_equal_the_definition(seed, method, flatten, signed):
    rng = np.random.default_rng(seed)
    c, o, k = rng.integers(1, 4, 3)
    h, w = rng.integers(3, 7, 2)
    shape = (o, c * h * w, 1, 1) if flatten else (o, c, k, k)
    options = dict(flatten=True) if flatten else dict(stride=int(rng.integers(1, 3)), padding=int(rng.integers(0, k)))
    source = Source(feature="input", weight=random_weight(rng, *shape), **options)
    levels = (
        rng.integers(-128, 128, (2, c, h, w)).astype(np.int8)
        if signed
        else rng.integers(0, 256, (2, c, h, w)).astype(np.uint8)
    )
    size = source.output_size(h, w)
    cut = (max(1, size[0] - 1), size[1])
    sums = source_sums(source, levels, cut, method)
    for frame in range(2):
        assert np.array_equal(sums[frame], naive_sums(source, levels[frame])[:, : cut[0], : cut[1]])


def test_exact_dtype_is_exact_at_its_limits():
    """The bound is attained just below 2**24 in float32, and just above it float64 is chosen."""
    depth = 2**24 // (255 * 128)
    for extra, dtype in ((0, np.float32), (1, np.float64)):
        source = Source(feature="a", weight=np.full((1, depth + extra, 1, 1), -128))
        assert exact_dtype(source, 255) is dtype
        levels = np.full((1, depth + extra, 1, 1), 255, dtype=np.uint8)
        assert source_sums(source, levels, (1, 1)).item() == -128 * 255 * (depth + extra)
    odd = np.full((1, depth, 1, 1), -128)
    odd[0, 0] = 1  # an odd total close to 2**24 has no representation with fewer bits
    levels = np.full((1, depth, 1, 1), 255, dtype=np.uint8)
    assert source_sums(Source(feature="a", weight=odd), levels, (1, 1)).item() == 255 - 128 * 255 * (depth - 1)


def test_join_adds_its_sources():
    rng = np.random.default_rng(9)
    a = Source(feature="a", weight=random_weight(rng, 3, 2, 3, 3), padding=1)
    b = Source(feature="b", weight=random_weight(rng, 3, 4, 1, 1))
    layer = Layer(name="j", sources=(a, b), neuron=Neuron.uniform(3))
    x, y = (rng.integers(0, 4, (2, c, 5, 5)).astype(np.uint8) for c in (2, 4))
    for method in ("blas", "integer"):
        sums = layer_sums(layer, [x, y], (5, 5), method)
        for f in range(2):
            assert np.array_equal(sums[f], naive_sums(a, x[f]) + naive_sums(b, y[f]))


@pytest.mark.parametrize("k", [2, 3, 4])
def test_max_pool_drops_odd_edges(k):
    x = np.random.default_rng(k).integers(0, 9, (2, 3, 2 * k + 1, 3 * k + k - 1))
    pooled = max_pool(x, MaxPool(kernel=k))
    assert pooled.shape == (2, 3, 2, 3)
    for y, z in np.ndindex(2, 3):
        assert np.array_equal(pooled[:, :, y, z], x[:, :, y * k : y * k + k, z * k : z * k + k].max(axis=(2, 3)))
    assert max_pool(x, None) is x


@pytest.mark.parametrize("height, width", [(1, 1), (2, 2), (3, 2), (5, 8), (4, 7)])
def test_windows_of_3x3_by_2_share_lines(height, width):
    x = np.random.default_rng(height).integers(0, 9, (2, 3, height, width))
    pool = MaxPool(kernel=3, stride=2, padding=1)
    pooled = naive_pool(x, 3, 2, 1)
    assert np.array_equal(max_pool(x, pool), pooled)
    for n, size in ((0, height), (1, width)):
        assert pool.outputs(size) == pooled.shape[2 + n] and pool.covered(size) == size


@pytest.mark.parametrize("pool", [MaxPool(kernel=2), MaxPool(kernel=3), MaxPool(kernel=3, stride=2, padding=1)])
def test_windows_cover_what_can_change_them(pool):
    """Every part of a pooled line depends on the positions that ``covers`` names, and on no others."""
    for size in range(pool.kernel, 9):
        for start in range(pool.outputs(size)):
            for stop in range(start + 1, pool.outputs(size) + 1):
                changes = []
                for n in range(size):
                    x = np.zeros((1, 1, pool.kernel, size), np.int64)
                    x[..., n] = 1
                    if max_pool(x, pool)[..., start:stop].any():
                        changes.append(n)
                assert changes == list(pool.covers(range(start, stop), size)), (size, start, stop)


def test_flatten_is_y_x_c_and_columns_follow():
    feature = np.arange(2 * 3 * 4).reshape(1, 2, 3, 4)
    flat = flatten_features(feature)
    assert flat.shape == (1, 24, 1, 1) and flat[0, :4, 0, 0].tolist() == [0, 12, 1, 13]
    weight = np.random.default_rng(0).integers(-9, 9, (5, 24))
    permuted = flatten_columns(weight, (2, 3, 4))
    assert np.array_equal(permuted @ flat.reshape(-1), weight @ feature.reshape(-1))
    with pytest.raises(ValueError, match=r"weight must be \[O, 24\]"):
        flatten_columns(weight[:, 1:], (2, 3, 4))


def sum_pool_weight(channels: int, kernel: int) -> np.ndarray:
    """int8[C, C, k, k] that sums every window of each channel (use stride k).

    Average pooling is that sum divided by k*k. It is exact where the division is moved into integers that follow:
    a neuron on the sum with its threshold, bias and v0 multiplied by k*k fires as a neuron on the average.
    """
    eye = np.eye(channels, dtype=np.int8)
    return np.ascontiguousarray(np.broadcast_to(eye[:, :, None, None], (channels, channels, kernel, kernel)))


def fold_average_pool(weight: np.ndarray, kernel: int) -> np.ndarray:
    """Weight [O, C, KH, KW] of stride s after k x k average pooling -> [O, C, KH*k, KW*k] of stride s*k, times k*k.

    One convolution then does both, exactly: its sums are k*k times those of pooling then convolution (without
    padding), so multiply the neuron's threshold, bias and v0 by k*k. The output sizes agree too.
    """
    return np.repeat(np.repeat(weight, kernel, axis=2), kernel, axis=3)


@pytest.mark.parametrize("k", [2, 3])
def test_average_pool_is_exact_when_scaled(k):
    """A neuron on the window's sum, parameters times k*k, equals a neuron on the exact (rational) average."""
    rng = np.random.default_rng(k)
    x = rng.integers(0, 8, (4, 3, 6, 6))
    sums = np.stack([naive_conv(frame, sum_pool_weight(3, k), stride=k) for frame in x])
    windows = x.reshape(4, 3, 6 // k, k, 6 // k, k).sum(axis=(3, 5))
    assert np.array_equal(sums, windows)
    scaled = Neuron.uniform(3, levels=3, threshold=2 * k * k, bias=k * k, v0=-k * k)
    spikes = integrate(sums[None], scaled)[0]
    v = np.full((3, 6 // k, 6 // k), -k * k)  # k*k times the potential, in exact integers
    for t in range(4):
        v = v + windows[t] + k * k
        z = np.clip(v // (2 * k * k), 0, 3)
        v = v - z * 2 * k * k
        assert np.array_equal(spikes[0, t], z)


@pytest.mark.parametrize(("k", "kernel", "stride", "size"), [(2, 3, 1, 8), (2, 1, 2, 9), (3, 2, 2, 13)])
def test_folded_average_pool_equals_pool_then_convolution(k, kernel, stride, size):
    rng = np.random.default_rng(size)
    x, w = rng.integers(0, 8, (2, size, size)), random_weight(rng, 3, 2, kernel, kernel)
    pooled = naive_conv(x, sum_pool_weight(2, k), stride=k)
    folded = naive_conv(x, fold_average_pool(w, k), stride=stride * k)
    assert np.array_equal(folded, naive_conv(pooled, w, stride=stride))
