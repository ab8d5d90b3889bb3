"""Attention in PyTorch: as it is defined, as integers of the model map by map, and what is refused by name."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from reprise.export import ptq
from reprise.export.nn.attention import AttentionProducts, SpikingSelfAttention
from reprise.export.nn.neurons import MultiLevelIF, MultiLevelLIF
from reprise.export.nn.spikformer import Spikformer
from reprise.export.nn.zoo import build
from reprise.export.qat import check
from reprise.export.qat.deploy import deploy, to_network
from reprise.export.trace.lower import prepare
from reprise.export.train.datasets import Dataset
from reprise.export.train.tune import trainable
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from reprise.model.inference.widths import prove
from tests.support.export_helpers import PAPER, SEED, assert_agrees, pixels, settle

torch.set_num_threads(1)


def levels(rng, most, *shape):
    return torch.tensor(rng.integers(0, most + 1, shape)).float()


@pytest.mark.parametrize("shift", [0, 2])
def test_products_are_those_of_attention_without_softmax(shift):
    """(Q K^T) V token by token, as papers write it, where nothing is clipped and G is a multiple of 2**shift."""
    rng = np.random.default_rng(SEED)
    heads, d, dv = 2, 3, 5
    q, k, v = (
        levels(rng, 3, 4, heads * d, 2, 3),
        levels(rng, 1, 4, heads * d, 2, 3),
        levels(rng, 4, 4, heads * dv, 2, 3),
    )
    v = v * (1 << shift)
    out = AttentionProducts(heads, shift=shift)(q, k, v)
    for image in range(4):
        for head in range(heads):
            rows = [x[image, head * n : head * n + n].flatten(1).T for x, n in ((q, d), (k, d), (v, dv))]
            expected = (rows[0] @ rows[1].T) @ rows[2]  # a row a token
            assert torch.equal(out[image, head * dv : head * dv + dv].flatten(1).T, expected)


def test_a_wide_product_is_shifted_and_clipped():
    k, v = torch.ones(1, 1, 5, 8), torch.full((1, 1, 5, 8), 4.0)  # G = 160
    for shift, g in ((0, 127), (1, 80 * 2)):
        assert AttentionProducts(1, shift=shift)(k, k, v).unique().tolist() == [g]


def test_gradients_pass_through_both_products():
    maps = [torch.rand(2, 4, 2, 2, requires_grad=True) for _ in range(3)]
    AttentionProducts(2)(*maps).sum().backward()
    assert all(x.grad is not None and bool(x.grad.any()) for x in maps)


def spikformer(n, timesteps, depth=1, neuron=MultiLevelIF, **options):
    torch.manual_seed(SEED)
    make = partial(neuron, levels=n, timesteps=timesteps)
    barrier = partial(MultiLevelIF, 15, timesteps, v0=0.0, surrogate="clipped")
    size = dict(heads=2, depth=depth, classes=3) | options
    return Spikformer(1, ((4, True), (12, False)), neuron=make, barrier=barrier, **size)


@pytest.mark.parametrize(
    ("n", "timesteps", "options"),
    [
        (4, 1, {}),
        (1, 4, dict(neuron=partial(MultiLevelLIF, leak=128, reset="hard"))),
        (3, 2, dict(depth=2, heads=3)),
        (7, 1, dict(shift=1, step=5.5)),  # G is clipped, and a threshold is rounded
    ],
)
def test_integers_of_pytorch_are_those_of_the_model_for_every_map(n, timesteps, options):
    shape = (1, 8, 8)
    net = prepare(spikformer(n, timesteps, **options), input_shape=shape, input_levels=16, timesteps=timesteps)
    net = settle(net, pixels(shape, 16))
    network = assert_agrees(net, shape, 16)
    kinds = [(layer.product.over, layer.neuron.kind) for layer in network.layers if layer.product]
    kind = "lif" if options.get("neuron") else "if"
    assert kinds == [("tokens", "sum"), ("channels", kind)] * options.get("depth", 1)
    products = [layer for layer in network.layers if layer.product]
    assert products[1].neuron.threshold.max() == {5.5: 3}.get(options.get("step"), 12 // options.get("heads", 2))


def test_what_can_be_clipped_is_named_in_the_changes():
    for n, shift, told in ((4, 0, []), (8, 0, ["can reach 128 (16 tokens x 1 x 8)"]), (8, 1, [])):
        net = prepare(spikformer(n, 1, shift=shift), input_shape=(1, 8, 8), input_levels=16)
        name = "block1.attention.products: K^T V "
        assert list(net.changes) == [f"{name}{text}, and is clipped at 127" for text in told]
        bounds = prove(to_network(net, "n"), 16)
        assert any(bound.clips for bound in bounds.values()) == bool(told)


def test_statistics_count_spikes_of_neurons_that_fire():
    net = prepare(spikformer(2, 1), input_shape=(1, 8, 8), input_levels=16).eval()
    images = pixels((1, 8, 8), 16, 4).numpy().astype(np.uint8)
    network, statistics, widths = deploy(net, "n", images, PAPER)
    g, a = (layer.name for layer in network.layers if layer.product)
    assert "spikes" not in statistics[g] and "spikes" in statistics[a] and "integers" in widths[g]
    features = run(network, images, record="features").features
    k = features["block1_attention_k"]
    assert statistics[g]["bit_density"] == pytest.approx(k.mean()) and 0 < k.mean() < 1


def test_a_trained_attention_is_imported_and_compared_with_itself():
    """The network's own forward pass in float64 fires as what was made of it, spike for spike."""
    module = spikformer(4, 1)
    images = pixels((1, 8, 8), 16, 6).numpy().astype(np.uint8)
    module.train()
    for _ in range(3):
        module(torch.tensor(images).float())  # statistics
    graph = ptq.graph_of(module.eval(), timesteps=1)
    found = ptq.quantize(graph, images, PAPER, name="n", timesteps=1, input_levels=16, allow_silent=True)
    assert found.agreement["block1_attention_products"] > 0.9
    assert any(layer.product for layer in found.network.layers)


