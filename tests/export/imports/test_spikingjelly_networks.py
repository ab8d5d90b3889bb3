"""Whole networks of SpikingJelly as people write them: the network's own forward pass is the oracle.

The import compares each spike in float64 before anything is rounded. Here, what the network returns in float32 is
compared with the lowered network by other code.
"""

import numpy as np
import pytest
import torch
from torch import nn

from reprise.export import ptq
from reprise.export.trace.graph import UnsupportedError
from reprise.export.trace.lower import prepare
from tests.support.export_helpers import PAPER, SEED

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")
from spikingjelly.activation_based import functional, layer, neuron, surrogate

torch.set_num_threads(1)
T, SCALE = 4, 1 / 16
IMAGES = np.random.default_rng(SEED).integers(0, 17, (8, 1, 8, 8)).astype(np.uint8)


def multi(*parts):
    net = nn.Sequential(*parts)
    functional.set_step_mode(net, "m")
    return net


class Classifier(nn.Module):
    """The usual multi-step classifier, which shows its image T times and returns firing rates."""

    def __init__(self, node=neuron.IFNode):
        super().__init__()
        first = [layer.Conv2d(1, 6, 3, padding=1, bias=False), layer.BatchNorm2d(6), node(v_threshold=0.3)]
        second = [layer.Conv2d(6, 6, 3, padding=1, bias=False), layer.BatchNorm2d(6), node(v_threshold=0.2)]
        last = [
            layer.MaxPool2d(2),
            layer.Flatten(),
            layer.Linear(24, 100),
            node(v_threshold=0.1),
            layer.VotingLayer(10),
        ]
        self.body = multi(*first, layer.MaxPool2d(2), *second, *last)

    def forward(self, x):
        return self.body(x.unsqueeze(0).repeat(T, 1, 1, 1, 1)).mean(0)


class Encoded(nn.Module):
    """A classifier whose first convolution is computed once; ``show`` repeats what it gives."""

    def __init__(self, show):
        super().__init__()
        self.show, self.static = show, nn.Sequential(layer.Conv2d(1, 6, 3), layer.BatchNorm2d(6))
        cells = neuron.IFNode(v_threshold=0.3), neuron.LIFNode(v_threshold=0.1)
        self.rest = multi(cells[0], layer.Flatten(), layer.Linear(216, 10), cells[1])

    def forward(self, x):
        return self.rest(self.show(self.static(x))).mean(0)


class Loop(nn.Module):
    """Single-step mode with the loop over timesteps in the forward pass; ``run`` does it."""

    def __init__(self, run):
        super().__init__()
        self.run, self.conv, self.one = run, nn.Conv2d(1, 6, 3), neuron.LIFNode(v_threshold=0.2)
        self.fc, self.two = nn.Linear(216, 10), neuron.IFNode(v_threshold=0.1)

    def step(self, x):
        return self.two(self.fc(torch.flatten(self.one(self.conv(x)), 1)))

    def forward(self, x):
        return self.run(self, x)


def running(m, x):
    total = torch.zeros(x.shape[0], 10, device=x.device)
    for _ in range(T):
        total = total + m.step(x)
    return total / T


def stacked(m, x):
    shown = x[None].expand(T, -1, -1, -1, -1)
    return torch.stack([m.step(shown[t]) for t in range(T)]).sum(0)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = multi(layer.Conv2d(1, 4, 3, padding=1), neuron.IFNode(v_threshold=0.3))
        self.two = multi(layer.Conv2d(1, 4, 5, padding=2), neuron.IFNode(v_threshold=0.3), layer.MaxPool2d(3, 1, 1))
        self.end = multi(layer.Conv2d(8, 4, 3), neuron.LIFNode(v_threshold=0.1), layer.Flatten(), layer.Linear(144, 10))

    def forward(self, x):
        return self.end(torch.cat([self.one(x), self.two(x)], dim=2))


def containers():
    folded = layer.SeqToANNContainer(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6))
    stepped = layer.MultiStepContainer(
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10), neuron.LIFNode(v_threshold=0.1)
    )
    return nn.Sequential(folded, neuron.LIFNode(v_threshold=0.2, step_mode="m"), stepped)


