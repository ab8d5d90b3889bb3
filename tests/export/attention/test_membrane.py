"""Membrane shortcuts: PyTorch's integers, the model, a naive oracle and the program; and what the module computes."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.export import ptq
from reprise.export.nn.attention import SpikeDrivenAttention
from reprise.export.nn.membrane import MembraneStream
from reprise.export.nn.neurons import MultiLevelIF, MultiLevelLIF
from reprise.export.nn.zoo import build
from reprise.export.qat import check
from reprise.export.qat.deploy import clipped, deploy, to_network, width_proof
from reprise.export.qat.membrane import QatMembrane
from reprise.export.trace.lower import prepare
from reprise.export.train.tune import trainable
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from tests.support.export_helpers import PAPER, SEED, Net, assert_agrees, pixels, settle
from tests.support.oracles import naive_frames, naive_run

TINY = HardwareConfig.load("tiny").replace(masks=1, addend_groups=8, feature_words=2048)
SHAPE = (1, 6, 6)
LIF = partial(MultiLevelLIF, leak=128, reset="hard")


class Driven(nn.Module):
    """A block of a Spike-driven Transformer on 8 channels: x + attention(s(x)), then x + mlp(s(x))."""

    def __init__(self, timesteps=1, neuron=MultiLevelIF, levels=1, bits=16):
        super().__init__()
        torch.manual_seed(3)
        one, many = partial(neuron, 1, timesteps), partial(neuron, levels, timesteps)
        self.conv, self.norm, self.first = nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), many()
        options = dict(neuron=many, spikes=one, attention=partial(one, threshold=2.0), current=True)
        self.attention, self.join1 = SpikeDrivenAttention(8, **options), MembraneStream(bits)
        self.second, self.join2, self.last = many(), MembraneStream(bits), many()
        self.mlp = nn.Sequential(
            nn.Conv2d(8, 16, 1), nn.BatchNorm2d(16), many(), nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)
        )
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 3)

    def forward(self, x):
        x = self.norm(self.conv(x))
        x = self.join1(x, self.attention(self.first(x)))
        x = self.join2(x, self.mlp(self.second(x)))
        return self.head(self.pool(self.last(x)).flatten(1))


def residual(timesteps=1, neuron="if", levels=4, blocks=2):
    own = dict(leak=128, reset="hard") if neuron == "lif" else {}
    return build(
        "resnet-ms", levels=levels, timesteps=timesteps, neuron=neuron, width=4, blocks=blocks, seed=SEED, **own
    )[0]


def exact(net, shape, top, timesteps=1):
    """The integers of PyTorch, the model, naive Python and the program are equal; the network is returned."""
    settle(net, pixels(shape, top))
    network = assert_agrees(net, shape, top, count=3)
    images = pixels(shape, top, 2).numpy().astype(np.int64)
    expected = run(network, images, record=("features",)).features
    naive = naive_run(network, naive_frames(network, images[0]))
    for name, levels in expected.items():
        assert name == "input" or np.array_equal(levels[0], naive[name]), name
    compiled = compile_network(network, TINY, 2, keep_features=True)
    memory = interpret(compiled, images)
    for name, levels in expected.items():
        assert np.array_equal(compiled.read_feature_map(memory, name), levels), name
    return network


@pytest.mark.parametrize("options", [dict(), dict(levels=1, timesteps=2, neuron="lif")])
def test_an_ms_resnet_is_exact(options):
    net = prepare(residual(**options), input_shape=(3, 4, 4), timesteps=options.get("timesteps", 1))
    network = exact(net, (3, 4, 4), 255)
    joined = {y.name: (y.addend, len(y.sources), y.neuron.kind) for y in network.layers if y.addend}
    assert joined["blocks_0_sn1"] == ("stem", 0, "if" if not options else "lif")
    assert joined["blocks_0_conv2"] == ("stem", 1, "sum") and joined["blocks_1_conv2"][0] == "blocks_0_conv2"
    assert joined["blocks_1_conv2"][2] != "sum"  # nothing adds to it any more: its neuron fires at once
    assert {network.feature_bits(addend) for addend, _, _ in joined.values()} == {16}
    told = [sentence for sentence in clipped(network, width_proof(network, PAPER)) if "only" in sentence]
    assert len(told) == 1 and told[0].startswith("stem: its weights have only ")  # those of pixels of 8 bits are coarse
    with pytest.raises(CompileError, match="its addend 'stem' needs addend_groups"):
        compile_network(network, TINY.replace(addend_groups=0))


@pytest.mark.parametrize(
    "options", [dict(), dict(levels=3, bits=32), dict(timesteps=2, neuron=LIF)], ids=["binary", "levels", "time"]
)
def test_a_spike_driven_block_is_exact(options):
    net = prepare(Driven(**options), input_shape=SHAPE, input_levels=15, timesteps=options.get("timesteps", 1))
    network = exact(net, SHAPE, 15)
    bits = options.get("bits", 16)
    proj, last = network.layer("attention_proj"), network.layer("mlp_3")
    assert (proj.addend, proj.neuron.bits, proj.convolutions[0].mask) == ("conv", bits, "attention_tokens")
    assert (last.addend, last.neuron.kind) == ("attention_proj", network.layers[0].neuron.kind) or last.neuron.fires
    assert max(layer.shift for layer in network.layers) > 0


@pytest.mark.parametrize("make", [Driven, residual], ids=["attention", "resnet"])
def test_training_computes_what_the_module_does_in_training(make):
    """Without rounding, batch statistics that are folded into weights give what batch norms behind them give."""
    module, shape = make().double(), SHAPE if make is Driven else (3, 8, 8)
    images = pixels(shape, 15, 16).double()
    net = prepare(module, input_shape=shape, input_levels=15, dtype=torch.float64).quantize(False).train()
    for _ in range(2):
        ours, theirs = net(images), module.train()(images)
        assert torch.allclose(ours.double(), theirs, atol=1e-5), (ours - theirs).abs().max()
    ours.square().sum().backward()
    theirs.square().sum().backward()
    layer = [one for one in net.layers if isinstance(one, QatMembrane) and one.folded][-1]
    norm = module.mlp[-1] if make is Driven else module.blocks[-1].bn2
    assert torch.allclose(layer.gamma.grad, norm.weight.grad, rtol=1e-4) and bool(norm.weight.grad.abs().max() > 0)


@pytest.mark.parametrize("make", [Driven, residual], ids=["attention", "resnet"])
def test_an_import_is_compared_with_the_network_itself(make):
    module, shape = make(), SHAPE if make is Driven else (3, 8, 8)
    images = pixels(shape, 15, 8).numpy().astype(np.uint8)
    module.train()
    for _ in range(20):
        module(torch.tensor(images).float())  # statistics
    graph = ptq.graph_of(module.eval(), timesteps=1)
    options = dict(name="n", timesteps=1, input_levels=15, allow_silent=True, explain=True)
    found = ptq.quantize(graph, images, PAPER, **options)
    assert next(iter(found.agreement.values())) > 0.9 and found.causes
    joined = [len(layer.sources) for layer in found.network.layers if layer.neuron.kind == "sum"]
    assert max(joined) == (1 if make is Driven else 2)  # norms that are folded leave one layer of both branches


def no_room(layer, peak):
    layer.peak.copy_(peak / 5)


def test_a_stream_that_could_leave_its_bits_is_clipped_and_told():
    """Eight bits are too few for it: PyTorch, the model and the program clip alike; 32 bits are proven to be enough."""
    found = {}
    for bits in (8, 32):
        net = prepare(Driven(bits=bits), input_shape=SHAPE, input_levels=15)
        for layer in net.layers:
            if isinstance(layer, QatMembrane) and layer.branches:
                layer.meet = partial(no_room, layer)
        exact(net, SHAPE, 15)
        network, _, widths = deploy(net, "n", pixels(SHAPE, 15).numpy().astype(np.uint8), PAPER)
        found[bits] = clipped(network, widths)
        seen = run(network, pixels(SHAPE, 15, 8).numpy().astype(np.int64), record=("features",)).features["conv"]
        assert bits == 32 or (seen == 127).any()
    assert not found[32] and len(found[8]) == 2
    assert found[8][0].startswith("conv: its current could reach -") and "clipped at 8 bits" in found[8][0]


def test_the_unit_is_the_finest_that_the_map_can_hold():
    net = settle(prepare(Driven(), input_shape=SHAPE, input_levels=15), pixels(SHAPE, 15), steps=8)
    stream = next(layer for layer in net.layers if isinstance(layer, QatMembrane)).stream
    unit, shifts = stream.steps()
    assert len(stream.branches) == 3 and shifts[0] == 0
    for branch, shift in zip(stream.branches, shifts, strict=True):
        assert bool((branch.finest() <= unit * 2**shift * (1 + 1e-6)).all())  # no weight is clipped
        assert shift + max(branch.levels_in[0].bit_length(), 1) <= 8
    assert width_proof(to_network(net, "n"), TINY)


def parts():
    torch.manual_seed(SEED)
    convs = dict(conv=nn.Conv2d(1, 4, 1), b=nn.Conv2d(4, 4, 1), c=nn.Conv2d(4, 4, 1), d=nn.Conv2d(4, 4, 3, padding=1))
    neurons = dict(n=MultiLevelIF(4), n2=MultiLevelIF(3), n4=MultiLevelIF(2))
    others = dict(norm=nn.BatchNorm2d(4), pool=nn.MaxPool2d(2), fc=nn.Linear(4 * 36, 3), small=nn.Linear(36, 3))
    return convs | neurons | others


def ended(m, x):
    return m.fc(m.n4(x).flatten(1))


def blocks(m, x):
    x = m.conv(x)
    x = x + m.b(m.n(x))
    return ended(m, x + m.c(m.n2(x)))


def three(m, x):
    """Three convolutions of one map, added up in front of a neuron."""
    s = m.n(m.conv(x))
    return ended(m, m.b(s) + m.c(s) + m.d(s))


def normed(m, x):
    x = m.conv(x)
    x = x + m.b(m.n(m.norm(x)))
    return ended(m, x + m.c(m.n2(x)))


def pooled(m, x):
    x = m.conv(x)
    x = x + m.b(m.n(x))
    s = m.pool(m.n4(x + m.c(m.n2(x))))
    return m.small(s.flatten(1))


def spikes(m, x):
    """The spikes of a block are added as they are: a current of weights that are their unit."""
    x = m.conv(x)
    s = m.n(x)
    x = x + s
    return ended(m, x + m.c(m.n2(x)))


def constant(m, x):
    x = m.conv(x)
    x = x + m.b(m.n(x))
    y = x + m.c(m.n2(x))
    return ended(m, m.norm(y))


@pytest.mark.parametrize("f", [blocks, three, normed, pooled, spikes, constant], ids=lambda f: f.__name__)
def test_plain_modules_have_streams(f):
    net = prepare(Net(f, **parts()), input_shape=SHAPE, input_levels=15)
    network = exact(net, SHAPE, 15)
    assert any(layer.addend for layer in network.layers)


def test_a_single_block_needs_no_addend():
    net = prepare(Net(lambda m, x: ended(m, (y := m.conv(x)) + m.b(m.n(y))), **parts()), input_shape=SHAPE)
    assert not any(layer.addend for layer in assert_agrees(net.eval(), SHAPE).layers)


def test_integers_of_a_shortcut_are_not_trained_further():
    network = to_network(settle(prepare(Driven(), input_shape=SHAPE, input_levels=15), pixels(SHAPE, 15)), "n")
    with pytest.raises(ValueError, match="addend must be None where integers are trained further, not 'conv'"):
        trainable(network, None)


def test_the_shipped_spike_driven_transformer():
    """It classifies its samples, and PyTorch's integers are the model's and the program's in every map."""
    file = load(shipped("digits-sdt"))
    assert file.accuracy["integer"] >= 96 and file.accuracy["images"] == 360
    assert (run(file.network, file.images).predictions == file.labels).mean() >= 0.95
    report = check.compare(file.network, file.images[:8])
    assert report.difference is None and len(report.compared) == len(file.network.layers) == 15
    stored = {layer.addend for layer in file.network.layers if layer.addend}
    assert stored == {"tokens", "position_conv1", "block1_attention_proj"}
    clip = [sentence.split(":")[0] for sentence in file.changes]
    assert clip == [name for name in file.widths if name in stored and file.widths[name]["integers"][2] > 16]
    images = file.images[:2].astype(np.int64)
    compiled = compile_network(file.network, HardwareConfig.load("small-t"), 2, keep_features=True)
    memory, expected = interpret(compiled, images), run(file.network, images, record=("features",)).features
    for name, levels in expected.items():
        assert np.array_equal(compiled.read_feature_map(memory, name), levels), name
