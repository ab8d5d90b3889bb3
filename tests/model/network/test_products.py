"""Products of two maps and sums: shapes, what is accepted, and what is refused with what words."""

import numpy as np
import pytest

from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool


def one(name, feature, channels, neuron):
    weight = np.ones((neuron.channels, channels, 1, 1), dtype=np.int8)
    return Layer(name=name, sources=(Source(feature=feature, weight=weight),), neuron=neuron)


def product(name, feature, operand, over, heads, neuron, **fields):
    return Layer(
        name=name,
        sources=(Product(feature=feature, operand=operand, over=over, heads=heads),),
        neuron=neuron,
        **fields,
    )


K, V, Q = (one(name, "input", 2, Neuron.uniform(n)) for name, n in (("k", 6), ("v", 4), ("q", 6)))
G = product("g", "k", "v", "tokens", 2, Neuron.sum(2, bits=8))
A = product("a", "q", "g", "channels", 2, Neuron.uniform(4))


def network(*layers, **fields):
    return Network(**dict(name="n", input_shape=(2, 4, 5), input_levels=1, timesteps=2, layers=layers) | fields)


def test_shapes_of_attention():
    net = network(K, V, Q, G, A)
    assert net.feature_shape("g") == (2, 2, 3)  # dv, heads, d
    assert net.feature_shape("a") == (4, 4, 5)  # heads * dv
    assert net.geometry["a"].conv == net.geometry["a"].computed == (4, 5)
    assert [net.feature_bits(name) for name in ("input", "k", "g", "a")] == [0, 0, 8, 0]
    assert net.feature_levels("g") == 0 and (net.depth("g"), net.depth("a"), net.depth("k")) == (20, 3, 2)
    assert G.reads == ("k", "v") and G.convolutions == () and K.product is None and (G.columns, A.columns) == (2, 2)
    readout = network(K, one("r", "k", 6, Neuron.readout(2)))
    assert readout.feature_bits("r") == 0


def test_a_sum_has_fields_of_its_own():
    neuron = Neuron.sum(3, bits=16, shift=4, bias=np.array([1, 2, 3]))
    assert (neuron.bits, neuron.shift, neuron.fires, neuron.levels) == (16, 4, False, 0)
    assert neuron.integers == (-32768, 32767) and not neuron.leak.any() and neuron.bias.tolist() == [1, 2, 3]
    assert "int16, shift 4" in repr(neuron)
    fires = Neuron.uniform(2)
    assert (fires.bits, fires.shift, fires.fires) == (32, 0, True) and not Neuron.readout(2).fires


def changed(**fields):
    kept = ("kind", "levels", "reset", "threshold", "bias", "v0", "leak", "bits", "shift")
    return Neuron(**{name: getattr(Neuron.sum(2, bits=8), name) for name in kept} | fields)


