"""SpikingJelly's SpikingSelfAttention in float64 against our integers: every spike, where weights are dyadic."""

import numpy as np
import pytest
import torch

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")

from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.layer import SpikingSelfAttention
from torch import nn

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.export import ptq
from reprise.export.nn.attention import SpikeMask, TokenSum
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.support.errors import RepriseError
from tests.support.export_helpers import PAPER

T, CHANNELS, HEADS, H, W = 4, 24, 3, 2, 5
UNITS = 8  # weights and biases are multiples of 1/8

torch.set_num_threads(1)


def dyadic(seed, density):
    """The module with weights of k/8, a batch norm that adds k/8, and spikes (T, n, C, L) for it."""
    rng = np.random.default_rng(seed)
    module = SpikingSelfAttention(CHANNELS, HEADS).double().eval()
    for part in (module.qkv_conv_bn, module.proj_conv_bn):
        conv, norm = part[0], part[1]
        conv.weight.data = torch.tensor(rng.integers(-6, 9, conv.weight.shape) / UNITS)
        norm.eps = 0.0
        norm.bias.data = torch.tensor(rng.integers(-4, 5, norm.bias.shape) / UNITS)
    spikes = torch.tensor((rng.random((T, 3, CHANNELS, H * W)) < density).astype(np.float64))
    return module, spikes


