"""Joins behind neurons: what they read, their level, and what is refused with what words."""

import numpy as np
import pytest

from reprise.model.files import network_file
from reprise.model.inference.runner import run
from reprise.model.network.join import Join
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool


def conv(feature, inputs=2, outputs=2, **fields):
    return Source(feature=feature, weight=np.ones((outputs, inputs, 1, 1), dtype=np.int8), **fields)


A = Layer(name="a", sources=(conv("input"),), neuron=Neuron.uniform(2, levels=3))


def joined(feature="a", levels=4, source="a", neuron=None, **fields):
    neuron = neuron or Neuron.uniform(2, levels=2, threshold=2)
    return Layer(name="b", sources=(conv(source),), neuron=neuron, join=Join(feature=feature, levels=levels), **fields)


def network(*layers):
    return Network(name="n", input_shape=(2, 3, 4), input_levels=1, timesteps=1, layers=layers)


def test_levels_are_added_behind_the_neurons_and_clipped():
    """Both channels of the input are 1: a fires 2, of which b's neurons fire 2, and so 4 in all."""
    image = np.ones((2, 3, 4), np.int64)
    for levels, expected in ((9, 4), (4, 4), (3, 3), (1, 1)):
        net = network(A, joined(levels=levels))
        result = run(net, image, record=("features",))
        assert (result.features["a"] == 2).all() and (result.features["b"] == expected).all()
        assert net.feature_levels("b") == levels and net.layer("b").neuron.levels == 2


def test_what_is_read_and_how_it_is_shown():
    one = joined(source="input")
    assert (one.reads, one.rows, one.levels, A.levels) == (("input", "a"), ("input",), 4, 3)
    assert "Join(a, N=4)" in repr(one) and "Join" not in repr(A)


TOKENS = Product(feature="a", operand="a", over="tokens")
SUM, READOUT = Neuron.sum(2), Neuron.readout(2)
WRONG = {
    "no name": (lambda: joined(""), "join.feature must be the name of a layer, not ''"),
    "the input": (lambda: joined("input"), "join.feature must be the name of a layer, not 'input'"),
    "no level": (lambda: joined(levels=0), "join.levels must be an integer in 1..255, not 0: levels are stored in 8"),
    "too many": (lambda: joined(levels=256), "join.levels must be an integer in 1..255, not 256"),
    "pool": (lambda: joined(pool=MaxPool(kernel=2)), "layer 'b': join must be None beside a pool, a product, or"),
    "sum": (lambda: joined(neuron=SUM), "layer 'b': join must be None .*: levels are added in the order of positions"),
    "readout": (lambda: joined(neuron=READOUT), "layer 'b': join must be None beside"),
    "later": (lambda: network(joined(source="input"), A), r"join with 'a' must be an earlier layer \[\], not 'a'"),
    "itself": (lambda: network(A, joined("b")), r"join with 'b' must be an earlier layer \['a'\], not 'b'"),
    "no levels": (
        lambda: network(Layer(name="a", sources=(conv("input"),), neuron=SUM), joined(source="input")),
        "layer 'b': join with 'a' must be a layer that fires, not 'sum': levels are added to levels",
    ),
    "shape": (
        lambda: network(A, Layer(name="c", sources=(conv("input", 2, 3),), neuron=Neuron.uniform(3)), joined("c")),
        r"layer 'b': join with 'c': shape must be \(2, 3, 4\), as the layer writes, not \(3, 3, 4\)",
    ),
    "product": (
        lambda: Layer(name="b", sources=(TOKENS,), neuron=Neuron.uniform(2), join=Join(feature="a", levels=1)),
        "layer 'b': join must be None beside a pool, a product",
    ),
    "file": (
        lambda: network_file.save(network(A, joined()), "never.yaml"),
        "layer 'b': join must be None in a network file, not .*: the compiler makes joins of two layers",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_joins_are_refused_by_name(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()