SIGNED = dict(input_levels=255, input_signed=True)
WRONG = {
    "bits": (lambda: changed(bits=12), r"neuron.bits must be one of \(8, 16, 32\), not 12: maps have whole bytes"),
    "shift": (lambda: changed(shift=32), "neuron.shift must be an integer in 0..31, not 32"),
    "leak": (lambda: changed(leak=np.array([0, 256])), "neuron.leak must be 0 for a sum, not 256: a sum keeps nothing"),
    "v0": (lambda: changed(v0=np.array([0, 5])), "neuron.v0 must be 0 for a sum, not 5"),
    "threshold": (lambda: changed(threshold=np.array([1, 2])), "neuron.threshold must be 1 for a sum, not 2: a sum is"),
    "levels": (lambda: changed(levels=3), "neuron.levels must be 0 for a sum, not 3: a sum never fires"),
    "reset": (lambda: changed(reset="soft"), "neuron.reset must be 'none' for a sum, not 'soft'"),
    "bits of an IF": (
        lambda: changed(kind="if", levels=1, leak=np.array([256, 256])),
        "neuron.bits must be 32 for kind",
    ),
    "shift of a readout": (
        lambda: changed(kind="readout", leak=np.array([256, 256]), bits=32, shift=1),
        "neuron.shift must be 0 for kind 'readout', not 1: only a sum is shifted",
    ),
    "pool of a sum": (
        lambda: Layer(name="a", sources=K.sources, neuron=Neuron.sum(6), pool=MaxPool(kernel=2)),
        "layer 'a': pool must be None, not .*: a sum has no levels to pool",
    ),
    "pool behind a product": (
        lambda: product("a", "k", "v", "tokens", 2, Neuron.uniform(2), pool=MaxPool(kernel=2)),
        "layer 'a': pool must be None behind a product, not .*: pool its operands instead",
    ),
    "product and source": (
        lambda: Layer(name="a", sources=(*G.sources, *K.sources), neuron=Neuron.uniform(6)),
        "layer 'a': sources must be one, as one is a product, not 2",
    ),
    "over": (lambda: product("a", "k", "v", "heads", 2, Neuron.uniform(2)), "product.over must be 'tokens' or 'chan"),
    "heads 0": (lambda: product("a", "k", "v", "tokens", 0, Neuron.uniform(2)), "product.heads must be an integer of"),
    "no operand": (lambda: Product(feature="k", operand="", over="tokens"), "product.operand must be a name, not ''"),
    "later operand": (lambda: network(K, G), r"layer 'g': operand 'v' must be an earlier layer \['k'\], not 'v'"),
    "input as operand": (
        lambda: network(K, product("g", "k", "input", "tokens", 2, Neuron.uniform(1))),
        r"layer 'g': operand 'input' must be an earlier layer \['k'\], not 'input': a map in memory",
    ),
    "signed rows": (
        lambda: network(V, product("g", "input", "v", "tokens", 2, Neuron.uniform(2)), **SIGNED),
        "layer 'g': source 'input' must be unsigned in a product, not 'signed'",
    ),
    "potentials as operand": (
        lambda: network(K, one("v", "input", 2, Neuron.readout(4)), G),
        "layer 'g': operand 'v' must be a sum or a layer that fires, not 'v': no potentials",
    ),
    "wide operand": (
        lambda: network(K, one("v", "input", 2, Neuron.sum(4, bits=16)), G),
        "layer 'g': operand 'v': bits must be 8, not 16: its integers take the place of weights.*give the sum 8 bits",
    ),
    "levels 128": (
        lambda: network(K, one("v", "input", 2, Neuron.uniform(4, levels=128)), G),
        "layer 'g': operand 'v': levels must be at most 127, not 128",
    ),
    "sum as rows": (
        lambda: network(K, V, G, one("b", "g", 2, Neuron.uniform(2))),
        "layer 'b': source 'g' must be a layer that fires, not 'g': a sum writes.*put a neuron that fires in front",
    ),
    "sum as rows of a product": (
        lambda: network(one("k", "input", 2, Neuron.sum(6, bits=8)), V, G),
        "layer 'g': source 'k' must be a layer that fires, not 'k': a sum writes integers",
    ),
    "heads of the feature": (
        lambda: network(K, V, product("g", "k", "v", "tokens", 4, Neuron.sum(1, bits=8))),
        "product of 'k' and 'v': heads must be a divisor of the feature's 6 channels, not 4",
    ),
    "heads of the operand": (
        lambda: network(K, V, product("g", "k", "v", "tokens", 3, Neuron.sum(1, bits=8))),
        "product of 'k' and 'v': heads must be a divisor of the operand's 4 channels, not 3",
    ),
    "other positions": (
        lambda: network(K, Layer(name="v", sources=V.sources, neuron=V.neuron, pool=MaxPool(kernel=2)), G),
        r"product of 'k' and 'v': shape of the operand must be \(C, 4, 5\), .* not \(4, 2, 2\)",
    ),
    "no matrix for each head": (
        lambda: network(K, V, Q, product("a", "q", "v", "channels", 2, Neuron.uniform(8))),
        r"product of 'q' and 'v': shape of the operand must be \(dv, 2, 3\), .* not \(4, 4, 5\): a product over tokens",
    ),
    "channels": (
        lambda: network(K, V, product("g", "k", "v", "tokens", 2, Neuron.sum(4, bits=8))),
        "layer 'g': channels of the neuron must be 2, as the product has, not 4",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_products_are_refused_by_name(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()
