"""Wide layers whose jobs would fetch all weights again are computed in parts along K, where that is cheaper."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.compiler.rows import worth
from reprise.compiler.rows.split import partial_bits
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

CONFIG = HardwareConfig.load("tiny").replace(addend_groups=8, tile_m=64, feature_words=128, lanes=16)
SIDE, TIMESTEPS = 8, 1  # whose rows fill an m tile


def network(most=9, *, hidden=512, outputs=16, levels=1, seed=0):
    """A hidden layer of many channels, and one that reads it: the second half of an MLP."""
    r = np.random.default_rng(seed)

    def layer(name, feature, inputs, outputs, levels=1):
        weight = r.integers(-most, most + 1, (outputs, inputs, 1, 1)).astype(np.int8)
        fires = Neuron.uniform(outputs, kind="lif", leak=128, reset="hard", levels=levels, threshold=3 * most)
        return Layer(name=name, sources=(Source(feature=feature, weight=weight),), neuron=fires)

    layers = (layer("fc1", "input", 4, hidden, levels), layer("fc2", "fc1", hidden, outputs))
    return Network(name="mlp", input_shape=(4, SIDE, SIDE), input_levels=3, timesteps=TIMESTEPS, layers=layers)


def parts(compiled):
    """The maps of partial sums, and the bytes of their integers."""
    return [f.int_bytes for name, f in compiled.features.items() if ".k" in name]


@pytest.mark.parametrize(("most", "size"), [(9, 2), (127, 2), (127, 4)])
def test_a_wide_layer_is_split_with_integers_as_narrow_as_is_proven(most, size):
    net = network(most, levels=15 if size == 4 else 1)
    images = random_images(1, net, 1)
    compiled = compile_network(net, CONFIG, 1, keep_features=True)
    assert set(parts(compiled)) == {size}
    checks = compare(compiled, interpret(compiled, images), run(net, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks


def test_partial_sums_of_16_bits_hold_the_largest_input():
    """At the border one unit more needs 32 bits."""

    def bits(weights, levels, addend=None):
        weight = np.array([weights], np.int8)[:, :, None, None]
        inputs = Layer(
            name="a",
            sources=(Source(feature="input", weight=np.ones((len(weights), 1, 1, 1), np.int8)),),
            neuron=Neuron.uniform(len(weights), levels=levels),
        )
        stream = Layer(
            name="s", sources=(Source(feature="input", weight=np.ones((1, 1, 1, 1), np.int8)),), neuron=Neuron.sum(1)
        )
        layer = Layer(name="b", sources=(Source(feature="a", weight=weight),), neuron=Neuron.uniform(1), addend=addend)
        net = Network(name="n", input_shape=(1, 1, 1), input_levels=1, timesteps=1, layers=(inputs, stream, layer))
        return partial_bits(net, layer)

    assert bits([127] * 258 + [1], 1) == 16 and bits([127] * 258 + [2], 1) == 32
    assert bits([-128] * 256 + [100], 1) == 16 and bits([-128] * 256 + [-1], 1) == 32
    assert bits([127, 127], 128) == 16 and bits([127, 127, 127], 128) == 32
    assert bits([1], 1, addend="s") == 32, "what a shortcut brings is as wide as it is"


def test_layers_that_fit_or_have_few_jobs_stay_whole():
    assert not parts(compile_network(network(), CONFIG.replace(feature_words=1 << 15), 1))
    assert not parts(compile_network(network(hidden=160), CONFIG, 1)), "of two jobs"
    assert not parts(compile_network(network(), CONFIG.replace(addend_groups=0), 1))


def test_parts_take_fewer_cycles_and_have_the_same_densities(monkeypatch):
    net = network()
    images = random_images(1, net, 1)
    split = estimate(net, CONFIG, images)["layers"][1]
    monkeypatch.setattr(worth, "WORTH", 0)
    whole = estimate(net, CONFIG, images)["layers"][1]
    assert split["name"] == whole["name"] == "fc2"
    assert split["tile_use"]["rows"]["mean"] == 32 and whole["tile_use"]["rows"]["mean"] == 8
    assert split["cycles"]["cycle_model"] < whole["cycles"]["cycle_model"]
    for column in ("dense", "bit_sparse", "published_model"):
        assert split["cycles"][column] == whole["cycles"][column]
    assert split["bit_density"] == whole["bit_density"]
