"""tools.transformers: small transformers of the published shapes run in the interpreter as the model says."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.compare import compare
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from tools.tables import record
from tools.transformers.__main__ import COLUMNS
from tools.transformers.networks import OPERATORS, operator
from tools.transformers.sdt import sdt
from tools.transformers.spikformer import one_timestep, spikebert, spikformer


@pytest.fixture(scope="module")
def small():
    return spikformer(2, 48, heads=3, size=8)


@pytest.fixture(scope="module")
def text():
    return spikebert(1, 48, heads=3, size=4)


@pytest.fixture(scope="module")
def levels():
    return one_timestep(1, 48, heads=3, size=8)


@pytest.fixture(scope="module")
def driven():
    return sdt(2, 48, size=8)


@pytest.mark.parametrize(
    ("made", "config"), [("small", "small"), ("text", "small"), ("levels", "small-t"), ("driven", "small-t")]
)
def test_every_map_is_that_of_the_model(made, config, request):
    network, image = request.getfixturevalue(made)
    expected = run(network, image, record=("features", "potentials"))
    compiled = compile_network(network, HardwareConfig.load(config), 1, keep_features=True)
    checks = compare(compiled, interpret(compiled, image), expected)
    assert not [check for check in checks if check.mismatches], checks
    behind = {entry.feature for entry in compiled.layers if entry.name != entry.feature}  # a layer's neurons
    assert {check.layer for check in checks} == {layer.name for layer in network.layers} - behind
    assert len(behind) == 3 * (made == "levels")


def test_neurons_fire_about_as_often_as_published(small):
    network, image = small
    features = run(network, image, record=("features",)).features
    for layer in network.layers:
        if operator(layer.name) in ("SPS convolutions", "q, k, v", "MLP") and not layer.pool:
            assert 0.03 < (features[layer.name] > 0).mean() < 0.3, layer.name


def test_neurons_of_text_keep_nine_tenths(text):
    """All neurons have tau 10 but those of the joins, which only add up."""
    for layer in text[0].layers:
        if layer.neuron.kind == "lif":
            assert np.abs(layer.neuron.leak / 256 - 0.9).max() < 1 / 512, layer.name
        else:
            assert operator(layer.name) == "joins" or not layer.neuron.fires, layer.name


def test_a_channel_passes_from_the_first_token_with_both_spikes_on(driven):
    """Its neuron fires at once if K and V have a spike together, and what is left of one never fires."""
    network, image = driven
    features = run(network, image, record=("features",)).features
    both = (features["block1_k"] & features["block1_v"]).any(axis=(3, 4))
    assert np.array_equal(features["block1_kv"][..., 0, 0], both) and 0 < both.mean() < 1


def test_branches_are_added_to_the_stream(driven):
    network, image = driven
    features = run(network, image, record=("features",)).features
    layer = network.layer("block1_fc2")
    weight = layer.sources[0].weight[:, :, 0, 0].astype(np.int64)
    branch = np.einsum("oc,ntchw->ntohw", weight, features["block1_fc1"])
    assert np.array_equal(features["block1_fc2"], features["block1_proj"] + 2 * branch)
    assert np.abs(features["block1_fc2"]).max() < 1 << 15, "nothing is clipped"


def test_operators_of_the_record_add_up(small, driven):
    """All layers but the end of the job belong to an operator."""
    assert {operator(layer.name) for made in (small, driven) for layer in made[0].layers} == set(OPERATORS)
    for one in record("transformers").values():
        assert one["mismatches"] == 0
        names = set(one["cycles"]) - {"total"}
        assert names <= set(OPERATORS)
        for column in COLUMNS:
            parts = sum(one["cycles"][name][column] or 0 for name in names)
            assert 0 <= one["cycles"]["total"][column] - parts < 200
