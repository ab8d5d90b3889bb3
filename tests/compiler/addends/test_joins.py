"""Joins behind neurons: which are computed so, that both ways give the same maps, and what is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.errors import OrderBroken, ProgramError
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.compiler.rows.joins import joins_behind
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.cosim.soak.joins import random_joins
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import Error, pack
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.compiler.networks import TINY as PLAIN
from tests.compiler.networks import patched

TINY = PLAIN.replace(joins=1, addend_groups=8)
CONFIGS = {
    "tiny": TINY,
    "wide words": TINY.replace(bus_bits=256, lanes=32, neuron_lanes=8),
    "one lane": TINY.replace(neuron_lanes=1),
    "small buffer": TINY.replace(feature_words=128),
    "few levels": TINY.replace(max_levels=3),
}


def equal(network, config, images):
    """The memory image, whose maps are those of the model."""
    compiled = compile_network(network, config, len(images), keep_features=True)
    checks = compare(compiled, interpret(compiled, images), run(network, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks
    return compiled


def added(compiled):
    """How many RUNs add levels."""
    return sum(opcode == "RUN" and f["join_planes"] > 0 for opcode, f in compiled.commands())


@pytest.mark.parametrize("name", CONFIGS)
def test_random_networks_are_equal_both_ways(name):
    """The maps of the model, those of a network whose layers have joins, and those of RUNs with and without them."""
    config, seen = CONFIGS[name], Counter()
    for seed in range(8):
        network = random_joins(seed, config)
        images = random_images(seed, network, 1 + seed % 3)
        whole = run(network, images, record=("features",)).features
        made, joined = joins_behind(network, config)
        features = run(made, images, record=("features",)).features
        assert all(np.array_equal(values, whole[name]) for name, values in features.items())
        assert set(features) == set(whole) - set(joined.values())
        with_joins, without = (equal(network, one, images) for one in (config, config.replace(joins=0)))
        assert added(without) == 0 and (added(with_joins) > 0) == bool(joined)
        layers = [entry.name for entry in with_joins.layers]
        assert set(layers) == {layer.name for layer in network.layers} - set(joined)
        seen["joins"] += len(joined)
        seen["others"] += sum(layer.name[0] == "j" for layer in network.layers) - len(joined)
    assert min(seen.values()) >= 4, seen


def sew(levels=3, timesteps=2, channels=5, size=(3, 4), step=2, more=(), most=1, **fields):
    """x = fires(input) up to ``most``, b = fires(x), and their join j, whose neuron has other ``fields``."""
    r = np.random.default_rng(3)

    def layer(name, feature, inputs, levels=1):
        weight = r.integers(-5, 9, (channels, inputs, 1, 1)).astype(np.int8)
        neuron = Neuron.uniform(channels, levels=levels, threshold=6)
        return Layer(name=name, sources=(Source(feature=feature, weight=weight),), neuron=neuron)

    eye = step * np.eye(channels, dtype=np.int8)[:, :, None, None]
    sources = (Source(feature="x", weight=eye), Source(feature="b", weight=eye))
    own = {key: fields.pop(key) for key in ("pool", "encoding", "sources") if key in fields}
    neuron = Neuron.uniform(channels, levels=levels, threshold=step, **fields)
    join = Layer(name="j", neuron=neuron, **({"sources": sources} | own))
    layers = (layer("x", "input", 2, most), layer("b", "x", channels), join, *more)
    return Network(name="n", input_shape=(2, *size), input_levels=3, timesteps=timesteps, layers=layers)


def reads_b():
    source = Source(feature="b", weight=np.ones((1, 5, 1, 1), np.int8))
    return Layer(name="end", sources=(source,), neuron=Neuron.readout(1))


EYE = 2 * np.eye(5, dtype=np.int8)[:, :, None, None]
BEHIND = {
    "plain": {},
    "hard reset and clip": {"reset": "hard", "levels": 1},
    "clip at once": {"timesteps": 1, "levels": 1, "reset": "none"},
    "a part of a step": {"timesteps": 1, "bias": np.full(5, -1), "v0": np.full(5, 2)},
    "forgets": {"kind": "lif", "leak": 0, "levels": 1, "bias": np.full(5, 1)},
    "leaks": {"kind": "lif", "leak": 100, "v0": np.full(5, 1)},
}
NOT = {
    "clip that is kept": {"levels": 1},
    "no reset": {"reset": "none"},
    "a step of bias": {"timesteps": 1, "bias": np.full(5, 2)},
    "bias of each timestep": {"bias": np.full(5, 1)},
    "negative": {"v0": np.full(5, -1)},
    "other weight": {"sources": (Source(feature="x", weight=EYE), Source(feature="b", weight=EYE // 2))},
    "between channels": {"sources": (Source(feature="x", weight=EYE), Source(feature="b", weight=EYE[::-1]))},
    "the same twice": {"sources": (Source(feature="b", weight=EYE),) * 2},
    "one source": {"sources": (Source(feature="b", weight=EYE),)},
    "pool": {"pool": MaxPool(kernel=2)},
    "read elsewhere": {"more": (reads_b(),)},
    "thermometer": {"encoding": "thermometer", "levels": 4, "most": 3},
}


@pytest.mark.parametrize("name", [*BEHIND, *NOT])
def test_which_are_computed_behind_neurons(name):
    network = sew(**(BEHIND | NOT)[name])
    _, joined = joins_behind(network, TINY)
    assert joined == ({"j": "b"} if name in BEHIND else {})
    images = random_images(1, network, 2)
    compiled = equal(network, TINY, images)
    assert added(compiled) == (name in BEHIND) and ("b" in compiled.features) == (name in NOT)


def test_a_branch_that_cannot_have_levels_added_leaves_the_other_one():
    """The branch has a pool, so that what it is added to, which nothing else reads, has the join behind its neurons."""
    weight = np.ones((5, 5, 1, 1), np.int8)
    source = Source(feature="x", weight=weight, padding=0)
    pooled = Layer(name="b", sources=(source,), neuron=Neuron.uniform(5, threshold=4), pool=MaxPool(kernel=2))
    half = Layer(name="s", sources=(replace(source, stride=2),), neuron=Neuron.uniform(5, threshold=3))
    eye = np.eye(5, dtype=np.int8)[:, :, None, None]
    sources = tuple(Source(feature=name, weight=eye) for name in "sb")
    join = Layer(name="j", sources=sources, neuron=Neuron.uniform(5, levels=2))
    network = replace(sew(size=(4, 6)), layers=(sew().layers[0], half, pooled, join))
    made, joined = joins_behind(network, TINY)
    assert joined == {"j": "s"} and [layer.name for layer in made.layers] == ["x", "b", "j"]
    equal(network, TINY, random_images(2, network, 2))


def test_parts_of_a_layer_and_a_static_image_add_levels_once():
    """In parts along K only the last part adds them, and of two steps of a static image the second one."""
    network = sew(channels=40, timesteps=3)
    r, config = np.random.default_rng(5), TINY.replace(feature_words=64)
    wide = Source(feature="x", weight=r.integers(-5, 9, (40, 40, 3, 3)).astype(np.int8), padding=1)
    network = replace(
        network, layers=(network.layers[0], replace(network.layers[1], sources=(wide,)), network.layers[2])
    )
    compiled = equal(network, config, random_images(3, network, 1))
    assert {f.name for f in compiled.features.values()} >= {"j", "j.k0"} and added(compiled) == 5
    once = sew(timesteps=8, channels=8)
    static = Source(feature="input", weight=r.integers(-5, 9, (8, 2, 1, 1)).astype(np.int8))
    layers = (once.layers[0], replace(once.layers[1], sources=(static,)), once.layers[2])
    once = replace(once, layers=layers, input_levels=255, input_mode="repeat")
    compiled = equal(once, TINY, random_images(3, once, 2))
    assert "j.once" in {f.name for f in compiled.features.values()} and added(compiled) > 0


def test_what_is_given_for_a_layer_is_that_of_its_rows():
    """The branch's options count, and those of the join that is no RUN do not; names that do not exist are refused."""
    network = sew()
    for depths, depth in (({"b": 3}, 3), ({"j": 3}, 4), ({"b": 3, "j": 2}, 3)):
        compiled = compile_network(network, TINY.replace(tile_k=4), 1, tile_depths=depths)
        runs = [f for opcode, f in compiled.commands() if opcode == "RUN" and f["join_planes"]]
        assert {f["tile_depth"] for f in runs} == {depth}
    modes = compile_network(network, TINY.replace(modes=1), 1, mode={"b": "dense"})
    assert {f["mode"] for opcode, f in modes.commands() if opcode == "RUN" and f["join_planes"]} == {2}
    with pytest.raises(ValueError, match=r"tile_depths must be of layers of the network, \['b', 'j', 'x'\], not 'c'"):
        compile_network(network, TINY, 1, tile_depths={"c": 3})


