"""Compiled networks, executed by the golden interpreter, against the model; and what the interpreter refuses."""

import numpy as np
import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.golden.arithmetic import WidthExceeded, check_width, combine_planes, fire
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.cosim.jobs.random_configs import random_config
from reprise.cosim.jobs.random_networks import random_images, random_network, random_tiles
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import COMMAND_BYTES
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from reprise.model.prosparsity.tiling import network_tiles, tile_cuts
from tests.compiler.networks import TINY, conv_network

CRAMPED = TINY.replace(feature_words=64)


def compare(network, config, images, *, keep=True, fill=0, base=0, cuts=None, gather=True):
    """Compile, execute and compare every readable map with the model; the image and its run traces."""
    compiled = compile_network(
        network, config, len(images), keep_features=keep, base=base, gather=gather, **(cuts or {})
    )
    traces = []
    memory = interpret(compiled, images, observer=traces.append, fill=fill)
    expected = run(network, images, record=("features", "potentials"))
    results = {f.name for f in compiled.features.values()} - {s.feature for n in network.layers for s in n.sources}
    inner = set(compiled.features) - {entry.feature for entry in compiled.layers}  # and the input
    for key, f in compiled.features.items():
        if (key in inner and f.name != "input") or (not keep and f.name not in results):
            continue
        want = expected.potentials[f.name] if f.kind == "potentials" else expected.features[f.name]
        np.testing.assert_array_equal(compiled.read_feature_map(memory, key), want, err_msg=f"feature {key}")
    return compiled, traces


@pytest.mark.parametrize("group", range(8))
def test_random_networks_equal_the_model(group):
    done = 0
    for seed in range(group * 20, group * 20 + 20):
        config = (TINY, random_config(seed), HardwareConfig.load("small"))[seed % 3]
        network = random_network(seed, config)
        images = random_images(seed, network, 1 + seed % 3)
        try:
            cuts = random_tiles(seed, network, config)
            where = {"fill": seed * 37 % 256, "base": 4096 * (seed % 2)}
            compare(network, config, images, keep=seed % 4 < 2, cuts=cuts, **where)
        except CompileError as error:
            assert "on-chip words" in str(error) or "im2col segments" in str(error), f"seed {seed}"
            continue
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from None
        done += 1
    assert done >= 12, "most random networks must be compilable"


@pytest.mark.parametrize(
    ("channels", "outputs", "width", "kernel", "stride", "padding", "pool", "timesteps", "words"),
    [
        (8, 8, 50, 3, 1, 1, None, 1, 32),
        (8, 16, 47, 4, 1, 0, None, 1, 32),
        (8, 4, 61, 3, 1, 2, None, 1, 32),
        (4, 8, 90, 5, 1, 2, None, 1, 32),
        (8, 8, 59, 5, 1, 2, 2, 2, 128),
        (8, 16, 57, 3, 2, 1, None, 2, 64),
        (7, 8, 60, 3, 2, 0, 2, 1, 64),
        (16, 8, 65, 2, 1, 1, 3, 1, 128),
        (3, 8, 99, 3, 1, 1, None, 2, 32),
    ],
)
def test_lines_cut_into_columns(channels, outputs, width, kernel, stride, padding, pool, timesteps, words):
    geometry = {"kernel": kernel, "stride": stride, "padding": padding, "pool": pool, "timesteps": timesteps}
    network = conv_network(width, (channels, 9, width), outputs, **geometry)
    config = TINY.replace(feature_words=words)
    compiled, traces = compare(network, config, random_images(width, network, 2), fill=0xA5)
    assert all(t.fields["out_width"] < compiled.features["c0"].width for t in traces)


def test_stripes_alternate_between_regions_without_barriers():
    network = conv_network(2, (8, 160, 60), 8)
    compiled, traces = compare(network, TINY, random_images(2, network, 1))
    assert len(traces) > 2
    assert [op for op, _ in compiled.commands()].count("BARRIER") == 0
    targets = [f["target"] for op, f in compiled.commands() if op == "LOAD_FEATURES"]
    assert targets == [256 * (n % 2) for n in range(len(targets))]


