"""Layers whose input does not fit the feature buffer are computed in parts along K, with the same integers."""

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.hw.arch.config import HardwareConfig
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool

SMALL = HardwareConfig.load("tiny").replace(addend_groups=8, feature_words=32, segments=256)
LARGE = SMALL.replace(feature_words=4096, segments=1 << 12)


def network(seed, kind, *, timesteps=2, size=(5, 6), channels=20, neuron=None, **fields):
    """A map of many channels, and a layer that reads it: "linear", "conv", or "join" of it and the input."""
    r = np.random.default_rng(seed)

    def source(feature, outputs, inputs, kernel=1, **own):
        weight = r.integers(-9, 10, (outputs, inputs, kernel, kernel)).astype(np.int8)
        return Source(feature=feature, weight=weight, **own)

    outputs = neuron.channels if neuron else 10
    made = {
        "linear": lambda: (source("a", outputs, channels * size[0] * size[1], flatten=True),),
        "conv": lambda: (source("a", outputs, channels, 3, padding=1),),
        "join": lambda: (source("a", outputs, channels), source("b", outputs, channels, 3, padding=1)),
    }[kind]()
    fires = Neuron.uniform(channels, levels=3, threshold=5)
    layers = [Layer(name=name, sources=(source("input", channels, 2),), neuron=fires) for name in "ab"]
    layers.append(Layer(name="end", sources=made, neuron=neuron or Neuron.readout(10), **fields))
    return Network(name="n", input_shape=(2, *size), input_levels=3, timesteps=timesteps, layers=tuple(layers))


def maps(net, config, images):
    """The memory image, and the checks of every map of the network."""
    compiled = compile_network(net, config, len(images), keep_features=True)
    checks = compare(compiled, interpret(compiled, images), run(net, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks
    assert [check.feature for check in checks] == [entry.feature for entry in compiled.layers]
    assert {entry.name for entry in compiled.layers} == {layer.name for layer in net.layers}
    return compiled


def parts_of(compiled):
    return sorted({f.name for f in compiled.features.values() if f.name.startswith("end.k")})


NEURONS = {
    "readout": None,
    "fires": Neuron.uniform(10, kind="lif", levels=4, threshold=30, leak=128, reset="hard"),
    "sum": Neuron.sum(10, bits=16),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("kind", ["linear", "conv", "join"])
def test_equal_to_the_model_and_whole_where_it_fits(kind, neuron, batch):
    net = network(3, kind, neuron=NEURONS[neuron])
    images = random_images(3, net, batch)
    split, whole = maps(net, SMALL, images), maps(net, LARGE, images)
    assert parts_of(split) and not parts_of(whole)
    runs = sum(f["addend_bytes"] in (2, 4) for opcode, f in split.commands() if opcode == "RUN")
    assert runs >= len(parts_of(split)) and not any(f.get("addend_bytes") for _, f in whole.commands())


@pytest.mark.parametrize("seed", range(4))
def test_other_shapes(seed):
    r = np.random.default_rng(seed)
    size = tuple(int(n) for n in r.integers(2, 8, 2))
    net = network(seed, "linear", timesteps=int(r.integers(1, 5)), size=size, channels=int(r.integers(5, 30)))
    maps(net, SMALL, random_images(seed, net, 2))


MASKED = SMALL.replace(masks=1)


def masked(seed, kind, *, channels, size=(4, 3), kernel):
    """A map that a mask of its shape lets through, or one of a level for each channel, in front of some kernel."""
    r = np.random.default_rng(seed)

    def layer(name, feature, inputs, outputs, kernel, mask=None):
        weight = r.integers(-9, 10, (outputs, inputs, *kernel)).astype(np.int8)
        fires = Neuron.uniform(outputs, kind="lif", leak=128, reset="hard", threshold=12)
        return Layer(name=name, sources=(Source(feature=feature, weight=weight, mask=mask),), neuron=fires)

    layers = [layer("a", "input", 2, channels, (1, 1)), layer("b", "input", 2, channels, (1, 1))]
    layers.append(layer("one", "b", channels, channels, size))
    layers.append(layer("end", "a", channels, 10, kernel, mask={"map": "b", "channels": "one"}[kind]))
    return Network(name="n", input_shape=(2, *size), input_levels=3, timesteps=2, layers=tuple(layers))


@pytest.mark.parametrize(("channels", "kernel"), [(80, (1, 1)), (73, (2, 3)), (73, (4, 3))])
@pytest.mark.parametrize("kind", ["map", "channels"])
def test_a_masked_map_is_split_with_its_mask(kind, channels, kernel):
    net = masked(7, kind, channels=channels, kernel=kernel)
    images = random_images(7, net, 2)
    tight = MASKED.replace(feature_words=64, segments=64)
    assert parts_of(maps(net, tight, images)) and not parts_of(maps(net, LARGE.replace(masks=1), images))


def test_a_stream_is_added_by_the_first_part():
    net = network(5, "conv", neuron=Neuron.sum(10))
    x = Layer(name="x", sources=net.layers[2].sources, neuron=Neuron.sum(10, bits=16))
    y = Layer(name="y", sources=net.layers[2].sources, neuron=Neuron.sum(10), addend="x")
    net = Network(name="n", input_shape=(2, 5, 6), input_levels=3, timesteps=2, layers=(*net.layers[:2], x, y))
    maps(net, SMALL, random_images(5, net, 2))


def test_what_cannot_be_split_is_refused_with_what_would_help():
    rule = "layer 'end': the input of one output line must be at most feature_words=32 on-chip words"
    with pytest.raises(CompileError, match=f"{rule}.*or with addend_groups, by which a layer without a pool"):
        compile_network(network(1, "linear"), SMALL.replace(addend_groups=0), 1)
    pooled = network(1, "conv", neuron=NEURONS["fires"], pool=MaxPool(kernel=2))
    with pytest.raises(CompileError, match=rule):
        compile_network(pooled, SMALL, 1)


def test_the_head_of_a_whole_spikformer_compiles():
    """384 channels of levels up to 5 on 8x8 tokens at T = 4 take 9,216 words, of which `paper` has 2,048."""
    r = np.random.default_rng(1)
    shape = (384, 1, 1, 1)
    spikes = Neuron.uniform(384, levels=5, threshold=3)
    body = Layer(
        name="a", sources=(Source(feature="input", weight=r.integers(1, 9, shape).astype(np.int8)),), neuron=spikes
    )
    weight = r.integers(-3, 4, (10, 384 * 64, 1, 1)).astype(np.int8)
    head = Layer(name="end", sources=(Source(feature="a", weight=weight, flatten=True),), neuron=Neuron.readout(10))
    net = Network(name="n", input_shape=(1, 8, 8), input_levels=1, timesteps=4, layers=(body, head))
    paper = HardwareConfig.load("paper")
    with pytest.raises(CompileError, match="at most feature_words=2048 on-chip words.*, not 9216, and"):
        compile_network(net, paper, 1)
    compiled = compile_network(net, paper.replace(addend_groups=16), 1, keep_features=True)
    checks = compare(
        compiled,
        interpret(compiled, np.ones((1, 1, 8, 8), np.int64)),
        run(net, np.ones((1, 1, 8, 8), np.int64), record=("features", "potentials")),
    )
    assert not any(check.mismatches for check in checks) and len(parts_of(compiled)) == 5
