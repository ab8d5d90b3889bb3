"""reprise.model.inference.widths: bounds are sound on random inputs and attained by chosen ones."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.runner import run
from reprise.model.inference.widths import LayerBounds, Range, WidthError, Widths, check, membrane_range, prove
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.rows import plane_weights, unpack_rows
from reprise.model.prosparsity.tiling import network_tiles
from tests.support.oracles import naive_neuron
from tests.support.random_models import random_images, random_network, random_neuron, random_weight


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(0, 0, 1), (0, 1, 2), (-1, 0, 1), (-2, 1, 2), (-3, 0, 3), (0, 127, 8), (-128, 127, 8), (-129, 0, 9), (0, 128, 9)],
)
def test_bits_of_a_range(low, high, bits):
    assert Range(low, high).bits == bits


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_for_every_sum_of_a_run(seed):
    net = random_network(seed, size=5, input_signed=seed % 3 == 0)
    images = random_images(net, 3, seed)
    bounds = prove(net, 16, images)
    seen = run(net, images, record=("features", "psums", "potentials"))
    for layer in net.layers:
        bound = bounds[layer.name]
        tiles = network_tiles(net, layer.name, seen.features, tile_m=1024, tile_k=16)
        rows = unpack_rows(tiles.packed, 16).astype(np.int64)
        weights = tiles.weights.astype(np.int64)
        for k in range(tiles.k_tiles):
            inside(rows[:, 16 * k : 16 * k + 16] @ weights[16 * k : 16 * k + 16], bound.tile_result)
        row_sums = rows @ weights
        inside(row_sums, bound.row_psum)
        planes = len(tiles.plane_weights)  # hardware adds planes from the least significant up
        by_plane = row_sums.reshape(-1, planes, layer.channels) * tiles.plane_weights[:, None]
        inside(np.cumsum(by_plane, axis=1), bound.psum)
        inside(seen.psums[layer.name], bound.psum)
        inside(seen.potentials[layer.name], bound.membrane)
        assert bound.observed["psum"] == Range(int(seen.psums[layer.name].min()), int(seen.psums[layer.name].max()))
        assert bound.observed["membrane"].high == seen.potentials[layer.name].max()
    assert prove(net, 16)["end"].observed is None


def inside(values, bound):
    assert bound.low <= values.min() and values.max() <= bound.high


def one_layer(weight, levels=1, signed=False, encoding="bitplane", neuron=None, sources=1):
    source = Source(feature="input", weight=weight)
    layer = Layer(
        name="a",
        sources=(source,) * sources,
        neuron=neuron or Neuron.uniform(len(weight)),
        encoding=encoding,
    )
    return Network(
        name="n",
        input_shape=(weight.shape[1], 1, 1),
        input_levels=levels,
        input_signed=signed,
        timesteps=2,
        layers=(layer,),
    )


@pytest.mark.parametrize("levels", [1, 5, 255])
@pytest.mark.parametrize("encoding", ["bitplane", "thermometer"])
def test_sum_bounds_are_attained(levels, encoding):
    """The input that is N where the weight is positive (or negative) and 0 elsewhere reaches them exactly."""
    rng = np.random.default_rng(levels)
    weight = random_weight(rng, 4, 40, 1, 1)
    bound = prove(one_layer(weight, levels, encoding=encoding), 16)["a"]
    w = weight[:, :, 0, 0].astype(int)
    up, down = np.maximum(w, 0), np.minimum(w, 0)
    assert bound.row_psum == Range(down.sum(axis=1).min(), up.sum(axis=1).max())
    assert bound.psum == Range(levels * down.sum(axis=1).min(), levels * up.sum(axis=1).max())
    cuts = [slice(0, 16), slice(16, 32), slice(32, 40)]
    lows, highs = ([part[:, c].sum(axis=1) for c in cuts] for part in (down, up))
    assert bound.tile_result == Range(np.min(lows), np.max(highs))
    assert bound.steps == Range(0, 1)


def test_signed_input_counts_the_sign_plane():
    weight = np.array([[3, -5]], dtype=int).reshape(1, 2, 1, 1)
    bound = prove(one_layer(weight, 255, signed=True), 16)["a"]
    assert bound.psum == Range(-128 * 3 - 5 * 127, 127 * 3 + 5 * 128)
    assert plane_weights(255, "bitplane", True).sum() == -1


def test_two_sources_add_and_do_not_share_a_tile():
    weight = np.full((1, 10, 1, 1), 7)
    bound = prove(one_layer(weight, 3, sources=2), 16)["a"]
    assert bound.tile_result == Range(0, 70) and bound.row_psum == Range(0, 140) and bound.psum == Range(0, 420)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_membrane_bound_is_sound(seed):
    rng = np.random.default_rng(seed)
    neuron = random_neuron(rng, 2, scale=30)
    low, high = np.sort(rng.integers(-60, 90, (2, 2)), axis=0)
    timesteps = int(rng.integers(1, 7))
    bound = membrane_range(neuron, low, high, timesteps)
    for channel in range(2):
        for choice in range(12):
            psums = rng.integers(low[channel], high[channel] + 1, timesteps)
            psums = [low, high][choice][channel].repeat(timesteps) if choice < 2 else psums
            _, potentials = naive_neuron(neuron, channel, psums.tolist())
            v = int(neuron.v0[channel])
            for psum, after in zip(psums.tolist(), potentials, strict=True):
                u = ((v * int(neuron.leak[channel])) >> 8) + psum + int(neuron.bias[channel])
                assert bound.low <= min(u, after) and max(u, after) <= bound.high
                v = after


def test_membrane_bound_is_attained():
    """No reset: T times the largest sum. Soft reset: D - 1 kept, then the largest sum. Below zero nothing resets."""
    low, high = np.array([-10]), np.array([17])
    assert membrane_range(Neuron.uniform(1, reset="none", threshold=5), low, high, 4) == Range(-40, 68)
    assert membrane_range(Neuron.uniform(1, levels=9, threshold=5), low, high, 4) == Range(-40, 21)
    assert membrane_range(Neuron.uniform(1, levels=1, threshold=5), low, high, 2) == Range(-20, 12 + 17)
    assert membrane_range(Neuron.uniform(1, reset="hard", threshold=5), low, high, 4) == Range(-40, 21)
    assert membrane_range(Neuron.uniform(1, threshold=5, v0=999, levels=255), low, high, 1) == Range(0, 1016)
    always = Neuron.uniform(1, levels=255, threshold=5)  # fires at once and keeps a remainder of 0..4
    assert membrane_range(always, np.array([8]), np.array([9]), 2) == Range(0, 4 + 9)
    half = Neuron.uniform(1, kind="lif", leak=128, reset="none", threshold=5)
    assert membrane_range(half, low, high, 50).high == 17 + 16 and membrane_range(half, low, high, 2).high == 25


def test_a_network_that_could_overflow_is_refused_by_name():
    net = one_layer(np.full((1, 32, 1, 1), -128), levels=3, neuron=Neuron.uniform(1, threshold=9, levels=4))
    found = prove(net, 16)["a"]
    needed = {f.name: getattr(found, f.name).bits for f in dataclasses.fields(Widths)}
    assert needed == {"tile_result": 12, "row_psum": 13, "psum": 15, "membrane": 16, "steps": 7}
    assert isinstance(check(net, Widths(**needed), 16)["a"], LayerBounds)
    for name, bits in needed.items():
        with pytest.raises(
            WidthError, match=f"layer 'a': {name} must fit {bits - 1} bits, but its worst case .* needs {bits}"
        ):
            check(net, Widths(**needed | {name: bits - 1}), 16)
