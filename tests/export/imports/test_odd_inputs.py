"""What people hand in by mistake ends in an error that names it; graphs of sinabs have an axis of images."""

import nir
import numpy as np
import pytest
import torch
from torch import nn

import reprise as rp
from reprise.export import ptq
from reprise.export.importers import nir as importer
from reprise.export.nn.neurons import MultiLevelIF
from reprise.support.errors import RepriseError
from tests.support.export_helpers import PAPER

torch.set_num_threads(1)
IMAGES = np.random.default_rng(1).integers(0, 17, (8, 1, 8, 8)).astype(np.uint8)


def network(first=None):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), MultiLevelIF(4, threshold=2.0), nn.Flatten(), nn.Linear(144, 10))
    if first is not None:
        net[3].weight.data[0, 0] = first
    return net


class Leaky(nn.Module):
    """A neuron of another version of snnTorch."""

    __module__ = "snntorch._neurons.leaky"

    def forward(self, x):
        return x


def with_relu(*front):
    return nn.Sequential(nn.Flatten(), *front, nn.ReLU(), nn.Linear(20, 10))


ODD = {
    "labels of text": (network, dict(labels=["a"] * 8), "labels must be integers, not '<U1'"),
    "labels with fractions": (network, dict(labels=np.ones(8) / 2), "labels must be integers, not 'float64'"),
    "no module": (lambda: "net", dict(relu_levels=3), "module must be a torch.nn.Module, not 'str'"),
    "NaN": (lambda: network(float("nan")), {}, "parameter 3.weight must be finite numbers, not 'NaN or infinite'"),
    "no weights": (lambda: network().to("meta"), {}, "parameter 0.weight must be numbers, .*meta.*load the weights"),
    "another version": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), Leaky(), nn.Linear(20, 10)),
        {},
        "its modules are not those of snntorch that are known here .*use the version in constraints-frameworks.txt",
    ),
    "wrong columns": (
        lambda: with_relu(nn.Linear(63, 20)),
        dict(relu_levels=3),
        r"its own forward pass fails on images of shape \(8, 1, 8, 8\) in float64: .*cannot be multiplied",
    ),
    "two outputs": (
        lambda: nn.Sequential(nn.Flatten(), nn.ReLU(), nn.LSTM(64, 10)),
        dict(relu_levels=3),
        "module must be a network that returns one tensor, not 'tuple'",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_mistakes_are_told(kind):
    make, options, message = ODD[kind]
    with pytest.raises(RepriseError, match=message):
        rp.quantize(make(), IMAGES, levels=16, **options)


def test_a_capture_that_cannot_be_written_is_told():
    with pytest.raises(RepriseError, match="/proc/nowhere/x: cannot be written"):
        rp.record(network(), IMAGES[0], "/proc/nowhere/x", timesteps=1)


def sinabs(batch):
    """A graph as sinabs writes it: potentials with an axis of images, a Flatten node of unknown shape behind it."""
    rng, size = np.random.default_rng(0), (1, 8, 6, 6) if batch else (8, 6, 6)
    ones = np.ones(size, np.float32)
    flat = nir.Flatten(np.zeros(4, int), start_dim=1) if batch else nir.Flatten(np.array([8, 3, 3]), start_dim=0)
    nodes = {
        "input": nir.Input(np.array([1, 1, 8, 8] if batch else [1, 8, 8])),
        "conv": nir.Conv2d((8, 8), rng.normal(0, 0.3, (8, 1, 3, 3)), 1, 0, 1, 1, np.zeros(8)),
        "if": nir.IF(r=ones, v_threshold=ones / 2),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": flat,
        "fc": nir.Affine(rng.normal(0, 0.2, (10, 72)), np.zeros(10)),
        "output": nir.Output(np.array([1, 10] if batch else [10])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names[:-1], names[1:], strict=True)), type_check=False)


def test_a_graph_with_an_axis_of_images_is_the_same_network():
    found = []
    for batch in (False, True):
        graph = importer.read(sinabs(batch), timesteps=4, per_step=True, reset="soft")
        options = dict(name="s", timesteps=4, input_levels=16, input_scale=1 / 16)
        found.append(ptq.quantize(graph, IMAGES, PAPER, **options).network)
    for one, other in zip(*(network.layers for network in found), strict=True):
        assert np.array_equal(one.sources[0].weight, other.sources[0].weight)
        assert np.array_equal(one.neuron.threshold, other.neuron.threshold)
