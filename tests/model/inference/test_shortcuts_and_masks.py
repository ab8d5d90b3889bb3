"""Networks with membrane shortcuts, masks or joins, against the naive oracle; ways to compute them; their widths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.runner import run
from reprise.model.inference.widths import Range, WidthError, Widths, check, prove
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.products import network_jobs
from tests.support.oracles import naive_frames, naive_run
from tests.support.random_models import random_images, random_joins, random_masks, random_shortcuts

SEEDS = st.integers(0, 10**6)
MAKERS = st.sampled_from([random_shortcuts, random_masks, random_joins])
RECORD = ("features", "potentials", "psums")


@settings(max_examples=50, deadline=None)
@given(MAKERS, SEEDS, st.integers(1, 4))
def test_every_feature_equals_the_definition(make, seed, timesteps):
    net = make(seed, timesteps=timesteps)
    images = random_images(net, 2, seed)
    result = run(net, images, record=RECORD)
    for n, image in enumerate(images):
        naive = naive_run(net, naive_frames(net, image))
        for name, expected in naive.items():
            got = result.potentials if net.layers[-1].name == name and result.readout else result.features
            assert np.array_equal(got[name][n], expected), name


@settings(max_examples=40, deadline=None)
@given(MAKERS, SEEDS, st.sampled_from([(64, 16), (100, 5), (16, 3)]))
def test_plain_integer_and_tiled_are_equal(make, seed, tile):
    net = make(seed)
    images = random_images(net, 3, seed)
    plain = run(net, images, record=RECORD)
    others = [run(net, images, method="integer", record=RECORD)]
    others.append(run(net, images, method="tiled", tile_m=tile[0], tile_k=tile[1], record=RECORD))
    for other in others:
        for kind in RECORD:
            ours, theirs = getattr(plain, kind), getattr(other, kind)
            for name in ours:
                assert ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name]), name
    kept = run(net, images)  # lets go of what nobody reads any more
    assert np.array_equal(kept.output, plain.output)


@settings(max_examples=40, deadline=None)
@given(MAKERS, SEEDS)
def test_bounds_hold_for_every_sum_and_integer(make, seed):
    net = make(seed)
    images = random_images(net, 4, seed)
    bounds, seen = prove(net, 16, images), run(net, images, record=RECORD)
    for layer in net.layers:
        bound = bounds[layer.name]
        for values, found in ((seen.psums[layer.name], bound.psum), (seen.potentials[layer.name], bound.membrane)):
            assert found.low <= values.min() and values.max() <= found.high, layer


def shortcut(bits, weight=100, reads=False):
    """x = 100 * input as integers of so many bits, and y = x (+ 3 * input)."""
    source = Source(feature="input", weight=np.full((1, 1, 1, 1), weight, np.int8))
    x = Layer(name="x", sources=(source,), neuron=Neuron.sum(1, bits=bits))
    own = (Source(feature="input", weight=np.full((1, 1, 1, 1), 3, np.int8)),) if reads else ()
    y = Layer(name="y", sources=own, neuron=Neuron.sum(1, bias=7), addend="x")
    return Network(name="n", input_shape=(1, 1, 1), input_levels=10, timesteps=1, layers=(x, y))


@pytest.mark.parametrize(
    ("bits", "reads", "psum", "integers"),
    [(16, False, Range(0, 1000), Range(7, 1007)), (16, True, Range(0, 1030), Range(7, 1037))]
    + [(8, False, Range(0, 127), Range(7, 134)), (8, True, Range(0, 157), Range(7, 164))],
)
def test_bounds_of_an_addend_are_those_of_its_map(bits, reads, psum, integers):
    net = shortcut(bits, reads=reads)
    bounds = prove(net, 16)["y"]
    assert (bounds.psum, bounds.integers) == (psum, integers) and bounds.row_psum.high == 3 * reads
    seen = run(net, np.full((1, 1, 1, 1), 10), record=RECORD)
    assert seen.psums["y"].max() == psum.high and seen.features["y"].max() == integers.high  # it is reached


def test_an_addend_that_overflows_is_refused():
    with pytest.raises(WidthError, match="layer 'y': psum must fit 11 bits, but its worst case 0..1030 needs 12"):
        check(shortcut(16, reads=True), Widths(psum=11), 16)


def test_rows_of_a_layer_without_sources_have_no_bits():
    """Its neurons step for every position and timestep all the same, so that there is a row for each."""
    net = random_shortcuts(3, timesteps=2)
    features = run(net, random_images(net, 2, 3), record="features").features
    (job,) = network_jobs(net, "fire", features, tile_m=16, tile_k=4)
    height, width = net.geometry["fire"].computed
    assert job.tiles.packed.shape == (2 * 2 * height * width, 1) and not job.tiles.packed.any()
