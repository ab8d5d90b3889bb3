"""Residual joins as integers: PyTorch against the NumPy model, and against what the module computes."""

import math
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from reprise.compiler.rows.joins import joins_behind
from reprise.export.nn.neurons import Barrier, MultiLevelIF
from reprise.export.nn.zoo import build
from reprise.export.trace.joins import add_currents, integers_of
from reprise.export.trace.lower import prepare
from reprise.export.trace.values import Feature
from reprise.hw.arch.config import HardwareConfig
from tests.support.export_helpers import SEED, assert_agrees, pixels, settle

torch.set_num_threads(1)


class Joined(nn.Module):
    """conv -> sn -> (conv + identity) -> barrier, with a shortcut whose levels exceed the main path's."""

    def __init__(self, levels):
        super().__init__()
        self.conv1, self.sn1 = nn.Conv2d(1, 4, 3, padding=1), MultiLevelIF(200, threshold=20.0)
        self.conv2, self.sn2 = nn.Conv2d(4, 4, 3, padding=1), MultiLevelIF(levels, threshold=2.0)
        self.barrier, self.fc = Barrier(5, threshold=3.0, v0=0.5), nn.Linear(4 * 25, 3)

    def forward(self, x):
        x = self.sn1(self.conv1(x))
        return self.fc(torch.flatten(self.barrier(self.sn2(self.conv2(x)) + x), 1))


@pytest.mark.parametrize(("join", "barrier"), [("spiking", None), ("sew", None), ("sparse", None), ("sparse", 2)])
@pytest.mark.parametrize(("levels", "timesteps"), [(4, 1), (1, 2)])
def test_residual_joins(join, barrier, levels, timesteps):
    size = dict(width=4, blocks=2, barrier_levels=barrier, barrier_surrogate="clipped" if barrier else "identity")
    module, _ = build(f"resnet-{join}", levels=levels, timesteps=timesteps, seed=SEED, **size)
    shape = (3, 12, 12)
    net = settle(prepare(module, input_shape=shape, timesteps=timesteps), pixels(shape))
    network = assert_agrees(net, shape, count=3)
    joined = [layer.neuron.levels for layer in network.layers if len(layer.sources) == 2]
    piled = {"spiking": {levels}, "sew": {levels * n for n in (2, 3)}, "sparse": {barrier or levels}}
    assert set(joined) == piled[join]
    # Behind neurons are those whose sum never exceeds the largest level, or whose clip is forgotten, as with T = 1.
    _, behind = joins_behind(network, HardwareConfig.load("small-t"))
    adding = {
        layer.name: sum(map(network.feature_levels, layer.rows)) <= layer.levels
        for layer in network.layers
        if len(layer.sources) == 2 and join != "spiking"
    }
    assert set(behind) == {name for name, fits in adding.items() if fits or timesteps == 1}
    assert join != "sew" or all(adding.values())


def test_sew_join_adds_levels_exactly():
    module, _ = build("resnet-sew", levels=2, timesteps=2, width=4, blocks=1, seed=SEED)
    net = settle(prepare(module, input_shape=(3, 8, 8), timesteps=2), pixels((3, 8, 8)))
    maps, _ = net.trace(pixels((3, 8, 8)))
    join = next(layer for layer in net.layers if layer.fixed)
    a, b = (maps[s.feature] for s in join.specs)
    assert torch.equal(maps[join.name], a + b) and (a + b).max() > 2


def test_barriers_that_halve_give_the_rounded_mean_of_both_sides():
    module, _ = build("resnet-sparse", levels=4, timesteps=1, width=4, blocks=1, barrier=2, seed=SEED)
    net = settle(prepare(module, input_shape=(3, 8, 8)), pixels((3, 8, 8)))
    maps, _ = net.trace(pixels((3, 8, 8)))
    join = next(layer for layer in net.layers if layer.fixed)
    a, b = (maps[s.feature] for s in join.specs)
    assert torch.equal(maps[join.name], ((a + b + 1) / 2).floor()) and (a + b).max() > 2
    assert_agrees(net, (3, 8, 8))


@pytest.mark.parametrize(
    "product", [lambda x: x * -0.5, lambda x: x * x, lambda x: 1 / x, lambda x: x * 0, lambda x: x - 1]
)
def test_products_that_do_not_exist_are_refused(product):
    class Scaled(Joined):
        def forward(self, x):
            x = self.sn1(self.conv1(x))
            return self.fc(torch.flatten(self.barrier(self.sn2(self.conv2(x)) + product(x)), 1))

    with pytest.raises(
        ValueError, match="(mul|truediv|sub).*additions of two maps and products with a positive number"
    ):
        prepare(Scaled(100), input_shape=(1, 5, 5))


@pytest.mark.parametrize(
    ("product", "weights", "step"),
    [(lambda x: x * 2, [1, 2], 3), (lambda x: 0.25 * x, [4, 1], 12), (lambda x: x / 0.1, [1, 10], 3)],
)
def test_joins_of_unequal_units_are_exact(product, weights, step):
    class Scaled(Joined):
        def forward(self, x):
            x = self.sn1(self.conv1(x))
            return self.fc(torch.flatten(self.barrier(self.sn2(self.conv2(x)) + product(x)), 1))

    torch.manual_seed(SEED)
    network = assert_agrees(prepare(Scaled(100), input_shape=(1, 5, 5)).eval(), (1, 5, 5))
    join = network.layer("add")
    assert [s.weight.max() for s in join.sources] == weights and join.neuron.threshold.tolist() == [step] * 4