def test_kept_weights_are_fetched_once():
    network = conv_network(3, (1, 80, 40), 8)  # K = 9: two tiles of 8
    _, traces = compare(network, CRAMPED, random_images(3, network, 2))
    assert len(traces) > 1
    assert [t.fields["weights_ready"] for t in traces] == [0] + [1] * (len(traces) - 1)
    assert [t.fields["weights_hold"] for t in traces] == [1] * (len(traces) - 1) + [0]
    assert [len(list(t.weight_tiles())) for t in traces] == [2] + [0] * (len(traces) - 1)
    released = [tile.weight_release for t in traces for tile in t.tiles()]
    assert released == [False] * (len(released) - 2) + [True] * 2


def test_one_frame_of_a_static_input_is_stored():
    """Also with a pool and several images, where its timesteps take a loop of their own."""
    sizes = []
    for mode in ("once", "repeat"):
        network = conv_network(9, (3, 6, 6), 8, pool=2, timesteps=4, levels=3, mode=mode)
        compiled, traces = compare(network, TINY.replace(feature_words=4096), random_images(9, network, 3))
        sizes.append(compiled.features["input"].bytes)
        assert len(traces) == 1
    assert sizes[0] == 4 * sizes[1]


@pytest.mark.parametrize("mode", ["repeat", "once"])
def test_loops_are_never_more_than_hardware_has(mode):
    """Planes, timesteps, window, columns, lines and images step unevenly: one loop too many, so images run alone."""
    r = np.random.default_rng(10)
    source = Source(feature="input", weight=r.integers(-9, 10, (8, 2, 3, 3)).astype(np.int8), padding=1)
    layer = Layer(name="c", sources=(source,), neuron=Neuron.uniform(8, threshold=9), pool=MaxPool(kernel=2))
    network = Network(
        name="loops", input_shape=(2, 6, 6), input_levels=3, timesteps=3, input_mode=mode, layers=(layer,)
    )
    _, traces = compare(network, TINY.replace(feature_words=4096), random_images(10, network, 3))
    assert [t.fields["images"] for t in traces] == {"repeat": [1, 1, 1], "once": [3]}[mode]


def test_planes_that_a_reader_leaves_are_stepped_over():
    """Feature "a" has two planes for its reader "b" and three for the join "c", whose other source is richer."""
    r = np.random.default_rng(11)

    def layer(name, features, levels):
        weights = [r.integers(-9, 10, (4, 4, 3, 3)).astype(np.int8) for _ in features]
        sources = tuple(Source(feature=f, weight=w, padding=1) for f, w in zip(features, weights, strict=True))
        return Layer(name=name, sources=sources, neuron=Neuron.uniform(4, levels=levels, threshold=5))

    layers = (layer("a", ["input"], 3), layer("b", ["a"], 7), layer("c", ["b", "a"], 3), layer("d", ["c"], 1))
    network = Network(name="planes", input_shape=(4, 5, 5), input_levels=1, timesteps=2, layers=layers)
    compiled, _ = compare(network, TINY, random_images(11, network, 2))
    assert {key: f.planes for key, f in compiled.features.items()} == {"input": 1, "a": 3, "b": 3, "c": 2, "d": 1}
    assert {e.name: e.planes for e in compiled.layers} == {"a": 1, "b": 2, "c": 3, "d": 2}


def test_images_of_a_linear_layer_share_tiles():
    r = np.random.default_rng(4)
    weight = r.integers(-9, 10, (8, 32, 1, 1)).astype(np.int8)
    layer = Layer(name="fc", sources=(Source(feature="input", weight=weight, flatten=True),), neuron=Neuron.readout(8))
    network = Network(name="fc", input_shape=(2, 4, 4), input_levels=1, timesteps=2, layers=(layer,))
    _, traces = compare(network, TINY, random_images(4, network, 8))
    assert len(traces) == 1
    assert [len(tile.rows) for tile in traces[0].tiles()] == [16] * 4  # 8 images x 2 timesteps, 4 K tiles
    assert len(list(traces[0].weight_tiles())) == 4


