"""tools.transformers: a small Spikformer of the published shape compiles, and its program gives what the model says."""

import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.compare import compare
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from tools.tables import record
from tools.transformers.__main__ import COLUMNS
from tools.transformers.spikformer import OPERATORS, operator, spikformer


@pytest.fixture(scope="module")
def small():
    return spikformer(2, 48, heads=3, size=8)


def test_every_map_is_that_of_the_model(small):
    network, image = small
    expected = run(network, image, record=("features", "potentials"))
    compiled = compile_network(network, HardwareConfig.load("small"), 1, keep_features=True)
    checks = compare(compiled, interpret(compiled, image), expected)
    assert not [check for check in checks if check.mismatches], checks
    assert {check.layer for check in checks} == {layer.name for layer in network.layers}


def test_neurons_fire_about_as_often_as_published(small):
    network, image = small
    features = run(network, image, record=("features",)).features
    for layer in network.layers:
        if operator(layer.name) in ("SPS convolutions", "q, k, v", "MLP"):
            assert 0.03 < (features[layer.name] > 0).mean() < 0.3, layer.name


def test_pools_are_the_maximum_of_nine(small):
    network, image = small
    features = run(network, image, record=("features",)).features
    below, pooled = features["sps3"][0, :, 0], features["pool3"][0, :, 0]
    for t in range(len(below)):
        for y in range(pooled.shape[1]):
            for x in range(pooled.shape[2]):
                window = below[t, max(0, 2 * y - 1) : 2 * y + 2, max(0, 2 * x - 1) : 2 * x + 2]
                assert pooled[t, y, x] == window.max()


def test_operators_of_the_record_add_up(small):
    """All layers but the end of the job belong to an operator."""
    assert {operator(layer.name) for layer in small[0].layers} == set(OPERATORS)
    for one in record("transformers").values():
        assert one["mismatches"] == 0
        for column in COLUMNS:
            parts = sum(one["cycles"][name][column] or 0 for name in OPERATORS)
            assert 0 <= one["cycles"]["total"][column] - parts < 200
