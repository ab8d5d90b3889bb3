"""Kernels with zeros in between, concatenation of channels, pools that overlap: exact before rounding, and compiled.

``ptq.quantize`` compares each spike with the module's own forward pass in float64 before anything is rounded.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reprise.compiler.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.export import ptq
from reprise.export.nn.neurons import MultiLevelIF
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER, SEED, Net

torch.set_num_threads(1)
IMAGES = np.random.default_rng(SEED).integers(0, 17, (2, 2, 8, 7)).astype(np.uint8)


def fires(levels=4, timesteps=1):
    return MultiLevelIF(levels, timesteps, threshold=1.0)


def conv(c_in, c_out, kernel=3, padding=1, **options):
    return nn.Conv2d(c_in, c_out, kernel, padding=padding, **options)


def kernel(**options):
    return lambda: nn.Sequential(nn.Conv2d(2, 4, **options), fires(), conv(4, 10, 1, 0))


def branches(f, **modules):
    """Two branches over the image, of 3 and 5 channels and of 4 and 2 levels."""
    parts = dict(one=conv(2, 3), n1=fires(), two=conv(2, 5), n2=fires(2), last=conv(8, 10, 1, 0))
    return lambda: Net(lambda m, x: f(m, torch.cat([m.n1(m.one(x)), m.n2(m.two(x))], 1)), **{**parts, **modules})


def block(m, x, i):
    return torch.cat([x, getattr(m, f"n{i}")(getattr(m, f"c{i}")(x))], 1)


def flattened(m, x):
    parts = torch.flatten(m.n1(m.one(x)), 1), m.n2(m.two(x)).flatten(1)
    return m.last(torch.cat(parts, dim=1))


KERNELS = {
    "rows of three": (kernel(kernel_size=(1, 3), padding=(0, 1)), (3, 3)),
    "rows of three without padding": (kernel(kernel_size=(1, 3)), (1, 3)),
    "three by five with the padding of one": (kernel(kernel_size=(3, 5), padding=1), (3, 5)),
    "three by five": (kernel(kernel_size=(3, 5), padding="same"), (5, 5)),
    "three by five, strided": (kernel(kernel_size=(3, 5), padding=(1, 2), stride=2), (5, 5)),
    "padding of rows alone": (kernel(kernel_size=3, padding=(1, 0)), (3, 5)),
    "an even one": (kernel(kernel_size=4, padding="same"), (5, 5)),
    "grouped": (kernel(kernel_size=(3, 1), padding=(1, 0), groups=2), (3, 3)),
    "dilation": (kernel(kernel_size=3, dilation=2), (5, 5)),
    "dilation of columns": (kernel(kernel_size=3, dilation=(1, 3)), (3, 7)),
}
CONCAT = {
    "two maps": branches(lambda m, z: m.last(z)),
    "a grouped reader": branches(lambda m, z: m.last(z), last=conv(8, 10, groups=2)),
    "a pool behind": branches(lambda m, z: m.last(F.max_pool2d(z, 2))),
    "an average pool behind": branches(lambda m, z: m.last(F.avg_pool2d(z, 2))),
    "an addition behind": branches(lambda m, z: m.last(m.n3(m.more(z) + z)), more=conv(8, 8), n3=fires()),
    "a linear layer behind": branches(lambda m, z: m.last(torch.flatten(z, 1)), last=nn.Linear(448, 10)),
    "at the end": branches(lambda m, z: z),
    "pools in front": lambda: Net(
        lambda m, x: m.last(torch.cat([F.max_pool2d(m.n1(m.one(x)), 2), F.avg_pool2d(m.n2(m.two(x)), 2)], -3)),
        **dict(one=conv(2, 3), n1=fires(), two=conv(2, 5), n2=fires(2), last=conv(8, 10)),
    ),
    "the image": lambda: Net(
        lambda m, x: m.last(m.n2(m.two(torch.concat((m.n1(m.one(x)), x), dim=1)))),
        **dict(one=conv(2, 3), n1=fires(), two=conv(5, 4), n2=fires(), last=conv(4, 10, 1, 0)),
    ),
    "three, as in a dense block": lambda: Net(
        lambda m, x: m.last(block(m, block(m, m.n0(m.c0(x)), 1), 2)),
        **dict(c0=conv(2, 4), n0=fires(), c1=conv(4, 4), n1=fires(), c2=conv(8, 4), n2=fires(2), last=conv(12, 10)),
    ),
    "flattened maps of two sizes": lambda: Net(
        flattened,
        **dict(one=conv(2, 3, 3, 0, stride=2), n1=fires(), two=conv(2, 5), n2=fires(), last=nn.Linear(307, 10)),
    ),
    "currents of one map": lambda: Net(
        lambda m, x: m.last(m.neuron(m.norm(torch.cat([m.one(x), m.three(x), m.five(x)], 1)))),
        **dict(one=conv(2, 4, 1, 0), three=conv(2, 4, bias=False), five=conv(2, 4, 5, 2), norm=nn.BatchNorm2d(12)),
        **dict(neuron=fires(), last=conv(12, 10)),
    ),
    "currents of two maps": lambda: Net(
        lambda m, x: m.last(m.n2(torch.cat([m.two(x), m.three(m.n1(m.one(x)))], 1))),
        **dict(one=conv(2, 4), n1=fires(), two=conv(2, 4), three=conv(4, 4, groups=2), n2=fires(), last=conv(8, 10)),
    ),
}
POOLS = {
    "3x3 by 2": (nn.MaxPool2d(3, 2, 1), 1),
    "3x3 by 2 over time": (nn.MaxPool2d(3, 2, 1), 3),
    "3x3 by 1 over time": (nn.MaxPool2d(3, 1, 1), 3),
    "with ceil_mode and nothing over": (nn.MaxPool2d((3, 3), 1, 1, ceil_mode=True), 1),
}


def quantized(make, timesteps=1):
    torch.manual_seed(SEED)
    module = make().double().eval()
    graph = ptq.graph_of(module, timesteps=timesteps)
    return ptq.quantize(graph, IMAGES, PAPER, name="n", timesteps=timesteps, input_levels=16)


def assert_runs_as_compiled(network):
    image, expected = (
        compile_network(network, PAPER, 1, keep_features=True),
        run(network, IMAGES[:1], record=("features", "potentials")),
    )
    memory = interpret(image, IMAGES[:1])
    for key in ("input", *(entry.feature for entry in image.layers)):
        feature = image.features[key]
        want = (expected.potentials if feature.kind == "potentials" else expected.features)[feature.name]
        assert np.array_equal(image.read_feature_map(memory, key), want), key


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_a_kernel_with_zeros_gives_the_same_sums(kind):
    make, (h, w) = KERNELS[kind]
    found, (kh, kw) = quantized(make), make()[0].kernel_size
    assert found.network.layers[0].sources[0].weight.shape[2:] == (h, w)
    told = f"is computed as {h}x{w} with zeros: {h * w} products in place of {kh * kw}"
    assert any(told in change for change in found.changes) == ((h, w) != (kh, kw))
    if kind in ("dilation of columns", "rows of three without padding"):
        assert_runs_as_compiled(found.network)


@pytest.mark.parametrize("kind", CONCAT)
def test_concatenation_is_exact(kind):
    network = quantized(CONCAT[kind]).network
    if kind in ("three, as in a dense block", "flattened maps of two sizes", "currents of two maps"):
        assert_runs_as_compiled(network)


def test_maps_that_are_read_apart_cost_no_layer():
    """A copying layer is there only for readers that need one map."""
    names = [[y.name for y in quantized(CONCAT[kind]).network.layers] for kind in ("two maps", "a pool behind")]
    assert names == [["one", "two", "last"], ["one", "two", "cat", "last"]]
    (inception,) = quantized(CONCAT["currents of one map"]).network.layers[0].sources
    assert inception.weight.shape == (12, 2, 5, 5)


@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_that_overlaps_is_a_layer_of_its_own_or_behind_one(kind):
    pool, timesteps = POOLS[kind]
    found = quantized(lambda: nn.Sequential(conv(2, 4), fires(1, timesteps), pool, conv(4, 10, 1, 0)), timesteps)
    assert len(found.network.layers) == (2 if "by 2" in kind else 3)
    if kind == "3x3 by 2 over time":
        assert_runs_as_compiled(found.network)
