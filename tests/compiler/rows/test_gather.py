"""An input that the host gathers: its layout by the definition, what decides, and both ways through the interpreter."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import Interpreter, interpret
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool

TINY = HardwareConfig.load("tiny")


def conv(rng, outputs, shape, feature="input", **how):
    return Source(feature=feature, weight=rng.integers(-9, 10, (outputs, *shape)).astype(np.int8), **how)


def network(shape=(1, 7, 6), kernel=(3, 3), pool=None, more=(), levels=3, outputs=3, **fields):
    """A convolution on the input and a readout of it; ``more`` are further kernels on the input, with their padding."""
    rng = np.random.default_rng(1)
    how = {key: fields.pop(key) for key in ("stride", "padding") if key in fields}
    layers = [
        Layer(
            name=name,
            sources=(conv(rng, outputs, (shape[0], *size), **how | extra),),
            neuron=Neuron.uniform(outputs, levels=2, threshold=20),
            pool=pool,
        )
        for name, size, extra in [("a", kernel, {}), *more]
    ]
    end = Source(feature="a", weight=np.ones((2, outputs, 1, 1), np.int8))
    layers.append(Layer(name="end", sources=(end,), neuron=Neuron.readout(2)))
    return Network(name="n", input_shape=shape, input_levels=levels, timesteps=2, layers=tuple(layers), **fields)


NETWORKS = {
    "padding": network(padding=1),
    "stride": network(stride=2, padding=1),
    "stride without the last row": network(shape=(1, 8, 6), stride=2),
    "high kernel": network(kernel=(5, 2), padding=1),
    "channels": network(shape=(3, 6, 5), padding=1),
    "pool": network(padding=1, pool=MaxPool(kernel=2)),
    "signed": network(padding=1, levels=255, input_signed=True),
    "once": network(padding=1, input_mode="once"),
    "given": network(padding=1, input_mode="given"),
    "two readers": network(padding=1, more=[("b", (3, 2), {})]),
}
NOT = {
    "one row": network(kernel=(1, 3)),
    "linear": Network(
        name="n",
        input_shape=(1, 4, 4),
        input_levels=3,
        timesteps=1,
        layers=(
            Layer(
                name="end",
                sources=(Source(feature="input", weight=np.ones((2, 16, 1, 1), np.int8), flatten=True),),
                neuron=Neuron.readout(2),
            ),
        ),
    ),
    "two kernels": network(padding=1, more=[("b", (2, 2), {"padding": 0})]),
    "rows that nobody reads": network(pool=MaxPool(kernel=3)),
}


def images_of(net, count=2, seed=0):
    low, high = (-128, 127) if net.input_signed else (0, net.input_levels)
    frames = (net.timesteps,) if net.input_mode == "given" else ()
    return np.random.default_rng(seed).integers(low, high + 1, (count, *frames, *net.input_shape))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("gather", [True, False])
def test_both_ways_give_what_the_model_gives(name, gather):
    net = NETWORKS[name]
    images = images_of(net)
    compiled = compile_network(net, TINY, 2, keep_features=True, gather=gather)
    memory = interpret(compiled, images)
    result = run(net, images, record=("features", "potentials"))
    for key in compiled.features:
        expected = result.potentials["end"] if key == "end" else result.features[key]
        assert np.array_equal(compiled.read_feature_map(memory, key), expected), key
    assert (compiled.inputs()[0].taps > 1) == (gather and name != "stride without the last row")


@pytest.mark.parametrize("name", NOT)
def test_inputs_that_are_not_gathered(name):
    compiled = compile_network(NOT[name], TINY)
    assert compiled.inputs()[0].taps == 1 and compiled.to_dict()["format"] == 3
    images = images_of(NOT[name], 1)
    scores = run(NOT[name], images).scores
    values = compiled.read_feature_map(interpret(compiled, images), "end")[:, -1].sum(axis=(2, 3))
    assert np.array_equal(values, scores)


@pytest.mark.parametrize("name", ["padding", "stride", "high kernel", "channels", "signed"])
def test_every_bit_of_a_gathered_map_is_what_the_definition_says(name):
    net = NETWORKS[name]
    f = compile_network(net, TINY, 2).inputs()[0]
    images = images_of(net)
    frames = np.repeat(images[:, None], net.timesteps, axis=1)
    data = np.unpackbits(np.frombuffer(f.pack(frames), np.uint8), bitorder="little")
    source = net.layers[0].sources[0]
    channels, rows, width = net.input_shape
    assert f.image_shape == net.input_shape and f.height == net.geometry["a"].computed[0]
    for n, y, p, x, tap, c in np.ndindex(2, f.height, f.planes, width, f.taps, channels):
        row, (block, within) = y * source.stride - source.padding + tap, divmod(tap * channels + c, f.block_channels)
        level = int(images[n, c, row, x]) & 255 if 0 <= row < rows else 0
        line = ((n * f.blocks + block) * f.height + y) * f.lines_per_row + p
        assert data[line * f.line_bytes * 8 + x * f.block_channels + within] == level >> p & 1
    assert np.array_equal(f.unpack(f.pack(frames)), frames)
    broken = np.frombuffer(f.pack(frames), np.uint8).copy()
    broken[f.line_bytes * f.lines_per_row] ^= 1  # the first tap of the second row, which an earlier row holds, too
    with pytest.raises(ValueError, match="rows that hold the same image row must be equal"):
        f.unpack(broken)


def test_rows_have_the_same_bits_in_another_order():
    """Of a gathered input, bits go by (kx, ky, c), where others go by (ky, kx, c)."""
    net, wide = NETWORKS["channels"], TINY.replace(lanes=32, tile_k=32, feature_words=4096)
    images, packed, weights = images_of(net, 1), [], []
    for gather in (True, False):
        compiled = compile_network(net, wide, gather=gather)
        traces = []
        Interpreter(compiled, compiled.initial_memory(images), traces.append).run()
        packed.append(traces[0].packed)
        weights.append(traces[0].weights.reshape(-1, wide.lanes)[:27])
    order = np.arange(27).reshape(3, 3, 3).transpose(1, 0, 2).reshape(-1)  # of (ky, kx, c) by (kx, ky, c)
    bits = [(rows[:, :, None] >> np.arange(27, dtype=np.uint64)) & np.uint64(1) for rows in packed]
    assert np.array_equal(bits[0], bits[1][..., order]) and np.array_equal(weights[0], weights[1][order])


def test_fewer_segments_in_less_memory_than_they_save():
    gathered, plain = (compile_network(NETWORKS["padding"], TINY, gather=gather) for gather in (True, False))
    loads = [[f["count"] for op, f in one.commands() if op == "LOAD_SEGMENTS"][0] for one in (gathered, plain)]
    assert loads[0] < loads[1]
    pixels = network(shape=(64, 3, 3), padding=1)  # each row of the kernel fills K tiles of its own
    assert compile_network(pixels, TINY).inputs()[0].taps == 1


def test_files_say_how_an_input_is_gathered(tmp_path):
    compiled = compile_network(NETWORKS["stride"], TINY)
    compiled.save(tmp_path)
    told = json.loads((tmp_path / "memory.json").read_text())
    first = told["features"]["input"]
    assert told["format"] == 4 and [first[key] for key in ("taps", "row_step", "row_padding", "image_rows")] == [
        3,
        2,
        1,
        7,
    ]
    assert MemoryImage.load(tmp_path).inputs()[0] == compiled.inputs()[0]
    assert "taps" not in told["features"]["a"]
    for field, value, message in (
        ("taps", 1, "taps must be above 1, not 1"),
        ("taps", 2, "taps must be a divisor of the input's channels, not 2"),
        ("row_step", 0, "row_step"),
        ("image_rows", 0, "image_rows"),
    ):
        changed = {**told, "features": {**told["features"], "input": {**first, field: value}}}
        (tmp_path / "memory.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=message):
            MemoryImage.load(tmp_path)
    (tmp_path / "memory.json").write_text(json.dumps({**told, "format": 3}))
    with pytest.raises(ValueError, match="format must be 4, not 3"):
        MemoryImage.load(tmp_path)


def test_images_of_another_shape_are_refused():
    f = compile_network(NETWORKS["padding"], TINY).inputs()[0]
    with pytest.raises(ValueError, match=r"must be of shape \(images, T, C, H, W\) = \(1, 2, 1, 7, 6\)"):
        f.pack(np.zeros((1, 2, 3, 7, 6), np.int64))
    plain = replace(f, taps=1, channels=1, height=7, image_rows=0, row_padding=0, block_channels=1)
    assert plain.image_shape == f.image_shape
