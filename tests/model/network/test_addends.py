"""Addends: shapes, what is accepted, and what is refused with what words."""

import numpy as np
import pytest

from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool


def conv(feature, inputs, outputs, **fields):
    return Source(feature=feature, weight=np.ones((outputs, inputs, 1, 1), dtype=np.int8), **fields)


X = Layer(name="x", sources=(conv("input", 2, 3),), neuron=Neuron.sum(3, bits=16))
S = Layer(name="s", sources=(), neuron=Neuron.uniform(3), addend="x")
Y = Layer(name="y", sources=(conv("s", 3, 3), conv("input", 2, 3)), neuron=Neuron.sum(3), addend="x")


def network(*layers):
    return Network(name="n", input_shape=(2, 4, 5), input_levels=1, timesteps=2, layers=layers)


def test_shapes_and_what_is_read():
    net = network(X, S, Y)
    assert net.feature_shape("s") == net.feature_shape("y") == (3, 4, 5)
    assert (S.reads, Y.reads, X.reads) == (("x",), ("s", "input", "x"), ("input",))
    assert (net.depth("s"), net.depth("y")) == (0, 5) and (S.channels, S.columns) == (3, 3)
    assert repr(S).startswith("Layer(s: x, ") and " + x, " in repr(Y)


def one(name="a", sources=(), channels=3, addend="x", neuron=None, **fields):
    return Layer(name=name, sources=sources, neuron=neuron or Neuron.uniform(channels), addend=addend, **fields)


TOKENS = Product(feature="s", operand="s", over="tokens")
WRONG = {
    "neither": (lambda: one(addend=None), "layer 'a': sources must be one or two, or none beside an addend, not 0"),
    "no name": (lambda: one(addend=""), "layer 'a': addend must be the name of a layer, not ''"),
    "no text": (lambda: one(addend=3), "layer 'a': addend must be the name of a layer, not 3"),
    "three sources": (
        lambda: one(sources=X.sources * 3),
        "sources must be one or two, or none beside an addend, not 3",
    ),
    "pool": (
        lambda: one(pool=MaxPool(kernel=2)),
        "layer 'a': pool must be None beside an addend, not .*: integers are added in the order of positions; pool in",
    ),
    "shift": (lambda: one(sources=X.sources, shift=8), "layer 'a': shift must be an integer in 0..7, not 8"),
    "shift of no sources": (
        lambda: one(shift=1),
        "layer 'a': shift must be 0 without an addend or sources, not 1: multiply the weights",
    ),
    "shift alone": (
        lambda: one(sources=X.sources, addend=None, shift=1),
        "layer 'a': shift must be 0 without an addend or sources, not 1",
    ),
    "product": (
        lambda: one(sources=(TOKENS,)),
        "layer 'a': addend must be None beside a product, not 'x': add it in the layer behind the product",
    ),
    "later": (lambda: network(S, X), r"layer 's': addend 'x' must be an earlier layer \[\], not 'x'"),
    "itself": (lambda: network(one("x")), r"layer 'x': addend 'x' must be an earlier layer \[\], not 'x'"),
    "the input": (lambda: network(X, one(addend="input")), "addend 'input' must be an earlier layer"),
    "levels": (
        lambda: network(X, S, one(addend="s")),
        "layer 'a': addend 's' must be a layer whose neuron is a sum, not 'if': what is added is a map of integers",
    ),
    "potentials": (
        lambda: network(Layer(name="x", sources=X.sources, neuron=Neuron.readout(3)), S),
        "layer 's': addend 'x' must be a layer whose neuron is a sum, not 'readout'",
    ),
    "channels": (
        lambda: network(X, one(channels=4)),
        "layer 'a': addend 'x': channels must be 4, as the layer has, not 3",
    ),
    "positions": (
        lambda: network(X, S, one(sources=(conv("s", 3, 3, stride=2),))),
        r"layer 'a': output sizes of the sources and of the addend must be equal, not \[\(2, 3\), \(4, 5\)\]",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_addends_are_refused_by_name(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()
