"""SpikingJelly's whole Spikformer in float64 against our integers: every spike, where weights are dyadic."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")

from spikingjelly.activation_based.layer import SeqToANNContainer
from spikingjelly.activation_based.model.spikformer import Spikformer
from torch import fx, nn

from reprise.export import ptq
from reprise.export.nn.neurons import MultiLevelIF
from reprise.export.trace.graph import UnsupportedError
from reprise.export.trace.lower import prepare
from reprise.export.trace.modules import Value
from reprise.export.trace.tracer import trace
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER

DEPTH, DIM, HEADS, SIZE = 2, 48, 3, 16
UNITS = 8  # weights and biases are multiples of 1/8, pixels of 1/16

torch.set_num_threads(1)


def dyadic(timesteps, seed=0):
    """The module with weights of k/8 and batch norms that add k/8, as published: its pools are in front of neurons."""
    module = Spikformer(
        T=timesteps,
        img_size_h=SIZE,
        img_size_w=SIZE,
        patch_size=4,
        num_classes=5,
        embed_dims=DIM,
        num_heads=HEADS,
        mlp_ratio=2.0,
        depths=DEPTH,
    )
    rng = np.random.default_rng(seed)
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear):
            part.weight.data = torch.tensor(rng.integers(-6, 8, part.weight.shape) / UNITS)
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.eps = 0.0
            part.bias.data = torch.tensor(rng.integers(-4, 9, part.bias.shape) / UNITS)
    return module.double().eval()


def behind(module):
    """Move the pools behind the neurons, as docs/transformers.md has it."""
    for stage in module.patch_embed.stages:
        block = stage.conv_bn.block
        if isinstance(block[-1], nn.MaxPool2d):
            stage.neuron = nn.Sequential(stage.neuron, SeqToANNContainer(block.pop(-1)))
    return module


def in_steps(graph):
    """Say of all weights in front of neurons that they are multiples of 1/8, as importers of integer weights do."""

    def stepped(node):
        if node.op != "conv":
            return node
        step = torch.full((len(node.attrs["weight"]),), 1 / UNITS, dtype=torch.float64)
        return replace(node, attrs={**node.attrs, "step": step})

    return replace(graph, nodes=tuple(map(stepped, graph.nodes)))


def pooled(name, spikes):
    """The spikes (T, B, C * H * W) of a neuron, or the pooled ones, as our map has them, if it has a pool behind it."""
    channels = {"patch_embed.stages.2": DIM // 2, "patch_embed.stages.3": DIM}.get(name.split(".neuron")[0])
    if channels is None:
        return spikes
    side = int((spikes.shape[2] / channels) ** 0.5)
    maps = torch.nn.functional.max_pool2d(spikes.reshape(-1, channels, side, side), 3, 2, 1)
    return maps.reshape(*spikes.shape[:2], -1)


@pytest.mark.parametrize(("timesteps", "moved"), [(4, True), (1, False)])
def test_every_spike_is_that_of_the_module(timesteps, moved):
    """For T = 1 the pools in front of the neurons are taken as they are."""
    module = dyadic(timesteps)
    graph = in_steps(ptq.graph_of(behind(module) if moved else module, timesteps=timesteps))
    images = np.random.default_rng(1).integers(0, 17, (4, 3, SIZE, SIZE)).astype(np.uint8)
    found = ptq.quantize(graph, images, PAPER, name="n", timesteps=timesteps, input_levels=16, input_scale=1 / 16)
    assert set(found.agreement.values()) == {1.0}
    theirs = graph.source(torch.tensor(images / 16)).spikes
    assert len(theirs) == 5 + DEPTH * 7  # q, k and v are three
    ours = [x.transpose(1, 0, 2, 3, 4) for x in run(found.network, images, record="features").features.values()]
    for name, spikes in theirs.items():
        expected = (pooled(name, spikes) if moved else spikes).numpy()
        assert 0 < expected.mean() < 1, name
        assert any(np.array_equal(x.reshape(*x.shape[:2], -1), expected) for x in ours), name


def test_pools_in_front_of_neurons_are_refused_over_time():
    rule = "patch_embed.stages.2.conv_bn.block.2: a max pool of currents equals one of spikes only for T = 1"
    with pytest.raises(UnsupportedError, match=rule + "; put it behind the neuron"):
        prepare(ptq.graph_of(dyadic(4), timesteps=4), input_shape=(3, SIZE, SIZE), timesteps=4)


class Calls(nn.Module):
    """A convolution, and then whatever a function makes of its map."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.flatten, self.function = nn.Conv2d(3, 4, 1), nn.Flatten(), function

    def forward(self, x):
        return self.function(self, self.conv(x))


class Tracer(fx.Tracer):
    def proxy(self, node):
        return Value(node, self)


AXES = {
    "a map": lambda m, x: x,
    "a sum": lambda m, x: x + x,
    "an axis more": lambda m, x: x.unsqueeze(0),
    "an axis more by None": lambda m, x: x[None],
    "shown at every timestep": lambda m, x: x[None].repeat(2, 1, 1, 1, 1),
    "tokens": lambda m, x: x.unsqueeze(0).flatten(3),
    "the middle flattened": lambda m, x: x.unsqueeze(0).flatten(1, -2),
    "another shape": lambda m, x: x.contiguous().reshape(5, 48),
}


@pytest.mark.parametrize("name", AXES)
def test_the_number_of_axes_is_that_of_tensors(name):
    counts = []

    def counted(m, x):
        x = AXES[name](m, x)
        counts.append((x.ndim, x.dim()))
        return x

    module = Calls(counted)
    Tracer().trace(module)
    module(torch.zeros(5, 3, 4, 3))
    assert counts[0] == counts[1] and counts[0][0] == counts[0][1]


@pytest.mark.parametrize("function", [lambda m, x: m.flatten(x), lambda m, x: x.mean((2, 3))])
def test_a_branch_on_axes_that_are_not_known_is_refused(function):
    with pytest.raises(UnsupportedError, match="its forward depends on data or cannot be traced"):
        trace(Calls(lambda m, x: x if function(m, x).ndim == 2 else x + x))


def test_kernels_over_tokens_are_refused():
    with pytest.raises(UnsupportedError, match="2: a Conv1d of kernel 3 reads several tokens; use kernel 1, or Conv2d"):
        prepare(nn.Sequential(nn.Conv2d(3, 4, 1), MultiLevelIF(1), nn.Conv1d(4, 4, 3)), input_shape=(3, 8, 8))
