"""Networks whose sources are masked against the naive oracle, and the ways to compute them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.model.inference.runner import run
from reprise.model.inference.widths import prove
from tests.support.oracles import naive_frames, naive_run
from tests.support.random_models import random_images, random_masks

SEEDS = st.integers(0, 10**6)
RECORD = ("features", "potentials", "psums")


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_every_feature_equals_the_definition(seed, timesteps):
    net = random_masks(seed, timesteps=timesteps)
    images = random_images(net, 2, seed)
    result = run(net, images, record=RECORD)
    for n, image in enumerate(images):
        for name, expected in naive_run(net, naive_frames(net, image)).items():
            assert np.array_equal(result.features[name][n], expected), name


@pytest.mark.parametrize("tile", [(64, 16), (100, 5), (16, 3)])
@pytest.mark.parametrize("seed", range(5))
def test_plain_integer_and_tiled_are_equal(seed, tile):
    net = random_masks(seed)
    images = random_images(net, 3, seed)
    plain = run(net, images, record=RECORD)
    others = [run(net, images, method="integer", record=RECORD)]
    others.append(run(net, images, method="tiled", tile_m=tile[0], tile_k=tile[1], record=RECORD))
    for other in others:
        for kind in RECORD:
            ours, theirs = getattr(plain, kind), getattr(other, kind)
            assert all(np.array_equal(ours[name], theirs[name]) for name in ours), kind
    assert np.array_equal(run(net, images).output, plain.output)  # lets go of what nobody reads any more


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_bounds_hold_for_every_sum(seed):
    net = random_masks(seed)
    images = random_images(net, 4, seed)
    bounds, seen = prove(net, 16, images), run(net, images, record=RECORD)
    for layer in net.layers:
        found, values = bounds[layer.name].psum, seen.psums[layer.name]
        assert found.low <= values.min() and values.max() <= found.high, layer