def test_training_goes_on_from_the_integers():
    shape = (1, 8, 8)
    net = settle(prepare(spikformer(2, 1), input_shape=shape, input_levels=16), pixels(shape, 16))
    network = to_network(net, "n")
    images = pixels(shape, 16, 70).numpy().astype(np.uint8)
    labels = np.zeros(70, np.int64)
    data = Dataset(
        name="none",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        levels=16,
        classes=3,
    )
    again = to_network(trainable(network, data).eval(), "n")
    ours, theirs = (run(one, images[:4], record="features").features for one in (network, again))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_the_zoo_has_a_spikformer():
    module, shape = build("spikformer", levels=4, timesteps=1, blocks=1, barrier_levels=15)
    assert shape == (1, 8, 8) and sum(p.numel() for p in module.parameters()) == 23098


class Own(nn.Module):
    """A network around attention, whose middle is ``f(self, q, k, v)``."""

    def __init__(self, f, value=4, **modules):
        super().__init__()
        self.f = f
        for name, n in (("q", 4), ("k", 1), ("v", value)):
            self.add_module(name, nn.Conv2d(1, 8, 3, stride=2, padding=1))
            self.add_module(f"{name}_neuron", MultiLevelIF(n))
        self.products, self.neuron, self.fc = AttentionProducts(2), MultiLevelIF(4, threshold=4), nn.Linear(128, 3)
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        maps = self.q_neuron(self.q(x)), self.k_neuron(self.k(x)), self.v_neuron(self.v(x))
        return self.fc(torch.flatten(self.f(self, x, *maps), 1))


