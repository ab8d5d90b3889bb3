"""Max pools whose windows overlap: in the output's memory, by stripes and columns, or as layers of their own."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.compiler import compile_network
from reprise.compiler.errors import CompileError
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.compare import compare
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.rules import order_violations, violations
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool

PLAIN = HardwareConfig.load("tiny")
TINY = PLAIN.replace(pool_words=64)
POOL = MaxPool(kernel=3, stride=2, padding=1)


def network(rng, size, *, channels=5, levels=3, timesteps=1, kernel=3, stride=1, pool=POOL):
    """A convolution with a pool, and one that reads what it gives in two ways."""
    weight = rng.integers(-9, 10, (channels, 2, kernel, kernel)).astype(np.int8)
    first = Source(feature="input", weight=weight, padding=kernel // 2, stride=stride)
    reads = [
        Source(feature="a", weight=rng.integers(-9, 10, (4, channels, k, k)).astype(np.int8), padding=k // 2)
        for k in (1, 3)
    ]
    layers = (
        Layer(name="a", sources=(first,), neuron=Neuron.uniform(channels, levels=levels, threshold=15), pool=pool),
        Layer(name="b", sources=(reads[0],), neuron=Neuron.uniform(4, levels=3, threshold=9), encoding="thermometer"),
        Layer(name="c", sources=(reads[1],), neuron=Neuron.uniform(4, levels=2, threshold=9)),
    )
    return Network(name="pools", input_shape=(2, *size), input_levels=3, timesteps=timesteps, layers=layers)


def check(net, config, images, rng):
    """Every map of the interpreter equals the model's; returns the RUNs of layer "a"."""
    pictures = rng.integers(0, 4, (images, *net.input_shape))
    compiled = compile_network(net, config, images, keep_features=True)
    checks = compare(compiled, interpret(compiled, pictures), run(net, pictures, record=("features", "potentials")))
    assert checks and not any(one.mismatches for one in checks), checks
    assert {one.layer for one in checks} == {layer.name for layer in net.layers}
    commands = list(compiled.commands())
    return [
        f
        for entry in compiled.layers
        if entry.name == "a"
        for op, f in commands[entry.first : entry.last]
        if op == "RUN"
    ]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_maps_equal_the_model(seed):
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(1, 12, 2))
    how = dict(channels=int(rng.integers(1, 20)), levels=int(rng.integers(1, 4)), timesteps=int(rng.integers(1, 4)))
    net = network(rng, size, kernel=int(rng.choice([1, 3])), stride=int(rng.integers(1, 3)), **how)
    config = TINY.replace(feature_words=int(rng.choice([128, 512])), pool_words=int(rng.choice([64, 256])))
    check(net, config, int(rng.integers(1, 4)), rng)


def test_stripes_go_on_below_each_other():
    """A map that does not fit is computed in stripes, block by block, and no line is computed twice."""
    rng = np.random.default_rng(0)
    runs = check(network(rng, (60, 8), channels=12, levels=1), TINY.replace(feature_words=64), 1, rng)
    blocks = [runs[: len(runs) // 2], runs[len(runs) // 2 :]]
    for stripes in blocks:
        assert len(stripes) > 2 and sum(2 * f["out_lines"] - f["pool_odd_y"] for f in stripes) == 60
        assert [f["pool_ready"] for f in stripes] == [0] + [1] * (len(stripes) - 1)
        assert [f["pool_hold"] for f in stripes] == [1] * (len(stripes) - 1) + [0]


def test_a_run_goes_on_only_below_a_line_that_is_kept():
    rng = np.random.default_rng(0)
    first, second, *_ = check(network(rng, (60, 8), levels=1), TINY.replace(feature_words=64), 1, rng)
    assert order_violations(TINY, "RUN", second, first) == []
    rule = "RUN.pool_ready must be pool_hold of the RUN before, and pool and out_width and .* then the same, not {}"
    wrong = [
        (second, first | {"pool_hold": 0}),
        (second | {"pool_ready": 0}, first),
        (second | {"out_width": 3}, first),
    ]
    for fields, before in [*wrong, (second, None)]:
        (text,) = order_violations(TINY, "RUN", fields, before)
        assert re.match(rule.format(fields["pool_ready"]), text)
    assert violations(TINY, "RUN", second | {"images": 2}) and violations(TINY, "RUN", first | {"pool_odd_y": 1})


def test_columns_are_cut_where_a_line_does_not_fit_the_memory():
    rng = np.random.default_rng(0)
    runs = check(network(rng, (6, 33), channels=8, levels=1), TINY.replace(pool_words=16), 1, rng)
    assert max(f["out_width"] * f["timesteps"] * f["groups"] for f in runs) <= 16
    assert {f["pool_halo_x"] for f in runs} == {0, 1} and {f["pool_odd_x"] for f in runs} == {0, 1}


def test_a_line_that_fits_no_cut_is_refused():
    rng = np.random.default_rng(0)
    net = network(rng, (6, 6), channels=8, timesteps=8)
    with pytest.raises(
        CompileError, match="layer 'a': a line of its max pool.*at most pool_words=8 words.*, not 48: use"
    ):
        compile_network(net, TINY.replace(pool_words=8, max_timesteps=8), 1)


@pytest.mark.parametrize("timesteps", [1, 3])
def test_spikes_are_pooled_by_a_layer_where_hardware_cannot(timesteps):
    rng = np.random.default_rng(timesteps)
    net = network(rng, (9, 8), levels=1, timesteps=timesteps)
    assert {f["pool"] for f in check(net, PLAIN, 2, rng)} == {1}
    assert {f["pool"] for f in check(net, TINY, 2, rng)} == {5}


def test_levels_are_not():
    rng = np.random.default_rng(0)
    with pytest.raises(CompileError, match="layer 'a': its max pool.*pool_words of at least 8, not 0.*fire 3 levels"):
        compile_network(network(rng, (6, 6)), PLAIN, 1)
