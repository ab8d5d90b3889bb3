"""SpikingJelly's SpikingSelfAttention in float64 against our integers: every spike, where weights are dyadic."""

import numpy as np
import pytest
import torch

pytest.importorskip("spikingjelly.activation_based", reason="the optional extra 'import' is not installed")

from spikingjelly.activation_based import functional
from spikingjelly.activation_based.layer import SpikingSelfAttention

from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

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