def simple(node):
    return lambda: multi(layer.Conv2d(1, 6, 3), node(), layer.Flatten(), layer.Linear(216, 10))


NETWORKS = {
    "a classifier": Classifier,
    "a classifier of ParametricLIF": lambda: Classifier(neuron.ParametricLIFNode),
    "a static convolution that is repeated": lambda: Encoded(lambda y: y.unsqueeze(0).repeat(T, 1, 1, 1, 1)),
    "a static convolution that is stacked": lambda: Encoded(lambda y: torch.stack([y] * T)),
    "a loop with a running sum": lambda: Loop(running),
    "a loop over repeated images": lambda: Loop(stacked),
    "concatenated branches, and a pool that overlaps": Branches,
    "containers": containers,
    "tdBN": lambda: multi(
        *(layer.Conv2d(1, 6, 3, bias=False), layer.ThresholdDependentBatchNorm2d(1.0, 0.5, 6)),
        *(neuron.LIFNode(v_threshold=0.2), layer.Flatten(), layer.Linear(216, 10)),
    ),
    "ILIF of 8 levels": simple(
        lambda: neuron.ILIFNode(v_threshold=0.1, surrogate_function=surrogate.MultiLevelSpikeCount(8))
    ),
    "half a threshold at the start": simple(lambda: neuron.HalfThresholdIFNode(v_threshold=0.3)),
    "a start above the reset": simple(lambda: neuron.SimpleIFNode(v_threshold=0.3, v_reset=-0.1)),
    "a start below the reset": simple(lambda: neuron.SimpleLIFNode(2.0, True, v_threshold=0.3, v_reset=0.1)),
}


def given(kind):
    torch.manual_seed(SEED)
    net = NETWORKS[kind]()
    for part in net.modules():  # statistics as training leaves them behind
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.2, 0.6)
            nn.init.normal_(part.running_mean, 0, 0.1)
    return net.eval()


@pytest.mark.parametrize("kind", NETWORKS)
def test_it_comes_in_as_it_computes(kind):
    net = given(kind)
    whole = isinstance(net, Classifier | Encoded | Loop)
    images = torch.tensor(IMAGES).float() * SCALE
    with torch.no_grad():
        theirs = net(images if whole else images.expand(T, *images.shape))
    theirs = (theirs if whole else theirs.mean(0)) * (1 if "repeated images" not in kind else 1 / T)
    graph = ptq.graph_of(net, timesteps=T)
    lowered = prepare(graph, input_shape=(1, 8, 8), input_levels=16, timesteps=T, input_scale=SCALE, fold=True).eval()
    last = lowered.layers[-1]
    ours = lowered.quantize(False).trace(torch.tensor(IMAGES).float())[0][last.name]
    ours = ours[-1] / T * last.scale().view(-1, 1, 1) if last.readout else ours.mean(0)
    assert theirs.abs().sum() > 0 and torch.allclose(ours[..., 0, 0], theirs, atol=1e-4), "a spike is 0.25 of a rate"
    functional.reset_net(net)
    found = ptq.quantize(graph, IMAGES, PAPER, name="n", timesteps=T, input_levels=16, input_scale=SCALE)
    assert min(found.agreement.values()) > 0.9


def test_what_a_neuron_has_fired_is_not_repeated_and_the_last_timestep_is_not_all():
    with pytest.raises(
        UnsupportedError, match="^unsqueeze: repeats what a neuron has fired; repeat it over time in fr"
    ):
        net = Encoded(lambda y: y.unsqueeze(0).repeat(T, 1, 1, 1, 1))
        net.static.append(neuron.IFNode())
        ptq.graph_of(net.eval(), timesteps=T)
    with pytest.raises(UnsupportedError, match="^output: the network returns its last timestep alone; return torch.st"):
        ptq.graph_of(Loop(lambda m, x: [m.step(x) for _ in range(T)][-1]).eval(), timesteps=T)
