"""Training goes on from the integers of a network file: it begins with the same network, and its structure remains."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from reprise.export.qat.check import compare
from reprise.export.qat.deploy import to_network
from reprise.export.train import datasets, train
from reprise.export.train.tune import is_identity, trainable, tuning_recipe
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.support.errors import RepriseError
from tests.reprise.command import reprise
from tests.support.random_models import random_images, random_shortcuts

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def coarse():
    """The digits network with weights that are multiples of 80: it has lost accuracy."""
    file = network_file.load(shipped("digits"))
    layers = []
    for layer in file.network.layers:
        rounded = [(80 * np.rint(s.weight / 80)).clip(-120, 120).astype(np.int8) for s in layer.sources]
        sources = tuple(replace(s, weight=w) for s, w in zip(layer.sources, rounded, strict=True))
        layers.append(replace(layer, sources=sources))
    return replace(file, network=replace(file.network, layers=tuple(layers)))


def residual(kind, reset, levels):
    """Two branches that are joined by a sum of spikes, a grouped convolution, and a neuron of any kind."""
    rng = np.random.default_rng(levels)

    def weights(*shape):
        return rng.integers(-90, 91, shape).astype(np.int8)

    def neuron(count):
        leak = rng.integers(100, 250, count) if kind == "lif" else np.full(count, 256)
        bias, threshold = rng.integers(-40, 41, count), rng.integers(90, 300, count)
        v0 = rng.integers(0, 60, count)
        return Neuron(kind=kind, levels=levels, reset=reset, threshold=threshold, bias=bias, v0=v0, leak=leak)

    grouped = weights(8, 8, 3, 3)
    grouped[:4, 4:] = grouped[4:, :4] = 0
    eye = np.eye(8, dtype=np.int8)[:, :, None, None]
    ones = dict(threshold=np.ones(8, int), bias=np.zeros(8, int), v0=np.zeros(8, int), leak=np.full(8, 256))
    joined = Neuron(kind="if", levels=2 * levels, reset="soft", **ones)
    layers = (
        Layer(name="a", sources=(Source(feature="input", weight=weights(8, 1, 3, 3), padding=1),), neuron=neuron(8)),
        Layer(name="b", sources=(Source(feature="a", weight=grouped, padding=1),), neuron=neuron(8)),
        Layer(name="s", sources=(Source(feature="a", weight=eye), Source(feature="b", weight=eye)), neuron=joined),
        Layer(
            name="out",
            sources=(Source(feature="s", weight=weights(10, 512)[:, :, None, None], flatten=True),),
            neuron=Neuron.readout(10, bias=rng.integers(-9, 9, 10)),
        ),
    )
    return Network(name="r", input_shape=(1, 8, 8), input_levels=16, timesteps=3, layers=layers)


NETWORKS = {
    "digits": lambda: network_file.load(shipped("digits")).network,
    "coarse": lambda: coarse().network,
    **{
        f"{kind}, {reset}, {levels}": partial(residual, kind, reset, levels)
        for kind in ("if", "lif")
        for reset in ("soft", "hard")
        for levels in (1, 3)
    },
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_begins_with_the_network_of_the_file(digits, name):
    network = NETWORKS[name]()
    again = to_network(trainable(network, digits), "again")
    theirs = run(network, digits.test_images[:20], record=("features",))
    ours = run(again, digits.test_images[:20], record=("features",))
    for layer in network.layers[:-1]:
        assert np.array_equal(ours.features[layer.name], theirs.features[layer.name]), layer.name
    assert np.array_equal(ours.predictions, theirs.predictions)
    if name != "coarse":
        for one, other in zip(network.layers, again.layers, strict=True):
            assert all(np.array_equal(a.weight, b.weight) for a, b in zip(one.sources, other.sources, strict=True))
            assert np.array_equal(one.neuron.threshold, other.neuron.threshold) or one.neuron.levels == 0


def test_groups_and_sums_stay_what_they_are(digits):
    network = residual("if", "soft", 2)
    recipe = tuning_recipe(network, "digits", epochs=1, lr=0.02, train_images=128)
    tuned = to_network(train.train(recipe, digits, network=trainable(network, digits)), "tuned")
    _, grouped, joined, _ = tuned.layers
    kernel = grouped.sources[0].weight
    assert not kernel[:4, 4:].any() and not kernel[4:, :4].any() and kernel[:4, :4].any()
    assert all(is_identity(source) for source in joined.sources) and set(joined.neuron.threshold) == {1}
    assert not np.array_equal(kernel, network.layers[1].sources[0].weight), "nothing was trained"


def test_the_command_brings_accuracy_back(tmp_path):
    file = coarse().save(tmp_path / "lost")
    command = ("train", "--from", file, "--epochs", "2", "--config", "tiny", "-o", tmp_path / "found.yaml")
    done = reprise(*command, "--set", "threads=1", "--checkpoint", tmp_path / "state.pt")
    assert done.code == 0, done.err
    said = dict(line.split(": ", 1) for line in done.out.splitlines())
    before, after = (float(said[key].split()[0]) for key in ("integer accuracy before", "integer accuracy"))
    found = network_file.load(tmp_path / "found.yaml")
    assert before + 2 < after == round(found.accuracy["integer"], 2)
    assert "trained further for 2 epochs on digits" in found.changes


def test_what_does_not_fit_is_told(tmp_path, digits):
    network = network_file.load(shipped("digits")).network
    halved = {f"{part}_images": getattr(digits, f"{part}_images") // 2 for part in ("train", "test")}
    with pytest.raises(RepriseError, match=r"pixels must be 0\.\.16, not '0\.\.9'"):
        trainable(network, replace(digits, levels=9, **halved))
    with pytest.raises(RepriseError, match=r"must be images of \(1, 8, 8\), not \(1, 4, 8\): .*--set dataset"):
        cut = {name: value[:, :, :4] for name, value in halved.items()}
        trainable(network, replace(digits, **cut))
    file = network_file.save(network, tmp_path / "mine")
    done = reprise("train", "--from", file)
    assert done.code == 2 and "--set dataset must be one of digits, mnist, cifar10, not None" in done.err
    done = reprise("train", "digits", "--from", file)
    assert done.code == 2 and "--from must be given without NETWORK, not 'digits'" in done.err


def test_membrane_shortcuts_are_refused_by_name():
    with pytest.raises(RepriseError, match="addend must be None where integers are trained further, not 'x'"):
        trainable(random_shortcuts(1), None)


@pytest.mark.parametrize("seed", range(8))
def test_pytorch_computes_random_membrane_shortcuts_as_the_model_does(seed):
    network = random_shortcuts(seed, timesteps=1 + seed % 3)
    report = compare(network, random_images(network, 4, seed))
    assert report.difference is None, str(report.difference)
