"""Which rounding changes the spikes: each cause alone, against a network in which only that is not exact."""

import numpy as np
import pytest
import torch
from torch import nn

from reprise.export import explain, ptq
from reprise.export.nn.neurons import MultiLevelIF, MultiLevelLIF
from reprise.export.qat.specs import ROUNDINGS
from reprise.export.trace.lower import prepare
from tests.support.export_helpers import PAPER

torch.set_num_threads(1)
T = 6
IMAGES = np.random.default_rng(4).integers(0, 17, (8, 1, 8, 8)).astype(np.uint8)


def network(leak=200, whole=False):
    torch.manual_seed(5)
    first = MultiLevelLIF(1, T, leak=leak, threshold=20.0, v0=0.0)
    parts = [nn.Conv2d(1, 4, 3, bias=False), first, nn.Flatten(), nn.Linear(144, 30), MultiLevelIF(1, T, v0=0.0)]
    net = nn.Sequential(*parts, nn.Linear(30, 10)).eval()
    with torch.no_grad():
        net[0].weight.mul_(9)
        net[3].weight.mul_(3)
        if whole:
            net[0].weight.copy_((net[0].weight * 14).round().clamp(-126, 126))
            net[0].weight[:, 0, 0, 0] = 127
            first.threshold.fill_(1500)
    return net


def shares(net, leak=None):
    lowered = prepare(ptq.graph_of(net, timesteps=T), input_shape=(1, 8, 8), input_levels=16, timesteps=T, fold=True)
    if leak is not None:
        lowered.layers[0].leaks.fill_(leak)
    found = explain.causes(lowered.eval(), IMAGES)
    assert all(layer.rounding == ROUNDINGS for layer in lowered.layers)
    return found


def test_each_cause_is_seen_alone():
    found = shares(network())
    assert all(set(parts) == set(explain.CAUSES) for parts in found.values()) and len(found) == 2
    first, second = found.values()
    assert first["input"] == 0 and first["weights"] > 0 and first["leak"] > 0
    assert second["leak"] == 0 and second["input"] > 0 and second["all"] > 0


def test_what_is_exact_changes_nothing():
    """Integers within int8 are kept, a leak of 256 loses nothing, and whole thresholds stay."""
    first, second = shares(network(leak=256, whole=True)).values()
    assert set(first.values()) == {0.0} and second["input"] == 0 and second["weights"] > 0


def test_a_leak_is_found_as_the_cause():
    first, _ = shares(network(whole=True), leak=200.45).values()
    assert first["weights"] == first["threshold"] == first["input"] == 0 and first["leak"] == first["all"] > 0


@pytest.mark.parametrize("asked", [False, True])
def test_an_import_tells_it(asked):
    graph = ptq.graph_of(network(), timesteps=T)
    options = dict(name="n", timesteps=T, input_levels=16, explain=asked)
    found = ptq.quantize(graph, IMAGES, PAPER, **options)
    told = [change for change in found.changes if "spikes that each rounding alone changes: weights" in change]
    assert len(told) == len(found.causes) == (2 if asked else 0)
    assert all(1 - found.causes[name]["all"] == found.agreement[name] for name in found.causes)
