"""Lines of a kernel that weigh alike are read as planes, with the same integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.compiler import compile_network
from reprise.compiler.errors import CompileError
from reprise.compiler.golden.interpreter import interpret
from reprise.compiler.rows import planes
from reprise.cosim.jobs.compare import compare
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron

TINY = HardwareConfig.load("tiny").replace(masks=1, addend_groups=8, segments=512)
KINDS = "tokens", "linear", "kernel", "two sources"
MASKS = "none", "token", "channel"


def network(r, *, kind="tokens", size=(6, 3), channels=11, timesteps=2, mask="none", stride=1, padding=0, levels=1):
    """Spikes k, what masks them if anything does, and a layer whose kernels weigh all their lines alike."""
    height, width = size
    rows = r.integers(-9, 10, (5, channels, 1, width))
    weight = np.repeat(rows, height, axis=2).astype(np.int8)
    how = {"mask": {"none": None, "token": "v", "channel": "c"}[mask]}
    shape = size
    if kind == "linear":
        weight = weight.transpose(0, 2, 3, 1).reshape(5, -1, 1, 1)
        how["flatten"] = True
    if kind == "kernel":
        shape, how = (height + 3, width + 2), how | {"stride": stride, "padding": padding}
    sources = [Source(feature="k", weight=weight, **how)]
    if kind == "two sources":
        sources.append(Source(feature="v", weight=-weight))

    def spikes(name, levels=1):
        source = Source(feature="input", weight=r.integers(-9, 10, (channels, 2, 1, 1)).astype(np.int8))
        return Layer(name=name, sources=(source,), neuron=Neuron.uniform(channels, levels=levels, threshold=6))

    whole = r.integers(-9, 10, (channels, 2, *shape)).astype(np.int8)
    layers = {
        "k": spikes("k", levels),
        "v": spikes("v"),
        "c": Layer(
            name="c", sources=(Source(feature="input", weight=whole),), neuron=Neuron.uniform(channels, threshold=5)
        ),
        "end": Layer(name="end", sources=tuple(sources), neuron=Neuron.uniform(5, levels=3, threshold=20)),
    }
    read = {"k", "end", *(source.mask or "k" for source in sources), *(source.feature for source in sources)}
    return Network(
        name="lines",
        input_shape=(2, *shape),
        input_levels=3,
        timesteps=timesteps,
        layers=tuple(layer for name, layer in layers.items() if name in read),
    )


def end_runs(compiled):
    """Return the RUNs of the last layer."""
    entry, commands = compiled.layers[-1], list(compiled.commands())
    return [fields for opcode, fields in commands[entry.first : entry.last] if opcode == "RUN"]


def check(net, config, images, r):
    """Every map of the interpreter equals the model's; returns the RUNs of the last layer."""
    pictures = r.integers(0, 4, (images, *net.input_shape))
    compiled = compile_network(net, config, images, keep_features=True)
    checks = compare(compiled, interpret(compiled, pictures), run(net, pictures, record=("features", "potentials")))
    assert checks and not any(one.mismatches for one in checks), checks
    assert {one.layer for one in checks} == {layer.name for layer in net.layers}
    return end_runs(compiled)


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    mask=st.sampled_from(MASKS),
    size=st.tuples(st.integers(1, 9), st.integers(1, 4)),
    channels=st.sampled_from([1, 3, 8, 11, 17]),
    timesteps=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    images=st.integers(1, 2),
)
@settings(max_examples=40, deadline=None)
def test_maps_equal_the_model(seed, kind, mask, size, channels, timesteps, stride, padding, images):
    r = np.random.default_rng(seed)
    if kind == "two sources":
        mask = "none"  # a join has no mask
    how = {"stride": stride, "padding": min(padding, *(n - 1 for n in size))} if kind == "kernel" else {}
    net = network(r, kind=kind, size=size, channels=channels, timesteps=timesteps, mask=mask, **how)
    check(net, TINY.replace(tile_m=32), images, r)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("lines", "expected"), [(1, 1), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (11, 1), (12, 6)])