def test_barrier_with_step_three():
    torch.manual_seed(SEED)
    net = prepare(Joined(100), input_shape=(1, 5, 5)).eval()
    network = assert_agrees(net, (1, 5, 5))
    assert network.layer("add").neuron.threshold.tolist() == [3] * 4


def test_pooled_maps_add_their_windows():
    class Pooled(Joined):
        def __init__(self, levels):
            super().__init__(levels)
            self.sn1 = MultiLevelIF(4, threshold=20.0)
            self.pool1, self.pool2, self.fc = nn.AvgPool2d(2), nn.AvgPool2d(2), nn.Linear(4 * 4, 3)

        def forward(self, x):
            x = self.sn1(self.conv1(x))
            return self.fc(torch.flatten(self.pool1(self.sn2(self.conv2(x))) + self.pool2(x), 1))

    torch.manual_seed(SEED)
    net = prepare(Pooled(4), input_shape=(1, 5, 5)).eval()
    maps, _ = net.trace(pixels((1, 5, 5)))
    a, b = (4 * avg_pool2d(maps[s.feature][0], 2)[None] for s in net.layers[2].specs)
    assert torch.equal(maps["add"], a + b) and (a + b).max() > 8
    network = assert_agrees(net, (1, 5, 5))
    assert network.layer("add").neuron.levels == 32
    with pytest.raises(ValueError, match="add: the sum of spikes reaches level 416"):
        prepare(Pooled(100), input_shape=(1, 5, 5))


def test_sum_of_spikes_beyond_255_is_refused():
    class Piled(Joined):
        def forward(self, x):
            x = self.sn1(self.conv1(x))
            return self.fc(torch.flatten(self.sn2(self.conv2(x)) + x, 1))

    with pytest.raises(ValueError, match="add: the sum of spikes reaches level 300.*Barrier"):
        prepare(Piled(100), input_shape=(1, 5, 5))


@pytest.mark.parametrize(
    ("factor", "threshold", "v0", "weights", "step"),
    [
        (1, 3.0, 0.5, [1, 1], 3),
        (1, 1.5, 0.0, [2, 2], 3),
        (2, 1.5, 0.5, [2, 4], 3),
        (1 / 3, 0.5, 0.0, [6, 2], 3),
        (0.5, 0.7, 0.5, [10, 5], 7),
    ],
)
def test_barriers_compute_what_the_module_computes(factor, threshold, v0, weights, step):
    """Levels of a join for all pairs of levels; floating point of the module in exact fractions."""

    class Scaled(Joined):
        def forward(self, x):
            x = self.sn1(self.conv1(x))
            return self.fc(torch.flatten(self.barrier(self.sn2(self.conv2(x)) + x * factor), 1))

    torch.manual_seed(SEED)
    module = Scaled(100)
    module.barrier = Barrier(9, threshold=threshold, v0=v0)
    join = prepare(module, input_shape=(1, 5, 5)).eval().layers[2]
    assert [w.max() for w in join.weights] == weights and join.constants(join.scale())[0].tolist() == [step] * 4
    a, x = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
    ours = join([v.expand(1, 1, 4, 7, 7) for v in (a, x)])[0, 0, 0]
    exact = [[floor_of(i, j, factor, threshold, v0) for j in range(7)] for i in range(7)]
    assert ours.tolist() == exact


def floor_of(a, x, factor, threshold, v0):
    """clip(floor((a + factor x) / threshold + v0), 0, 9) in fractions."""
    factor, threshold = (Fraction(v).limit_denominator(100) for v in (factor, threshold))
    return min(max(math.floor((a + factor * x) / threshold + Fraction(v0)), 0), 9)


@pytest.mark.parametrize(
    ("units", "threshold", "found"),
    [
        ((2.0, -1.0), None, ([], 0.0)),  # not positive: weights of their own, trained or rounded to int8
        ((1.0, 0.0), None, ([], 0.0)),
        ((1.0, 0.3), None, ([], 0.3)),  # no whole ratio
        ((1.0, 0.005), None, ([], 0.005)),  # beyond 127
        ((0.3, 38.1), None, ([1, 127], 0.3)),
        ((1.0, 1.0), torch.tensor([0.5, 1.25]), ([4, 4], 0.25)),  # a threshold a channel
        ((1.0, 1.0), math.sqrt(2), ([127, 127], 1 / 127)),  # none is whole: the finest steps
    ],
)
def test_integer_weights_of_units(units, threshold, found):
    features = [Feature(name=f"map{n}", shape=(2, 3, 3), levels=4, unit=unit) for n, unit in enumerate(units)]
    weights, unit = integers_of(add_currents("join", *features), threshold)
    assert (weights, unit) == (found[0], pytest.approx(found[1]))