def test_a_report_has_the_layer_and_its_join_in_one():
    """The cycles of both in the published model are those of the layer whose RUN does both."""
    network = sew()
    images = random_images(1, network, 1)
    one, two = (estimate(network, config, images) for config in (TINY, TINY.replace(joins=0)))
    assert [layer["name"] for layer in one["layers"]] == ["x", "b"] and one["layers"][1]["feature"] == "j"
    assert one["total"]["cycles"]["published_model"] == two["total"]["cycles"]["published_model"]
    assert one["total"]["cycles"]["cycle_model"] < two["total"]["cycles"]["cycle_model"]


def test_all_joins_of_the_shipped_spikformer_are_computed_behind_neurons():
    """Those of the position, of the attention and of the MLP, which no cheaper way has."""
    file, config = load(shipped("digits-spikformer")), HardwareConfig.load("small-t")
    joins = [layer.name for layer in file.network.layers if len(layer.sources) == 2]
    _, behind = joins_behind(file.network, config)
    assert len(joins) == 3 and sorted(behind) == sorted(joins)
    one, two = (estimate(file.network, c, file.images[:1]) for c in (config, config.replace(joins=0)))
    assert one["total"]["cycles"]["cycle_model"] < 0.85 * two["total"]["cycles"]["cycle_model"]


