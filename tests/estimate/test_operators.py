"""Densities of networks: every layer against the report of a co-simulation, and transformers by operator."""

import json

import numpy as np
import pytest

from reprise.estimate.density import density_report, of_network
from reprise.estimate.network import estimate
from reprise.estimate.operators import operators
from reprise.export.find import choose_images, open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.reprise.command import reprise
from tests.support.random_models import random_masks

PAPER = HardwareConfig.load("paper")


@pytest.mark.parametrize("name", ["digits", "digits-spikformer"])
def test_layers_have_the_bits_and_the_published_cycles_of_other_reports(name):
    file = open_network(name, PAPER)
    images = choose_images(file, 2, 0).images
    features = run(file.network, images, record=("features",)).features
    found = density_report(name, of_network(file.network, features), PAPER)
    reported = estimate(file.network, PAPER, images)["layers"]
    assert [one["name"] for one in found["layers"]] == [one["name"] for one in reported]
    for ours, theirs in zip(found["layers"], reported, strict=True):
        assert ours["cycles"]["published_model"] == theirs["cycles"]["published_model"]
        assert ours["counts"]["set_bits"] == theirs["counts"]["set_bits"]
    assert ("operators" in found) == (name == "digits-spikformer")
    for key in ("bit_sparse", "dense", "published_model"):
        whole = found["total"]["cycles"][key]
        assert sum(one["cycles"][key] for one in found.get("operators", [{"cycles": {key: whole}}])) == whole


def test_operators_of_the_shipped_transformer():
    network = open_network("digits-spikformer", PAPER).network
    found = operators(network)
    by_kind = {kind: [name for name in found if found[name] == kind] for kind in found.values()}
    assert by_kind == {
        "embedding": ["stem1_conv1", "stem2_conv1", "position_conv1", "add"],
        "q, k, v": ["block1_attention_q", "block1_attention_k", "block1_attention_v"],
        "attention: K^T V": ["block1_attention_products_kv"],
        "attention: Q G": ["block1_attention_products"],
        "projection": ["block1_attention_proj"],
        "shortcuts": ["add_1", "add_2"],
        "MLP": ["block1_mlp_conv1", "block1_mlp_conv2"],
        "head": ["head"],
    }
    assert operators(open_network("digits", PAPER).network) == {}


def test_neurons_on_a_stored_current_are_shortcuts():
    found = operators(open_network("digits-sdt", PAPER).network)
    by_kind = {kind: [name for name in found if found[name] == kind] for kind in found.values()}
    assert by_kind["q, k, v"] == ["block1_attention_q", "block1_attention_k", "block1_attention_v"]
    assert by_kind["attention: K and V"] == ["block1_attention_tokens"]
    assert by_kind["projection"] == ["block1_attention_proj"] and by_kind["shortcuts"] == ["block1_mlp_neuron1"]
    assert by_kind["MLP"] == ["block1_mlp_conv1", "block1_mlp_conv2"] and by_kind["head"] == ["head"]


def spike_driven():
    """Q, K and V, neurons on the channels of K where V fires, and what reads Q where these fire."""

    def layer(name, feature, weight, mask=None):
        source = Source(feature=feature, mask=mask, weight=np.asarray(weight, np.int8))
        return Layer(name=name, sources=(source,), neuron=Neuron.uniform(len(weight)))

    dense, tokens = np.ones((3, 3, 1, 1)), np.eye(3)[:, :, None, None] * np.ones((2, 2))
    layers = (
        layer("stem", "input", np.ones((3, 2, 1, 1))),
        *(layer(name, "stem", dense) for name in "qkv"),
        layer("kv", "k", tokens, "v"),
        layer("proj", "q", dense, "kv"),
        layer("fc", "proj", dense),
    )
    return Network(name="n", input_shape=(2, 2, 2), input_levels=1, timesteps=1, layers=layers)


def test_operators_of_a_spike_driven_attention():
    assert operators(spike_driven()) == {
        "stem": "embedding", "q": "q, k, v", "k": "q, k, v", "v": "q, k, v",
        "kv": "attention: K and V", "proj": "projection", "fc": "MLP",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_bits_of_a_masked_source_are_those_where_both_fire(seed):
    network = random_masks(seed)
    images = np.random.default_rng(seed).integers(0, 4, (1, *network.input_shape))
    features = run(network, images, record=("features",)).features
    flat = next(one for one in of_network(network, features) if one.name == "flat")
    both = np.minimum(features["q"], features["kv"])
    counts = flat.counts(256, 16, "ckk").total()
    assert counts.set_bits == both.sum()  # thermometer planes have as many bits as the level says


def test_command_shows_operators_beside_published_densities(tmp_path):
    out = tmp_path / "out.json"
    done = reprise("density", "digits-spikformer", "--images", 2, "--json", out, "--sweep")
    assert done.code == 0, done.text
    report = json.loads(out.read_text())
    assert report["published"]["sdt_cifar10"] == {"bit_density": 0.146328, "product_density": 0.0508084}
    assert "attention: Q G" in done.text and "spikformer_cifar10, published" in done.text
    point = next(one for one in report["sweep"] if (one["tile_m"], one["tile_k"]) == (256, 16))
    assert point["product_density"] == report["total"]["product_density"]
    assert "left out beside a network" in reprise("density", "digits", "--spec", out).text
    assert "left out beside a capture" in reprise("density", "x.npz", "--images", 2).text
