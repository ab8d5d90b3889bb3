"""Masks: what is accepted, and what is refused with what words."""

import numpy as np
import pytest

from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron


def conv(feature, inputs=3, outputs=3, kernel=1, **fields):
    return Source(feature=feature, weight=np.ones((outputs, inputs, kernel, kernel), dtype=np.int8), **fields)


def layer(name, *sources, levels=1, **fields):
    return Layer(name=name, sources=sources, neuron=Neuron.uniform(3, levels=levels), **fields)


Q, K = layer("q", conv("input", 2)), layer("k", conv("input", 2))
KV = layer("kv", conv("k", kernel=4, mask="q"))
MANY = layer("many", conv("input", 2), levels=3)
FEW = layer("few", conv("input", 2, outputs=3, stride=2))


def network(*layers, **fields):
    given = dict(name="n", input_shape=(2, 4, 4), input_levels=1, timesteps=2, layers=layers)
    return Network(**given | fields)


def test_shapes_and_what_is_read():
    net = network(Q, K, KV, layer("o", conv("q", mask="kv")))
    assert net.feature_shape("kv") == (3, 1, 1) and net.feature_shape("o") == (3, 4, 4)
    assert KV.reads == KV.rows == ("k", "q") and Q.rows == ("input",)
    assert "k where q" in repr(KV)
    network(Q, MANY, layer("o", conv("q", mask="many"), encoding="thermometer"))
    network(layer("o", conv("input", 2, mask="input")))


WRONG = {
    "no name": (lambda: conv("q", mask=""), "source.mask must be a name or None, not ''"),
    "no text": (lambda: conv("q", mask=3), "source.mask must be a name or None, not 3"),
    "a join": (
        lambda: layer("o", conv("q", mask="k"), conv("k")),
        "layer 'o': sources must be one, as it has a mask, not 2: a mask takes the place of the second map",
    ),
    "later": (lambda: network(KV, Q), "layer 'kv': source 'k' must be 'input' or an earlier layer"),
    "unknown": (lambda: network(Q, layer("o", conv("q", mask="z"))), "source 'z' must be 'input' or an earlier layer"),
    "shape": (
        lambda: network(Q, FEW, layer("o", conv("q", mask="few"))),
        r"layer 'o': mask 'few': shape must be \(3, 4, 4\), as the feature has, or \(3, 1, 1\), a level for each"
        r" channel, not \(3, 2, 2\)",
    ),
    "channels": (
        lambda: network(Q, layer("o", conv("q", mask="input"))),
        r"layer 'o': mask 'input': shape must be \(3, 4, 4\), .*, not \(2, 4, 4\)",
    ),
    "bit planes": (
        lambda: network(Q, MANY, layer("o", conv("q", mask="many"))),
        "layer 'o': mask 'many': encoding must be 'thermometer' for levels above 1, not 'bitplane'",
    ),
    "signed": (
        lambda: network(layer("o", conv("input", 2, mask="input")), input_signed=True, input_levels=255),
        "layer 'o': mask 'input': input must be unsigned, not 'signed': planes are combined one by one",
    ),
    "integers": (
        lambda: network(
            Q, Layer(name="x", sources=(conv("input", 2),), neuron=Neuron.sum(3)), layer("o", conv("q", mask="x"))
        ),
        "source 'x' must be a layer that fires, not 'x': a sum writes integers",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_masks_are_refused_by_name(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()
