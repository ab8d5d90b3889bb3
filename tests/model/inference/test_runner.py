"""reprise.model.inference.runner: whole networks against the naive oracle, plain against tiled."""

import numpy as np
import pytest

from reprise.model.inference.runner import input_levels, run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.support.oracles import naive_frames, naive_run
from tests.support.random_models import random_images, random_network

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_feature_equals_the_definition(seed):
    net = random_network(seed, size=6, input_signed=seed % 4 == 3)
    images = random_images(net, 2, seed)
    result = run(net, images, record=("features", "potentials", "psums"))
    for n, image in enumerate(images):
        naive = naive_run(net, naive_frames(net, image))
        for name, expected in naive.items():
            if name in result.features:
                assert np.array_equal(result.features[name][n], expected), name
        assert np.array_equal(result.output[n], naive["end"])
    fired = [layer.name for layer in net.layers if layer.neuron.kind != "readout"]
    assert list(result.features) == ["input", *fired]
    assert any(result.features[name].any() for name in fired)  # the networks are not silent


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("tile_m", "tile_k"), [(256, 16), (1024, 64), (96, 5)])
def test_plain_integer_and_tiled_are_equal(seed, tile_m, tile_k):
    net = random_network(seed, timesteps=1 + seed % 2, input_signed=seed % 3 == 1)
    images = random_images(net, 3, seed)
    record = ("features", "potentials", "psums")
    plain = run(net, images, record=record)
    others = [run(net, images, method="tiled", tile_m=tile_m, tile_k=tile_k, record=record)]
    others.append(run(net, images, method="integer", record=record))
    for other in others:
        assert np.array_equal(plain.output, other.output)
        for kind in record:
            ours, theirs = getattr(plain, kind), getattr(other, kind)
            assert list(ours) == list(theirs)
            for name in ours:
                assert ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name]), name


def test_chunks_do_not_change_anything(monkeypatch):
    net = random_network(5)
    images = random_images(net, 7, 5)
    whole = run(net, images, record=("features", "psums"))
    monkeypatch.setattr("reprise.model.inference.runner.CHUNK_BYTES", 1)
    for method in ("plain", "tiled"):
        parts = run(net, images, method=method, tile_m=256, tile_k=16, record=("features", "psums"))
        assert np.array_equal(whole.output, parts.output)
        assert all(np.array_equal(whole.features[name], parts.features[name]) for name in whole.features)
        assert all(np.array_equal(whole.psums[name], parts.psums[name]) for name in whole.psums)


def tiny(mode="repeat", readout=True, **fields):
    neuron = Neuron.readout(2) if readout else Neuron.uniform(2, levels=3, threshold=4)
    source = Source(feature="input", weight=np.array([1, 0, 0, 1]).reshape(2, 2, 1, 1), flatten=True)
    layer = Layer(name="end", sources=(source,), neuron=neuron)
    options = dict(input_shape=(2, 1, 1), input_levels=9, timesteps=3, input_mode=mode) | fields
    return Network(name="tiny", layers=(layer,), **options)


def test_input_modes():
    image = np.array([[[3]], [[5]]])
    assert input_levels(tiny(), image)[0, :, 1, 0, 0].tolist() == [5, 5, 5]
    assert input_levels(tiny("once"), image)[0, :, 1, 0, 0].tolist() == [5, 0, 0]
    frames = np.arange(6).reshape(3, 2, 1, 1)
    assert input_levels(tiny("given"), frames)[0, :, 1, 0, 0].tolist() == [1, 3, 5]
    assert input_levels(tiny("given"), frames[None]).shape == (1, 3, 2, 1, 1)


def test_scores_and_predictions():
    images = np.array([[3, 5], [7, 1], [4, 4]]).reshape(3, 2, 1, 1)
    result = run(tiny(), images)
    assert result.scores.tolist() == [[9, 15], [21, 3], [12, 12]]  # potentials after T = 3
    assert result.predictions.tolist() == [1, 0, 0] and result.features == {} and result.readout
    fired = run(tiny(readout=False), images)
    assert fired.scores.tolist() == [[2, 3], [5, 0], [3, 3]] and not fired.readout


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run(tiny(), np.zeros((2, 2, 1), dtype=int)), r"images must be of shape \(2, 1, 1\) or \(n, 2, 1, 1\)"),
        (lambda: run(tiny("given"), np.zeros((2, 2, 1, 1), dtype=int)), r"images must be of shape \(3, 2, 1, 1\)"),
        (lambda: run(tiny(), np.full((2, 1, 1), 10)), r"images must be in 0..9, not \(10, 10\)"),
        (lambda: run(tiny(), np.zeros((2, 1, 1))), "images must be an array of integers or booleans, not 'float64'"),
        (lambda: run(tiny(), np.zeros((0, 2, 1, 1), dtype=int)), "images must be at least one image"),
        (lambda: run(tiny(), np.zeros((2, 1, 1), dtype=int), method="fast"), "method must be one of"),
        (
            lambda: run(tiny(), np.zeros((2, 1, 1), dtype=int), record="spikes"),
            r"record must be some of .* not \['spikes'",
        ),
        (
            lambda: run(tiny(), np.zeros((2, 1, 1), dtype=int), method="tiled", tile_m=8, tile_k=16),
            "tile_m must be at least 12, not 8: the rows of one position",
        ),
        (
            lambda: run(tiny(), np.zeros((2, 1, 1), dtype=int), method="tiled", tile_m=16),
            "tile_k must be given for method 'tiled', not None",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
