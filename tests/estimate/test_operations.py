"""The operation-count account, counted by hand."""

import numpy as np
import pytest

from reprise.estimate.baselines.operations import access_pj, of_layer, of_network
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.neuron import Neuron


def layer(weight, **source):
    sources = (Source(feature="input", weight=weight.astype(np.int8), **source),)
    return Layer(name="l", sources=sources, neuron=Neuron.uniform(len(weight), levels=1))


def test_accesses_cost_by_size():
    assert [access_pj(size) for size in (1, 8 << 10, 32 << 10, 1 << 20, 1 << 30)] == [10, 10, 20, 100, 100]
    assert access_pj(16 << 10) == pytest.approx(15)  # half of the way, by the logarithm


@pytest.mark.parametrize("levels", [1, 4])
def test_a_linear_layer_by_hand(levels):
    spikes = np.zeros((1, 3, 5, 1, 1), np.uint8)
    spikes[0, 0, 1], spikes[0, 2, 4] = 1, levels
    found = of_layer(layer(np.ones((7, 5, 1, 1))), [spikes], [levels], outputs=4, neurons=7, steps=spikes.shape[:2])
    synapses, updates = 2 * 7, 7 * 3
    assert (found.spikes, found.fan_out, found.neurons, found.timesteps) == (2, 7, 7, 3)
    assert found.accesses_pj == pytest.approx(10 * (2 + (synapses + updates) + 2 * (synapses + updates) + 4))
    additions = synapses + updates + updates + 2 * 2 + synapses
    assert found.operations_pj == pytest.approx(0.1 * additions + (0.2 * synapses if levels > 1 else 0))
    assert found.energy_pj == found.accesses_pj + found.operations_pj


def test_a_convolution_by_hand():
    spikes = np.zeros((2, 1, 3, 6, 6), np.uint8)
    spikes[0, 0, 0, 2, 2] = spikes[1, 0, 1, 0, 5] = spikes[1, 0, 2, 3, 3] = 1
    found = of_layer(
        layer(np.ones((4, 3, 3, 3)), padding=1), [spikes], [1], outputs=0, neurons=4 * 36, steps=spikes.shape[:2]
    )
    assert (found.spikes, found.fan_out, found.neurons) == (3, 4 * 9, 2 * 4 * 36)


def test_all_layers_of_a_network():
    file = open_network("digits", HardwareConfig.load("tiny"))
    features = run(file.network, choose_images(file, 1, 0).images, record=("features",)).features
    found = of_network(file.network, features)
    assert list(found) == [one.name for one in file.network.layers]
    assert found["conv2"].spikes == np.count_nonzero(features["conv1"]) and found["readout"].outputs == 0
    assert found["conv1"].outputs == found["conv2"].spikes


def test_a_product_of_two_maps_has_the_columns_of_a_head():
    """A spike of K meets a token's part of V, and a spike of Q a row of G: one head's channels each."""
    file = network_file.load(shipped("digits-spikformer"))
    features = run(file.network, file.images[:2], record=("features",)).features
    found = of_network(file.network, features)
    for name, rows, fan_out in (("products_kv", "k", 16), ("products", "q", 16)):
        one = found[f"block1_attention_{name}"]
        assert one.spikes == np.count_nonzero(features[f"block1_attention_{rows}"]) > 0
        assert one.fan_out == fan_out and one.neurons == 2 * 16 * 32
    assert found["block1_attention_products_kv"].outputs == 0  # integers are no spikes
