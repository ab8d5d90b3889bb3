"""model.network.network and model.network.layer: what is accepted, what is refused and with what words."""

import dataclasses

import numpy as np
import pytest

from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network, equal
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.support.random_models import random_network


def weight(*shape):
    return np.ones(shape, dtype=np.int8)


def neuron(channels=2, **fields):
    ones = np.ones(channels, dtype=np.int64)
    given = (
        dict(kind="if", levels=1, reset="soft", threshold=ones, bias=0 * ones, v0=0 * ones, leak=256 * ones) | fields
    )
    return Neuron(**given)


def layer(name="a", feature="input", w=None, **fields):
    source = Source(feature=feature, weight=weight(2, 2, 3, 3) if w is None else w)
    return Layer(**dict(name=name, sources=(source,), neuron=neuron()) | fields)


def network(*layers, **fields):
    return Network(
        **dict(name="n", input_shape=(2, 6, 6), input_levels=1, timesteps=2, layers=layers or (layer(),)) | fields
    )


READOUT = Neuron.readout(2)
WRONG = {
    "kind": (lambda: neuron(kind="relu"), "neuron.kind must be 'if', 'lif', 'readout' or 'sum', not 'relu'"),
    "reset": (lambda: neuron(reset="mild"), "neuron.reset must be 'soft', 'hard' or 'none', not 'mild'"),
    "levels 0": (lambda: neuron(levels=0), "neuron.levels must be an integer in 1..255, not 0"),
    "levels 256": (lambda: neuron(levels=256), "neuron.levels must be an integer in 1..255, not 256"),
    "levels bool": (lambda: neuron(levels=True), "neuron.levels must be an integer in 1..255, not True"),
    "readout fires": (
        lambda: neuron(kind="readout", levels=1, reset="none"),
        "neuron.levels must be 0 for a readout, not 1",
    ),
    "readout resets": (lambda: neuron(kind="readout", levels=0), "neuron.reset must be 'none' for a readout"),
    "threshold 0": (
        lambda: neuron(threshold=np.array([1, 0])),
        "neuron.threshold must be positive in every channel, not 0",
    ),
    "threshold float": (
        lambda: neuron(threshold=np.array([1.0, 2])),
        "neuron.threshold must be an array of integers, not 'float64'",
    ),
    "bias length": (
        lambda: neuron(bias=np.zeros(3, int)),
        r"neuron.bias must be one value per channel \(2\), not 3",
    ),
    "bias axes": (lambda: neuron(bias=np.zeros((2, 1), int)), "neuron.bias must be an array of 1 axes"),
    "leak 257": (lambda: neuron(kind="lif", leak=np.array([257, 0])), r"neuron.leak must be in 0..256, not \(0, 257\)"),
    "leak of an IF": (lambda: neuron(leak=np.array([255, 256])), "neuron.leak must be 256 for kind 'if', not 255"),
    "weight 128": (
        lambda: Source(feature="a", weight=np.full((1, 1, 1, 1), 128)),
        r"source.weight must be within int8 \(-128..127\), not \(128, 128\)",
    ),
    "weight axes": (lambda: Source(feature="a", weight=weight(2, 2)), "source.weight must be an array of 4 axes"),
    "empty weight": (lambda: Source(feature="a", weight=weight(0, 1, 1, 1)), "source.weight must be not empty"),
    "stride 0": (lambda: Source(feature="a", weight=weight(1, 1, 1, 1), stride=0), "source.stride must be an integer"),
    "padding as large as the kernel": (
        lambda: Source(feature="a", weight=weight(1, 1, 3, 3), padding=3),
        r"source.padding must be smaller than the kernel \(3, 3\), not 3",
    ),
    "flatten with a kernel": (
        lambda: Source(feature="a", weight=weight(1, 1, 3, 3), flatten=True),
        "source.weight must be of kernel 1x1 when flatten",
    ),
    "flatten with a stride": (
        lambda: Source(feature="a", weight=weight(1, 1, 1, 1), flatten=True, stride=2),
        "source.stride must be 1 when flatten",
    ),
    "pool 5": (lambda: MaxPool(kernel=5), "pool.kernel must be an integer in 2..4, not 5"),
    "pool overlaps": (
        lambda: MaxPool(kernel=3, stride=2),
        r"pool.stride must be the kernel \(3\), or 2 of kernel 3 with padding 1, not 2",
    ),
    "layer called input": (lambda: layer("input"), "layer.name must be a name, not 'input'"),
    "no source": (lambda: layer(sources=()), "layer 'a': sources must be one or two, or none beside an addend, not 0"),
    "encoding": (lambda: layer(encoding="gray"), "layer 'a': encoding must be one of"),
    "channels": (
        lambda: layer(w=weight(3, 2, 1, 1)),
        "layer 'a': weight of source 'input' must be of 2 output channels",
    ),
    "pool of a readout": (lambda: layer(neuron=READOUT, pool=MaxPool(kernel=2)), "layer 'a': pool must be None"),
    "input levels": (lambda: network(input_levels=256), "network.input_levels must be an integer in 1..255"),
    "signed input": (lambda: network(input_levels=7, input_signed=True), "network.input_levels must be 255, not 7"),
    "signed thermometer": (
        lambda: network(layer(encoding="thermometer"), input_levels=255, input_signed=True),
        "layer 'a': source 'input': encoding must be 'bitplane'",
    ),
    "timesteps": (lambda: network(timesteps=0), "network.timesteps must be an integer of at least 1, not 0"),
    "mode": (lambda: network(input_mode="twice"), "network.input_mode must be one of"),
    "no layers": (lambda: network(layers=()), "network.layers must be at least one layer"),
    "shape": (lambda: network(input_shape=(2, 6)), r"network.input_shape must be \(C, H, W\), not \(2, 6\)"),
    "same name": (lambda: network(layer(), layer()), "layer.name must be unique in the network, not 'a'"),
    "later layer": (
        lambda: network(layer("a", "b"), layer("b")),
        r"layer 'a': source 'b' must be 'input' or an earlier layer \[\], not 'b'",
    ),
    "input channels": (
        lambda: network(layer(w=weight(2, 3, 1, 1))),
        r"layer 'a': source 'input': weight must be of 2 input channels for a feature of shape \(2, 6, 6\)",
    ),
    "kernel too large": (
        lambda: network(layer(w=weight(2, 2, 7, 7))),
        "layer 'a': source 'input': output size must be at least 1x1",
    ),
    "pool too large": (
        lambda: network(layer(w=weight(2, 2, 5, 5), pool=MaxPool(kernel=3))),
        "layer 'a': output size after pooling must be at least 1x1",
    ),
    "join of two sizes": (
        lambda: network(
            layer(
                sources=(
                    Source(feature="input", weight=weight(2, 2, 3, 3)),
                    Source(feature="input", weight=weight(2, 2, 1, 1)),
                )
            )
        ),
        r"layer 'a': output sizes of the sources must be equal, not \[\(4, 4\), \(6, 6\)\]",
    ),
    "reads a readout": (
        lambda: network(layer(neuron=READOUT), layer("b", "a", weight(2, 2, 1, 1))),
        "layer 'b': source 'a' must be a layer that fires",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_networks_are_refused_by_name(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_geometry_drops_the_odd_edges_that_no_pool_covers():
    net = network(layer(pool=MaxPool(kernel=3), w=weight(2, 2, 2, 2)), layer("b", "a", weight(2, 2, 1, 1)))
    assert net.geometry["a"].conv == (5, 5)
    assert net.geometry["a"].computed == (3, 3)
    assert net.geometry["a"].feature == net.feature_shape("a") == (2, 1, 1)
    assert net.feature_shape("input") == (2, 6, 6) and net.feature_levels("b") == 1
    assert net.layer("b").sources[0].feature == "a"
    with pytest.raises(KeyError, match="has no layer 'c'"):
        net.layer("c")


def test_arrays_are_copied_cast_and_read_only():
    given = np.array([[[[1]]], [[[2]]]])
    source = Source(feature="input", weight=given)
    given[:] = 9
    assert source.weight.dtype == np.int8 and source.weight.reshape(-1).tolist() == [1, 2] and source.depth == 1
    with pytest.raises(ValueError, match="read-only"):
        source.weight[0] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.stride = 2


def test_equal_compares_every_field():
    a, b = random_network(3), random_network(3)
    assert a is not b and equal(a, b)
    changed = dataclasses.replace(
        b.layers[1].neuron, bias=b.layers[1].neuron.bias + (np.arange(b.layers[1].channels) == 0)
    )
    other = dataclasses.replace(
        b, layers=(b.layers[0], dataclasses.replace(b.layers[1], neuron=changed), *b.layers[2:])
    )
    assert not equal(a, other)
    assert not equal(a, dataclasses.replace(b, timesteps=b.timesteps + 1))
    assert not equal(a, a.layers[0]) and not equal((1,), (1, 2))
