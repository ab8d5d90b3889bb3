"""Maps whose channels lie in an order of their own: which maps, which orders, and that all integers stay the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.compiler.order import choose
from reprise.compiler.order.cluster import alternating, co_active
from reprise.compiler.order.cost import finished
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.model.inference.runner import run
from reprise.model.network.join import Join
from reprise.model.network.layer import Layer, Product, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.compiler.networks import grouped_network
from tests.support.random_models import random_images, random_network

TINY = HardwareConfig.load("tiny")
SMALL = HardwareConfig.load("small")
EVERYTHING = HardwareConfig.load("small-t").replace(joins=1)


def equal_maps(network, compiled, images):
    memory = interpret(compiled, images)
    expected = run(network, images, record=("features", "potentials"))
    for key, f in compiled.features.items():
        maps = expected.potentials if f.kind == "potentials" else expected.features
        assert np.array_equal(compiled.read_feature_map(memory, key), maps[f.name]), key


def test_maps_are_the_model_s():
    network, images = grouped_network(channels=48, groups=3)
    for order, maps in ((True, ["a", "b"]), (False, [])):
        compiled = compile_network(network, TINY, 2, keep_features=True, order=order)
        assert [key for key, f in compiled.features.items() if f.order] == maps
        equal_maps(network, compiled, images)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_any_order_of_any_network_gives_the_same(seed):
    """Whatever the order: here the worst one that was tried is taken, of maps of any size."""
    network = random_network(seed)
    images = random_images(network, 2, seed=seed)
    network = replace(network, calibration=images)
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "LEAST", 2)
        patch.setattr(choose, "WORTH", 100)
        patch.setattr(choose, "_own_weights", lambda *_: True)
        patch.setattr(choose, "candidates", lambda feature, tile_k: [rng.permutation(feature.shape[2])])
        compiled = compile_network(network, SMALL, 2, keep_features=True)
    channels = network.layer("c1").channels
    assert len(compiled.features["c1"].order) == (channels if channels > 1 else 0)
    equal_maps(network, compiled, images)


def test_a_map_that_a_convolution_and_a_linear_layer_read():
    rng = np.random.default_rng(8)
    linear = rng.integers(-9, 10, (3, 384, 1, 1)).astype(np.int8)
    layers = (
        layer("a", "input", weight=rng.integers(-9, 10, (24, 24, 1, 1)).astype(np.int8)),
        layer("b", "a", weight=rng.integers(-9, 10, (24, 24, 1, 1)).astype(np.int8)),
        layer("linear", "a", weight=linear, flatten=True),
        layer("end", "b", 2, neuron=Neuron.readout(2)),
    )
    images = rng.integers(0, 2, (2, 24, 4, 4))
    network = replace(network_of(*layers), calibration=images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "WORTH", 100)
        compiled = compile_network(network, SMALL, 2, keep_features=True)
    assert compiled.features["a"].order and compiled.features["input"].order
    equal_maps(network, compiled, images)


def test_channels_that_fire_together_lie_together():
    rng = np.random.default_rng(2)
    kind = rng.permutation(np.repeat(np.arange(5), 6))
    spikes = (rng.random((400, 5)) < [0.5, 0.4, 0.3, 0.2, 0.1])[:, kind]
    groups = co_active(spikes, 6)
    assert [sorted(kind[group]) for group in groups] == [[n] * 6 for n in range(5)]
    assert sorted(np.concatenate(co_active(spikes, 7))) == list(range(30))
    assert [len(group) for group in co_active(spikes, 7)] == [7, 7, 7, 7, 2]
    assert [kind[group[0]] for group in alternating(groups)] == [0, 4, 1, 3, 2]
    assert [len(group) for group in alternating(co_active(spikes, 8))] == [8, 8, 8, 6]
    assert [len(group) for group in co_active(np.zeros((3, 5)), 2)] == [2, 2, 1]


def test_when_tiles_are_finished():
    """Against the time of each cycle: three workers in a row, and room for some tiles."""
    rng = np.random.default_rng(1)
    for ahead in (1, 2, 3, 9):
        work = rng.integers(1, 9, (3, 40))
        place, left, inside, time = [0, 0, 0], [0, 0, 0], 0, 0
        while place[2] < 40:
            if left[0] == 0 and place[0] < 40 and inside < ahead:
                left[0], inside = work[0, place[0]], inside + 1
            for stage in (1, 2):
                if left[stage] == 0 and place[stage] < place[stage - 1]:
                    left[stage] = work[stage, place[stage]]
            time += 1
            for stage in range(3):
                if left[stage]:
                    left[stage] -= 1
                    place[stage] += left[stage] == 0
                    inside -= stage == 2 and left[stage] == 0
        assert finished(*work, ahead) == time
        if ahead == 1:
            assert time == work.sum()


def network_of(*layers, channels=24, timesteps=1):
    return Network(name="n", input_shape=(channels, 4, 4), input_levels=1, timesteps=timesteps, layers=layers)


def layer(name, feature, outputs=24, inputs=24, *, neuron=None, kernel=1, weight=None, more=(), **fields):
    weight = np.ones((outputs, inputs, kernel, kernel), np.int8) if weight is None else weight
    outputs = len(weight)
    how = {key: fields.pop(key) for key in ("mask", "flatten") if key in fields}
    sources = (Source(feature=feature, weight=weight, padding=kernel // 2, **how), *more)
    return Layer(name=name, sources=sources, neuron=neuron or Neuron.uniform(outputs, threshold=5), **fields)


END = layer("end", "a", 2, neuron=Neuron.readout(2))
BLOCKS = np.kron(np.eye(2), np.ones((64, 64)))[..., None, None].astype(np.int8)
FREE = {
    "convolution": ((layer("a", "input"), END), ["input", "a"]),
    "result": ((layer("a", "input"),), ["input"]),
    "few channels": ((layer("a", "input", 23), layer("end", "a", 2, 23, neuron=Neuron.readout(2))), ["input"]),
    "only a linear layer": (
        (layer("a", "input"), layer("end", "a", 2, 384, flatten=True, neuron=Neuron.readout(2))),
        ["input"],
    ),
    "groups": (
        (layer("a", "input", 128), layer("b", "a", weight=BLOCKS), layer("end", "b", 2, 128)),
        ["input", "b"],
    ),
    "integer map": ((layer("a", "input", neuron=Neuron.sum(24, bits=16)), layer("b", "input", addend="a")), ["input"]),
    "mask": ((layer("a", "input"), layer("b", "input"), layer("end", "a", 2, mask="b")), ["input"]),
    "operand": (
        (
            layer("a", "input"),
            layer("b", "input"),
            Layer(
                name="end",
                sources=(Product(feature="a", operand="b", over="tokens"),),
                neuron=Neuron.uniform(24, threshold=5),
            ),
        ),
        ["input"],
    ),
    "join": (
        (layer("a", "input"), layer("b", "input", join=Join(feature="a", levels=1)), layer("end", "b", 2)),
        ["input"],
    ),
}


@pytest.mark.parametrize("name", FREE)
def test_maps_that_may_have_an_order(name):
    layers, expected = FREE[name]
    assert list(choose.free_maps(network_of(*layers), EVERYTHING, ())) == expected


def test_layers_that_the_compiler_made_keep_theirs():
    network = network_of(layer("a", "input"), END)
    assert list(choose.free_maps(network, TINY, {"a"})) == []
    assert list(choose.free_maps(network, TINY, {"end"})) == ["input"]


def test_without_calibration_images_nothing_is_moved():
    network, _ = grouped_network(channels=48, groups=3)
    compiled = compile_network(replace(network, calibration=None), TINY)
    assert not any(f.order for f in compiled.features.values())


def test_files_say_the_order(tmp_path):
    network, _ = grouped_network(channels=48, groups=3)
    compiled = compile_network(network, TINY)
    compiled.save(tmp_path)
    told = json.loads((tmp_path / "memory.json").read_text())
    a = told["features"]["a"]
    assert told["format"] == 5 and sorted(a["order"]) == list(range(48)) and "order" not in told["features"]["end"]
    assert MemoryImage.load(tmp_path).features == compiled.features
    twice, short = [a["order"][1], *a["order"][1:]], a["order"][:-1]
    for order, message in (
        (twice, "order must be every channel of a map of planes once"),
        (short, "order must be every channel of a map of planes once"),
        ([], "order must be every channel of a map of planes once"),
        ([0.5, *a["order"][1:]], "order must be a list of integers from 0 on"),
        ("natural", "order must be a list of integers from 0 on"),
    ):
        changed = {**told, "features": {**told["features"], "a": {**a, "order": order}}}
        (tmp_path / "memory.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=message):
            MemoryImage.load(tmp_path)
    for other in (3, 4):
        (tmp_path / "memory.json").write_text(json.dumps({**told, "format": other}))
        with pytest.raises(ValueError, match=f"format must be 5, not {other}"):
            MemoryImage.load(tmp_path)