def test_stored_levels_are_read_once_and_behind_a_barrier():
    network = sew(channels=9)
    image = compile_network(network, TINY, 1, keep_features=True)
    images = random_images(1, network, 1)
    interpreter = Interpreter(image, image.initial_memory(images))
    interpreter.run()
    commands, stored = image.commands(), image.features["x"]
    first, second, *_ = (n for n, (opcode, f) in enumerate(commands) if opcode == "RUN" and f["join_planes"])
    assert interpreter.memory.read_by[first] >= stored.bytes // stored.blocks
    fields = dict(commands[second][1])
    fields["join"] = (commands[first][1]["output"] - fields["output"]) // 8
    with pytest.raises(OrderBroken, match="must have been waited for"):
        interpret(patched(image, second, pack("RUN", **fields)), images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"join_levels": 0}, "join_levels must be at least 1 with join_planes, not 0"),
        ({"join_levels": 16}, r"join_levels must be 0..15 \(max_levels\), not 16"),
        ({"join_planes": 9}, r"join_planes must be 0..8 \(max_planes\), not 9"),
        ({"join_image": 4}, "join_image must be a multiple of 8"),
        ({"pool": 2}, "pool must be 1 with join_planes, not 2"),
        ({"int_bytes": 1, "int_groups": 1}, "int_bytes must be at most 0 with join_planes, not 1"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_illegal_runs_are_refused(change, message):
    network = sew()
    image = compile_network(network, TINY, 1)
    at, fields = next((n, f) for n, (op, f) in enumerate(image.commands()) if op == "RUN" and f["join_planes"])
    with pytest.raises(ProgramError, match=message) as error:
        interpret(patched(image, at, pack("RUN", **(fields | change))), random_images(1, network, 1))
    assert error.value.code is Error.FIELD
