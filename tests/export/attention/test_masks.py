"""Spike-driven attention: PyTorch's integers, the model and the program, and what is refused."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.export import ptq
from reprise.export.nn.attention import SpikeDrivenAttention, SpikeMask, TokenSum
from reprise.export.nn.neurons import MultiLevelIF, MultiLevelLIF
from reprise.export.qat.deploy import to_network
from reprise.export.trace.graph import UnsupportedError
from reprise.export.trace.lower import prepare
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER, assert_agrees, pixels, settle

MASKS = HardwareConfig.load("tiny").replace(masks=1, feature_words=2048)
SHAPE = (1, 6, 6)


class Driven(nn.Module):
    """Tokens of 8 channels, one spike-driven attention, and a head."""

    def __init__(self, timesteps=1, neuron=MultiLevelIF, levels=1):
        super().__init__()
        torch.manual_seed(3)
        one, many = partial(neuron, 1, timesteps), partial(neuron, levels, timesteps)
        self.conv, self.norm, self.neuron = nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), many()
        attention = partial(neuron, 1, timesteps, threshold=2.0)
        self.attention = SpikeDrivenAttention(8, neuron=many, spikes=one, attention=attention)
        with torch.no_grad():
            self.attention.proj.weight *= 8  # or few would fire
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 3)

    def forward(self, x):
        x = self.attention(self.neuron(self.norm(self.conv(x))))
        return self.head(self.pool(x).flatten(1))


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(levels=3),
        dict(timesteps=3, neuron=partial(MultiLevelLIF, leak=128, reset="hard")),
    ],
)
def test_pytorch_the_model_and_the_program_agree(options):
    timesteps = options.get("timesteps", 1)
    net = settle(prepare(Driven(**options), input_shape=SHAPE, input_levels=15, timesteps=timesteps), pixels(SHAPE, 15))
    network = assert_agrees(net, SHAPE, 15)
    masks = {layer.name: source.mask for layer in network.layers for source in layer.convolutions if source.mask}
    assert masks == {"attention_tokens": "attention_v", "attention_proj": "attention_tokens"}
    images = pixels(SHAPE, 15, 3).numpy().astype(np.int64)
    compiled = compile_network(network, MASKS, 3, keep_features=True)
    memory, expected = interpret(compiled, images), run(network, images, record=("features",)).features
    for name, levels in expected.items():
        assert np.array_equal(compiled.read_feature_map(memory, name), levels), name
    assert expected["attention_tokens"].any() and expected["attention_proj"].any()
    with pytest.raises(CompileError, match="its mask '.*' needs masks=1, not 0: join both maps"):
        compile_network(network, MASKS.replace(masks=0))


def test_an_import_is_compared_with_the_network_itself():
    module = Driven()
    images = pixels(SHAPE, 15, 6).numpy().astype(np.uint8)
    module.train()
    for _ in range(3):
        module(torch.tensor(images).float())  # statistics
    graph = ptq.graph_of(module.eval(), timesteps=1)
    found = ptq.quantize(graph, images, PAPER, name="n", timesteps=1, input_levels=15, allow_silent=True)
    assert found.agreement["attention_tokens"] > 0.9


class Own(nn.Module):
    """Two maps of spikes, and ``f(self, a, b)`` of them."""

    def __init__(self, f, levels=1, **modules):
        super().__init__()
        self.f, self.mask, self.tokens = f, SpikeMask(), TokenSum()
        self.a, self.one, self.b, self.two = (
            nn.Conv2d(1, 4, 1),
            MultiLevelIF(1),
            nn.Conv2d(1, 4, 1),
            MultiLevelIF(levels),
        )
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.f(self, self.one(self.a(x)), self.two(self.b(x)))


REFUSED = {
    "levels": (
        lambda: Own(lambda m, a, b: m.conv(m.mask(a, b)), levels=3, conv=nn.Conv2d(4, 3, 1)),
        "mask: the mask has levels up to 3 or a factor; use a neuron of one level without one",
    ),
    "a current": (
        lambda: Own(lambda m, a, b: m.c(m.mask(m.conv(a), b)), conv=nn.Conv2d(4, 4, 1), c=nn.Conv2d(4, 3, 1)),
        "mask: mask reads a current that no neuron has turned into spikes; put a neuron in front",
    ),
    "a pool of it": (
        lambda: Own(lambda m, a, b: m.conv(m.pool(m.mask(a, b))), pool=nn.MaxPool2d(2), conv=nn.Conv2d(4, 3, 1)),
        "pool: maxpool reads spikes that are masked; let a convolution, a linear layer or TokenSum read them",
    ),
    "a mask of it": (
        lambda: Own(lambda m, a, b: m.conv(m.mask(m.first(a, b), b)), first=SpikeMask(), conv=nn.Conv2d(4, 3, 1)),
        "mask: mask reads spikes that are masked; let",
    ),
    "an addition": (lambda: Own(lambda m, a, b: m.mask(a, b) + a), "add: add reads spikes that are masked"),
    "shapes": (
        lambda: Own(lambda m, a, b: m.conv(m.mask(a, m.pool(b))), pool=nn.MaxPool2d(2), conv=nn.Conv2d(4, 3, 1)),
        r"mask: masks a map \(4, 6, 6\) by a map \(4, 3, 3\); give the mask its shape, or one position",
    ),
    "the end": (lambda: Own(lambda m, a, b: m.mask(a, b)), "output reads spikes that are masked"),
    "a neuron": (
        lambda: Own(lambda m, a, b: m.conv(m.n(m.mask(a, b))), n=MultiLevelIF(1), conv=nn.Conv2d(4, 3, 1)),
        "n: neuron reads spikes that are masked",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        prepare(make(), input_shape=SHAPE, input_levels=15)


def test_modules_compute_what_they_say():
    a, b = (torch.randint(0, 2, (2, 3, 4, 5)).float() for _ in range(2))
    channels = torch.randint(0, 2, (2, 3, 1, 1)).float()
    assert torch.equal(SpikeMask()(a, b), torch.minimum(a, b))
    assert torch.equal(SpikeMask()(a, channels), torch.minimum(a, channels.expand_as(a)))
    assert torch.equal(TokenSum()(a), a.sum((2, 3), keepdim=True))
    assert to_network(prepare(Driven(), input_shape=SHAPE, input_levels=15).quantize(True), "n").layers
