"""Networks with attention against the naive oracle; the ways to compute them against each other; their widths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.layers import product_sums
from reprise.model.inference.neurons import integrate, step
from reprise.model.inference.runner import run
from reprise.model.inference.widths import Range, prove
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.support.oracles import naive_frames, naive_neuron, naive_run
from tests.support.random_models import random_attention, random_images

SEEDS = st.integers(0, 10**6)
RECORD = ("features", "potentials", "psums")


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_every_feature_equals_the_definition(seed, timesteps):
    net = random_attention(seed, timesteps=timesteps)
    images = random_images(net, 2, seed)
    result = run(net, images, record=RECORD)
    for n, image in enumerate(images):
        naive = naive_run(net, naive_frames(net, image))
        for name, expected in naive.items():
            if name != "end":
                assert np.array_equal(result.features[name][n], expected), name
        assert np.array_equal(result.output[n], naive["end"])
    assert result.features["g"].dtype == np.int8


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([(64, 16), (100, 5), (16, 3)]))
def test_plain_integer_and_tiled_are_equal(seed, tile):
    net = random_attention(seed)
    images = random_images(net, 3, seed)
    plain = run(net, images, record=RECORD)
    others = [run(net, images, method="integer", record=RECORD)]
    others.append(run(net, images, method="tiled", tile_m=tile[0], tile_k=tile[1], record=RECORD))
    for other in others:
        assert np.array_equal(plain.output, other.output)
        for kind in RECORD:
            ours, theirs = getattr(plain, kind), getattr(other, kind)
            for name in ours:
                assert ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name]), name


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_both_associations_are_equal(seed):
    """Q (K^T V) is (Q K^T) V, which is how attention is written in papers, where G is neither shifted nor clipped."""
    rng = np.random.default_rng(seed)
    heads, d, dv, h, w = (int(n) for n in rng.integers(1, 4, 5))
    q, k, v = (rng.integers(0, 3, (heads * c, h, w)) for c in (d, d, dv))

    g = product_sums(Product(feature="k", operand="v", over="tokens", heads=heads), k[None], v[None])
    o = product_sums(Product(feature="q", operand="g", over="channels", heads=heads), q[None], g)[0]
    for head in range(heads):
        rows = [x[head * n : head * n + n].reshape(n, -1) for x, n in ((q, d), (k, d), (v, dv))]
        scores = rows[0].T @ rows[1]
        assert np.array_equal((scores @ rows[2].T).T, o[head * dv : head * dv + dv].reshape(dv, -1))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([8, 16, 32]), st.integers(0, 31))
def test_a_sum_equals_the_definition(seed, bits, shift):
    rng = np.random.default_rng(seed)
    neuron = Neuron.sum(2, bits=bits, shift=shift, bias=rng.integers(-(2**30), 2**30, 2) >> int(rng.integers(0, 31)))
    psum = rng.integers(-(2**31), 2**31, (1, 4, 2, 1, 1)) >> int(rng.integers(0, 32))
    values, potentials = integrate(psum, neuron, potentials=True)
    assert values.dtype == np.dtype(f"int{bits}") and integrate(psum, neuron)[1] is None
    for channel in range(2):
        expected, u = naive_neuron(neuron, channel, psum[0, :, channel, 0, 0].tolist())
        assert values[0, :, channel, 0, 0].tolist() == expected and potentials[0, :, channel, 0, 0].tolist() == u
    one, u = step(np.zeros_like(psum[:, 0]), psum[:, 0], neuron)
    assert np.array_equal(one, values[:, 0]) and np.array_equal(u, potentials[:, 0])


def test_a_network_may_end_in_integers():
    weight = np.array([[[[3]]], [[[-5]]]], dtype=np.int8)
    layer = Layer(name="end", sources=(Source(feature="input", weight=weight),), neuron=Neuron.sum(2, bits=8, shift=1))
    net = Network(name="n", input_shape=(1, 1, 1), input_levels=255, timesteps=2, layers=(layer,))
    result = run(net, np.array([[[7]], [[200]]])[:, None])
    assert result.output[:, :, :, 0, 0].tolist() == [[[10, -18]] * 2, [[127, -128]] * 2] and not result.readout
    assert result.scores.tolist() == [[20, -36], [254, -256]]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_bounds_hold_for_every_sum_and_integer(seed):
    net = random_attention(seed)
    images = random_images(net, 4, seed)
    bounds, seen = prove(net, 16, images), run(net, images, record=RECORD)
    for layer in net.layers:
        bound, neuron = bounds[layer.name], layer.neuron
        for values, found in ((seen.psums[layer.name], bound.psum), (seen.potentials[layer.name], bound.membrane)):
            assert found.low <= values.min() and values.max() <= found.high, layer
        assert (bound.integers is None) == (neuron.kind != "sum")
        if bound.integers is not None:
            shifted = seen.potentials[layer.name] >> neuron.shift
            assert bound.integers.low <= shifted.min() and shifted.max() <= bound.integers.high
            assert bound.clips or np.array_equal(shifted, seen.features[layer.name])


def attention(levels, tokens, d, bits=8, shift=0, bias=0):
    """K of one level and V of some, on a row of tokens, in one head of d channels."""
    weight = np.ones((d, 1, 1, 1), dtype=np.int8)
    source = (Source(feature="input", weight=weight),)
    k = Layer(name="k", sources=source, neuron=Neuron.uniform(d))
    v = Layer(name="v", sources=source, neuron=Neuron.uniform(d, levels=levels))
    g = Layer(
        name="g",
        sources=(Product(feature="k", operand="v", over="tokens"),),
        neuron=Neuron.sum(d, bits=bits, shift=shift, bias=bias),
    )
    a = Layer(name="a", sources=(Product(feature="k", operand="g", over="channels"),), neuron=Neuron.uniform(d))
    return Network(name="n", input_shape=(1, 1, tokens), input_levels=9, timesteps=1, layers=(k, v, g, a))


def test_bounds_of_attention():
    """G is 0..L N_K N_V and Q G is 0..d N_Q max(G): the widths of the design, and all of them are reached."""
    net = attention(levels=3, tokens=20, d=5)
    bounds = prove(net, 16)
    assert bounds["g"].tile_result == Range(0, 48) and bounds["g"].row_psum == bounds["g"].psum == Range(0, 60)
    assert bounds["g"].integers == Range(0, 60) and not bounds["g"].clips
    assert bounds["a"].psum == Range(0, 300)
    full = run(net, np.full((1, 1, 20), 9), record="psums").psums
    assert full["g"].max() == 60 and full["a"].max() == 300


@pytest.mark.parametrize(
    ("levels", "shift", "bias", "integers", "clips", "a"),
    [
        (6, 0, 7, Range(7, 127), False, 127),
        (6, 0, 8, Range(8, 128), True, 127),
        (12, 1, 0, Range(0, 120), False, 120),
        (12, 0, -368, Range(-368, -128), True, 0),
    ],
)
def test_a_clip_is_told(levels, shift, bias, integers, clips, a):
    bounds = prove(attention(levels, 20, 1, shift=shift, bias=bias), 16)
    assert bounds["g"].integers == integers and bounds["g"].clips == clips and bounds["a"].psum.high == a
