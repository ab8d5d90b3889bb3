"""What is refused of membrane shortcuts, by name and with a remedy."""

from functools import partial

import pytest
from torch import nn

from reprise.export.nn.attention import SpikingSelfAttention
from reprise.export.nn.membrane import MembraneStream
from reprise.export.nn.neurons import MultiLevelIF
from reprise.export.trace.graph import UnsupportedError
from reprise.export.trace.lower import prepare
from tests.support.export_helpers import Net

SHAPE = (1, 6, 6)
ONE = dict(conv=nn.Conv2d(1, 4, 1), n=MultiLevelIF(4), b=nn.Conv2d(4, 4, 1), fc=nn.Linear(4 * 36, 3))
MORE = dict(n2=MultiLevelIF(3), c=nn.Conv2d(4, 4, 1), n3=MultiLevelIF(2), n4=MultiLevelIF(2))


def ended(m, x):
    return m.fc(m.n4(x).flatten(1))


def attention(**options):
    return SpikingSelfAttention(4, 1, neuron=MultiLevelIF, attention=partial(MultiLevelIF, threshold=4.0), **options)


def stream(then):
    def f(m, x):
        x = m.conv(x)
        x = m.s(x, m.b(m.n(x)))
        return ended(m, then(m, x))

    return f


REFUSED = {
    "a convolution": (
        stream(lambda m, x: m.s2(x, m.c(x))),
        "c: conv reads a current that no neuron has turned into spikes; put a neuron between the two",
    ),
    "an average": (
        stream(lambda m, x: m.s2(x, m.c(m.n2(x))) + m.d(m.n3(m.avg(x)))),
        "avg: avgpool reads a stored current; put a neuron in front",
    ),
    "a factor": (
        stream(lambda m, x: m.s2(0.5 * x, m.c(m.n2(x)))),
        "mul: scale reads a stored current; put a neuron in front",
    ),
    "the end": (
        lambda m, x: m.s2(y := m.s(z := m.conv(x), m.b(m.n(z))), m.c(m.n2(y))),
        r"\(output\): the network ends with a stored current; put a neuron in front and a Linear behind it",
    ),
    "two of them": (
        stream(lambda m, x: m.s2((y := x + m.c(m.n2(x))), x) + m.d(m.n3(y))),
        "s2: adds two currents that are stored; a layer adds one to what its weights give; put a neuron and a",
    ),
    "bits": (
        stream(lambda m, x: m.wide(x, m.c(m.n2(x)))),
        "wide: adds with 32 bits to a stream of 16; use the same bits in all of it",
    ),
    "a norm of it": (
        stream(lambda m, x: m.s2(m.norm(x), m.c(m.n2(x)))),
        "s2: adds to a batch norm of a stored current; put a neuron and a convolution behind the batch norm",
    ),
    "attention": (
        stream(lambda m, x: m.s2(x, m.ssa.products(s := m.n2(x), s, s))),
        "s2: an addition to what attention gives, in front of its neuron; put a neuron first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    f, message = REFUSED[name]
    own = dict(s=MembraneStream(), s2=MembraneStream(), wide=MembraneStream(32), norm=nn.BatchNorm2d(4))
    own |= dict(avg=nn.AvgPool2d(2), d=nn.Conv2d(4, 4, 1), ssa=attention(current=True))
    with pytest.raises(UnsupportedError, match=message):
        prepare(Net(f, **ONE, **MORE, **own), input_shape=SHAPE)


def test_what_needs_one_or_more_tensors_says_so():
    with pytest.raises(UnsupportedError, match="s: is called with 1 inputs; give it two tensors"):
        prepare(Net(lambda m, x: m.s(m.conv(x)), s=MembraneStream(), **ONE), input_shape=SHAPE)
    with pytest.raises(ValueError, match=r"bits must be one of \(8, 16, 32\), not 12"):
        MembraneStream(12)