REFUSED = {
    "V of many levels": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(q, k, v)), value=200),
        "products: V has levels up to 200, and what takes the place of weights has at most 127; use fewer levels for V",
    ),
    "Q without a neuron": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(m.more(x), k, v)), more=nn.Conv2d(1, 8, 3, 2, 1)),
        "products: attention reads a current that no neuron has turned into spikes; put a neuron behind Q",
    ),
    "V is the input": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(x, x, x))),
        "products: Q has 1 channels for 2 heads; use whole heads",
    ),
    "other positions": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(q, k, m.pool(v))), pool=nn.MaxPool2d(2)),
        r"products: K has \(4, 4\) positions, V \(2, 2\); make them equal",
    ),
    "other channels": (
        Own(
            lambda m, x, q, k, v: m.neuron(m.products(m.n(m.more(x)), k, v)),
            more=nn.Conv2d(1, 4, 3, 2, 1),
            n=MultiLevelIF(2),
        ),
        "products: Q has 4 channels, K 8; make them equal",
    ),
    "an average pool": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(m.pool(q), k, v)), pool=nn.AvgPool2d(2)),
        "products: Q is a pooled or flattened map; put a neuron in front",
    ),
    "no neuron behind": (
        Own(lambda m, x, q, k, v: m.products(q, k, v)),
        "flatten reads a current that no neuron has turned into spikes; put a neuron in front",
    ),
    "a join of products": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(q, k, v) + q)),
        "add: an addition to what attention gives, in front of its neuron; put a neuron first",
    ),
    "a pool of products": (
        Own(lambda m, x, q, k, v: m.neuron(m.pool(m.products(q, k, v))), pool=nn.MaxPool2d(2)),
        "pool: a pool of what attention gives; put a neuron in front of the pool",
    ),
    "concatenated products": (
        Own(lambda m, x, q, k, v: m.neuron(torch.cat([m.products(q, k, v), m.q(x)], 1))),
        "(cat|q): .*",
    ),
    "one input": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(q))),
        "products: is called with 1 inputs; give it Q, K and V in this order",
    ),
    "products of tensors": (
        Own(lambda m, x, q, k, v: m.neuron(q.flatten(2).transpose(1, 2) @ k.flatten(2) @ v.flatten(2).transpose(1, 2))),
        "(flatten|transpose).*",
    ),
    "matmul": (
        Own(lambda m, x, q, k, v: m.neuron(torch.matmul(q, k))),
        "matmul: operation 'matmul' does not exist on the accelerator; use SpikingSelfAttention or AttentionProducts",
    ),
    "softmax": (
        Own(lambda m, x, q, k, v: m.neuron(torch.softmax(q, 1))),
        "softmax: operation 'softmax' does not exist .*AttentionProducts .*, which have no softmax",
    ),
    "one layer for Q, K and V": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(*m.q_neuron(m.all(x)).chunk(3, 1))), all=nn.Conv2d(1, 24, 3)),
        "chunk: operation 'chunk' does not exist on the accelerator; make a layer, a batch norm and a neuron for each",
    ),
    "parts by name": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(*(one for one in torch.split(q, 4, 1)), v))),
        "split: operation 'split' does not exist on the accelerator; make a layer, a batch norm and a neuron for",
    ),
    "a product of maps": (
        Own(lambda m, x, q, k, v: m.neuron(m.products(q * k, k, v))),
        "mul: operation 'mul' does not exist on the accelerator; use .*; for two maps of spikes, SpikeMask",
    ),
    "LayerNorm": (
        Own(lambda m, x, q, k, v: m.neuron(m.norm(m.products(q, k, v))), norm=nn.LayerNorm(4)),
        "norm: module LayerNorm does not exist on the accelerator; use BatchNorm2d, whose statistics are constants",
    ),
    "softmax module": (
        Own(lambda m, x, q, k, v: m.neuron(m.soft(q)), soft=nn.Softmax(1)),
        "soft: module Softmax does not exist on the accelerator; use SpikingSelfAttention or AttentionProducts",
    ),
    "MultiheadAttention": (
        Own(lambda m, x, q, k, v: m.neuron(m.own(q, k, v)), own=nn.MultiheadAttention(8, 2)),
        "own: module MultiheadAttention does not exist on the accelerator; use SpikingSelfAttention",
    ),
}


def test_an_embedding_of_positions_is_told_apart_from_a_layer():
    module = Own(lambda m, x, q, k, v: m.neuron(m.products(m.more(m.embedding + q), k, v)), more=nn.Conv2d(8, 8, 1))
    module.embedding = nn.Parameter(torch.ones(8, 4, 4))
    message = "embedding: a tensor of the module's own is part of no layer; make it a bias, .* can tell positions apart"
    with pytest.raises(ValueError, match=message):
        prepare(module, input_shape=(1, 8, 8), input_levels=16)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused_with_the_form_that_would(name):
    module, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        prepare(module, input_shape=(1, 8, 8), input_levels=16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AttentionProducts(0), "heads must be at least 1, not 0"),
        (lambda: AttentionProducts(2, shift=32), "shift must be in 0..31, not 32"),
        (
            lambda: SpikingSelfAttention(10, 3, neuron=MultiLevelIF, attention=MultiLevelIF),
            "heads must divide the 10 channels, not 3",
        ),
    ],
)
def test_wrong_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_shipped_spikformer():
    """It classifies its samples, and PyTorch's integers are the model's in every map, G among them."""
    loaded = network_file.load(shipped("digits-spikformer"))
    assert loaded.accuracy["integer"] >= 96 and loaded.accuracy["images"] == 360 and loaded.changes == ()
    assert (run(loaded.network, loaded.images).predictions == loaded.labels).mean() >= 0.95
    report = check.compare(loaded.network, loaded.images[:8])
    assert report.difference is None and len(report.compared) == len(loaded.network.layers) == 15
    g = next(layer.name for layer in loaded.network.layers if layer.neuron.kind == "sum")
    assert loaded.widths[g]["integers"][:2] == (0, 64)  # 16 tokens x 1 x 4
    assert set(loaded.widths) == set(loaded.statistics) == {layer.name for layer in loaded.network.layers}