def layers_of(module):
    """The same in integers, by hand: a LIF of tau 2 whose inputs decay is one of leak 1/2 and twice the threshold."""

    def lif(threshold, bias):
        full = np.full(len(bias), 1)
        return Neuron(
            kind="lif",
            levels=1,
            reset="hard",
            threshold=threshold * full,
            bias=bias,
            v0=0 * full,
            leak=128 * full,
        )

    def linear(name, feature, part, rows=slice(None)):
        weight = np.rint(part[0].weight.detach().numpy()[rows] * UNITS).astype(np.int8)[..., None]
        bias = np.rint(part[1].bias.detach().numpy()[rows] * UNITS).astype(np.int64)
        return Layer(name=name, sources=(Source(feature=feature, weight=weight),), neuron=lif(2 * UNITS, bias))

    cuts = {name: slice(i * CHANNELS, (i + 1) * CHANNELS) for i, name in enumerate("qkv")}
    kv = Product(feature="k", operand="v", over="tokens", heads=HEADS)
    qg = Product(feature="q", operand="g", over="channels", heads=HEADS)
    step = round(2 * module.attn_lif.v_threshold / module.scale)  # 0.125 Q G / 2 against 0.5
    return (
        *(linear(name, "input", module.qkv_conv_bn, cut) for name, cut in cuts.items()),
        Layer(name="g", sources=(kv,), neuron=Neuron.sum(CHANNELS // HEADS, bits=8)),
        Layer(name="a", sources=(qg,), neuron=lif(step, np.zeros(CHANNELS, np.int64))),
        linear("proj", "a", module.proj_conv_bn),
    )


@pytest.mark.parametrize(("seed", "density"), [(0, 0.2), (1, 0.35), (2, 0.5), (3, 0.9)])
def test_every_spike_is_that_of_the_module(seed, density):
    module, spikes = dyadic(seed, density)
    found = {}
    for name in ("qkv_lif", "attn_lif", "proj_lif"):
        part = getattr(module, name)
        part.register_forward_hook(lambda _module, _inputs, out, name=name: found.__setitem__(name, out))
    functional.reset_net(module)
    with torch.no_grad():
        module(spikes)
    net = Network(
        name="ssa",
        input_shape=(CHANNELS, H, W),
        input_levels=1,
        timesteps=T,
        input_mode="given",
        layers=layers_of(module),
    )
    frames = spikes.numpy().astype(np.uint8).transpose(1, 0, 2, 3).reshape(3, T, CHANNELS, H, W)
    features = run(net, frames, record="features").features
    theirs = dict(zip("qkv", found["qkv_lif"].chunk(3, dim=2), strict=True))
    theirs |= {"a": found["attn_lif"], "proj": found["proj_lif"]}
    for name, out in theirs.items():
        expected = out.reshape(T, 3, CHANNELS, H, W).transpose(0, 1).numpy()
        assert np.array_equal(features[name], expected), name
    assert features["g"].max() > 0 and 0 < features["proj"].mean() < 1


class Net(nn.Module):
    """A convolution makes tokens of a map, which attention reads, and the mean over all tokens is classified."""

    def __init__(self, tokens=True, **options):
        super().__init__()
        self.tokens = tokens
        self.conv, self.norm = layer.Conv2d(1, CHANNELS, 3, 2, 1, bias=False), layer.BatchNorm2d(CHANNELS)
        self.lif = neuron.LIFNode(tau=2.0)
        self.attention, self.fc = SpikingSelfAttention(CHANNELS, HEADS, **options), layer.Linear(CHANNELS, 3)
        functional.set_step_mode(self, "m")

    def forward(self, x):
        x = self.lif(self.norm(self.conv(x)))
        x = self.attention(x.flatten(3) if self.tokens else x)
        return self.fc(x.mean(-1)).mean(0)


def trained(**options):
    """A network whose statistics are of images and whose neurons fire; and images."""
    torch.manual_seed(0)
    module, images = Net(**options), np.random.default_rng(0).integers(0, 17, (6, 1, 8, 8)).astype(np.uint8)
    for _ in range(4 * module.tokens):
        functional.reset_net(module)
        module.train()(torch.tensor(images).float().expand(T, *images.shape) / 16)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.weight.data *= 3
            part.bias.data += 0.6
    return module.eval(), images


@pytest.mark.parametrize("options", [{}, dict(spiking_neuron=neuron.IFNode, v_threshold=0.5)])
def test_a_network_with_it_is_imported_spike_for_spike(options):
    """Before anything is rounded, every neuron of Q, K, V, attention and proj fires as the module's own."""
    module, images = trained(**options)
    graph = ptq.graph_of(module, timesteps=T)
    assert {n.name for n in graph.nodes if n.op == "neuron"} == {
        "lif",
        *(f"attention.{name}_lif" for name in ("q", "k", "v", "attn", "proj")),
    }
    found = ptq.quantize(graph, images, PAPER, name="n", timesteps=T, input_levels=16, input_scale=1 / 16)
    attention = found.network.layer("attention_products")
    step, kind = (8, "lif") if not options else (4, "if")
    assert set(attention.neuron.threshold.tolist()) == {step} and attention.neuron.kind == kind
    assert found.agreement["attention_products"] > 0.9
    assert found.network.layer("attention_products_kv").product == Product(
        feature="attention_k", operand="attention_v", over="tokens", heads=HEADS
    )


def test_a_map_in_place_of_tokens_is_told():
    module, images = trained(tokens=False)
    graph = ptq.graph_of(module, timesteps=T)
    with pytest.raises(
        RepriseError, match=r"its own forward pass fails .* expected 4D input with shape \[T, N, C, L\]"
    ):
        ptq.quantize(graph, images, PAPER, name="n", timesteps=T, input_levels=16)


def part(kernel=1):
    conv = layer.Conv2d(CHANNELS, CHANNELS, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, layer.BatchNorm2d(CHANNELS))


class Driven(nn.Module):
    """A block of the Spike-driven Transformer of LIF neurons whose inputs decay, with our modules between them."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = layer.Conv2d(1, CHANNELS, 3, 2, 1, bias=False), layer.BatchNorm2d(CHANNELS)
        self.parts = nn.ModuleDict({name: part() for name in ("q", "k", "v", "proj", "fc1", "fc2")})
        names = ("first", "q", "k", "v", "hidden", "last")
        self.fires = nn.ModuleDict({name: neuron.LIFNode(tau=2.0) for name in names})
        self.talking = neuron.LIFNode(tau=2.0, v_threshold=0.5)
        self.both, self.passed, self.tokens = SpikeMask(), SpikeMask(), TokenSum()
        self.mlp, self.pool, self.fc = neuron.LIFNode(tau=2.0), layer.AdaptiveAvgPool2d(1), layer.Linear(CHANNELS, 3)
        functional.set_step_mode(self, "m")

    def forward(self, x):
        parts, fires = self.parts, self.fires
        x = self.norm(self.conv(x))
        spikes = fires["first"](x)
        q, k, v = (fires[name](parts[name](spikes)) for name in "qkv")
        x = x + parts["proj"](self.passed(q, self.talking(self.tokens(self.both(k, v)))))
        x = x + parts["fc2"](fires["hidden"](parts["fc1"](self.mlp(x))))
        return self.fc(self.pool(fires["last"](x)).flatten(2)).mean(0)


def test_a_spike_driven_block_of_lif_neurons_is_imported():
    """The factor of their inputs is in none of the stored currents, nor in the sum over tokens, but in thresholds."""
    torch.manual_seed(0)
    module, images = Driven(), np.random.default_rng(0).integers(0, 17, (4, 1, 8, 8)).astype(np.uint8)
    for _ in range(3):
        functional.reset_net(module)
        module.train()(torch.tensor(images).float().expand(T, *images.shape) / 16)
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.weight.data *= 3
            one.bias.data += 0.6
    graph = ptq.graph_of(module.eval(), timesteps=T)
    found = ptq.quantize(graph, images, PAPER, name="n", timesteps=T, input_levels=16, input_scale=1 / 16)
    tokens = next(one for one in found.network.layers if any(s.mask for s in one.convolutions))
    assert tokens.neuron.levels == 1
    assert sum(one.addend is not None for one in found.network.layers) == 4  # two branches, two neurons alone
    compiled = compile_network(found.network, HardwareConfig.load("small-t"), 2, keep_features=True)
    memory = interpret(compiled, images[:2].astype(np.int64))
    for name, levels in run(found.network, images[:2], record="features").features.items():
        if name in compiled.features:
            assert np.array_equal(compiled.read_feature_map(memory, name), levels), name