def test_a_feature_read_in_two_encodings_is_written_twice():
    r = np.random.default_rng(5)

    def layer(name, feature, encoding, outputs=3):
        source = Source(feature=feature, weight=r.integers(-9, 10, (outputs, 3, 3, 3)).astype(np.int8), padding=1)
        neuron = Neuron.uniform(outputs, levels=4, threshold=5)
        return Layer(name=name, sources=(source,), neuron=neuron, encoding=encoding)

    layers = (layer("a", "input", "bitplane"), layer("b", "a", "thermometer"), layer("c", "a", "bitplane"))
    network = Network(name="two", input_shape=(3, 5, 5), input_levels=3, timesteps=2, layers=layers)
    compiled, _ = compare(network, TINY, random_images(5, network, 1))
    assert [key for key, f in compiled.features.items() if f.name == "a"] == ["a", "a/bitplane"]


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_those_of_the_model(seed):
    """Where a layer's channels are one block, rows and the tiles of whole images are the model's, bit for bit.

    Jobs are stripes of an image, each of which begins with an m tile.
    """
    config = TINY.replace(lanes=32, feature_words=8192, tile_m=64, tile_k=16)
    network = random_network(1000 + seed, config, size=7)
    images = random_images(seed, network, 1)
    _, traces = compare(network, config, images, gather=False)
    features = run(network, images, record=("features",)).features
    for layer in network.layers:
        mine = [t for t in traces if t.layer == layer.name]
        tiles = network_tiles(network, layer.name, features, tile_m=config.tile_m, tile_k=config.tile_k)
        np.testing.assert_array_equal(np.concatenate([t.packed for t in mine]), tiles.packed)
        rows = len(tiles.packed) // len(tiles.positions)  # of a position
        for trace in mine:
            cuts = tile_cuts(len(trace.packed) // rows, rows, config.tile_m)
            np.testing.assert_array_equal(trace.starts, cuts)
            assert len(mine) > 1 or np.array_equal(cuts, tiles.starts)
        weights = mine[0].weights.reshape(-1, config.lanes)[:, : layer.channels]
        np.testing.assert_array_equal(weights, tiles.weights)


def test_streams_of_a_run():
    network = conv_network(6, (3, 5, 5), 10, pool=2, timesteps=2, levels=3)
    _, traces = compare(network, TINY, random_images(6, network, 1))
    for trace in traces:
        for tile in trace.tiles():
            words = tile.words(TINY.load_rows)
            assert len(words) == -(-len(tile.rows) // TINY.load_rows)
            np.testing.assert_array_equal(words.reshape(-1)[: len(tile.rows)], tile.rows)


def test_widths_are_checked():
    with pytest.raises(WidthExceeded, match="command 3: membrane potential must fit 8 bits, not -129..0"):
        check_width(3, "membrane potential", -129, 0, 8)
    check_width(3, "membrane potential", -128, 127, 8)


@pytest.mark.parametrize("levels", [1, 2, 3, 5, 6, 15, 255])
def test_greedy_levels_are_the_clipped_quotient(levels):
    r = np.random.default_rng(levels)
    threshold = r.integers(1, 9, 64)
    psums = r.integers(-50, 9 * levels + 50, (200, 64)).astype(np.int32)
    table = np.stack([np.zeros(64), threshold, np.zeros(64), np.full(64, 256)], axis=1).astype(np.int64)
    f = {"timesteps": 1, "planes": 1, "weigh": 1, "signed": 0, "shift": 0, "levels": levels, "readout": 0, "reset": 0}
    z, v = fire(0, combine_planes(psums, f), table, f, 32, strict=True)
    np.testing.assert_array_equal(z[:, 0], np.clip(psums // threshold, 0, levels))
    np.testing.assert_array_equal(v[:, 0], psums - threshold * z[:, 0].astype(np.int64))


def test_memory_moved_is_counted():
    network = conv_network(8, (1, 4, 4), 8)
    compiled = compile_network(network, TINY, 1)
    interpreter = Interpreter(compiled, compiled.initial_memory(random_images(8, network, 1)))
    interpreter.run()
    commands = (len(compiled.commands())) * COMMAND_BYTES
    weights, parameters, segments, features = 2 * 8 * 8, 8 * 16, 2 * 8, 4 * 8
    assert interpreter.bytes_read == commands + weights + parameters + segments + features
    assert interpreter.bytes_written == 4 * 8