def test_as_many_lines_as_divide_the_kernel_and_the_planes_hold_are_planes(lines, expected, mask):
    r = np.random.default_rng(lines)
    (found,) = check(network(r, size=(lines, 3), mask=mask), TINY.replace(tile_m=32), 1, r)
    assert found["planes"] == expected and found["weigh"] == int(expected == 1)


def test_all_lines_of_both_sources_of_a_join_are_planes():
    r = np.random.default_rng(1)
    (found,) = check(network(r, kind="two sources"), TINY.replace(tile_m=32), 1, r)
    assert (found["planes"], found["weigh"]) == (6, 0)


def test_parts_along_k_read_their_lines_as_planes():
    r = np.random.default_rng(2)
    net = network(r, size=(8, 8), channels=64, kind="linear")
    parts = check(net, TINY.replace(tile_m=32, feature_words=128), 1, r)
    assert len(parts) > 1 and {one["weigh"] for one in parts} == {0} and len({one["planes"] for one in parts}) == 1


REFUSED = {
    "levels above 1": {"levels": 3},
    "more rows than an m tile has": {"timesteps": 3, "size": (11, 3)},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_left_as_it_was(name):
    r = np.random.default_rng(3)
    found = check(network(r, **REFUSED[name]), TINY, 1, r)
    assert {one["weigh"] for one in found} == {1}


@pytest.mark.parametrize(
    ("size", "timesteps", "message"),
    [((8, 3), 40, "timesteps must be at most max_timesteps=8"), ((4, 3), 12, "timesteps x planes must be at most")],
)
def test_a_layer_of_too_many_timesteps_is_still_refused_by_name(size, timesteps, message):
    net = network(np.random.default_rng(7), size=size, timesteps=timesteps)
    with pytest.raises(CompileError, match=message):
        compile_network(net, TINY.replace(tile_m=8, max_timesteps=8 if timesteps == 40 else 16), 1)


def test_one_line_that_weighs_otherwise_is_left_as_it_was():
    r = np.random.default_rng(4)
    net = network(r)
    end = net.layers[-1]
    weight = end.sources[0].weight.copy()
    weight[2, 1, 4, 0] += 1
    other = replace(end, sources=(replace(end.sources[0], weight=weight),))
    config = TINY.replace(tile_m=32)
    assert check(net, config, 1, r)[0]["planes"] == 6
    assert check(replace(net, layers=(*net.layers[:-1], other)), config, 1, r)[0]["planes"] == 1


def test_a_layer_of_many_positions_is_left_as_it_was():
    """Its m tiles are full, so that planes would be more of them, with as many weights each."""
    r = np.random.default_rng(5)
    net = network(r, kind="kernel", size=(2, 2))
    weight = net.layers[-1].sources[0].weight
    assert (weight[:, :, :1] == weight).all()
    assert {one["planes"] for one in check(net, TINY, 1, r)} == {1}


def test_figures_of_a_layer_are_those_without_and_its_cycles_fewer(monkeypatch):
    r = np.random.default_rng(6)
    net = network(r, size=(8, 8), channels=16, mask="token")
    images = r.integers(0, 4, (1, *net.input_shape))
    config = TINY.replace(tile_m=32)
    found = estimate(net, config, images)["layers"][-1]
    monkeypatch.setattr(planes, "_alike", lambda source: 1)
    whole = estimate(net, config, images)["layers"][-1]
    same = "published_model", "dense", "bit_sparse"
    assert [found["cycles"][key] for key in same] == [whole["cycles"][key] for key in same]
    assert found["bit_density"] == whole["bit_density"]
    assert found["tile_use"]["bits"] == whole["tile_use"]["bits"]
    assert found["k_tiles"] * 8 == whole["k_tiles"]
    assert found["cycles"]["cycle_model"] < 0.7 * whole["cycles"]["cycle_model"]
