"""Several networks in one program: each must do what it does alone, and follow the one before it as a layer does."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import compile_network, compile_networks
from reprise.compiler.golden.interpreter import Interpreter
from reprise.compiler.joined import initial_memory, parts_of
from reprise.estimate.network import Part, estimate_image
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.support.errors import RepriseError
from tests.compiler.networks import TINY, conv_network
from tests.compiler.parts import layers_of, random_parts, renamed

SMALL = HardwareConfig.load("small")


def networks_of(parts):
    return [part.network for part in parts]


@pytest.mark.parametrize("seed", range(8))
def test_every_network_equals_the_model(seed):
    config = (TINY, SMALL)[seed % 2]
    parts = random_parts(seed, config)
    images = len(parts[0].images)
    compiled = compile_networks(networks_of(parts), config, images, base=4096 * (seed % 3), keep_features=True)
    start = initial_memory(compiled, tuple(part.images for part in parts), fill=seed)
    memory = Interpreter(compiled, start.copy()).run()
    for image, part in zip(parts_of(compiled), parts, strict=True):
        for entry in image.layers:
            f = image.features[entry.feature]
            want = part.expected.potentials[f.name] if f.kind == "potentials" else part.expected.features[f.name]
            np.testing.assert_array_equal(compiled.read_feature_map(memory, entry.feature), want, err_msg=f"{seed}")
    window = compiled.windows.write
    kept = np.r_[: window.base - compiled.base, window.end - compiled.base : len(memory)]
    np.testing.assert_array_equal(memory[kept], start[kept])
    assert window.base >= compiled.base + len(compiled.data)
    assert all(f.address + f.bytes <= window.base for f in compiled.inputs()), "inputs cannot be written either"


@pytest.mark.parametrize("config", [TINY, SMALL], ids=["tiny", "small"])
def test_layers_of_a_network_take_as_long_as_the_network(config):
    """One after the other in one program, each on what it really reads: the program of the network itself."""
    file = load(shipped("digits"))
    alone = replace(file.network, calibration=None)  # as the networks of its layers, which have no images
    whole = Part.run(alone, file.images[:1])
    parts = layers_of(whole)
    joined = compile_networks(networks_of(parts), config, keep_features=True)
    network = compile_network(alone, config, 1, keep_features=True)
    assert [opcode for opcode, _ in joined.commands()] == [opcode for opcode, _ in network.commands()]
    found, _ = estimate_image(joined, parts)
    want, _ = estimate_image(network, [whole])
    for mine, theirs in zip((*found["layers"], found["total"]), (*want["layers"], want["total"]), strict=True):
        cycles = mine["cycles"].pop("cycle_model"), theirs["cycles"].pop("cycle_model")
        assert cycles[0] == pytest.approx(cycles[1], rel=0.02), "maps lie elsewhere, and bursts end at other pages"
        assert mine["cycles"] == theirs["cycles"]
        for key in ("counts", "runs", "tiles", "bytes_read", "alone_cycles"):
            assert mine[key] == theirs[key]


def test_one_network_is_a_program_too():
    network = conv_network(3, (2, 6, 6), 9)
    joined, alone = compile_networks([network], TINY, 2), compile_network(network, TINY, 2)
    assert (joined.data, joined.size, joined.windows) == (alone.data, alone.size, alone.windows)


def test_a_program_of_several_networks_moves_as_one():
    networks = [renamed(conv_network(n, (2, 6, 6), 9), f"n{n}_") for n in range(2)]
    moved, there = compile_networks(networks, TINY).at(1 << 20), compile_networks(networks, TINY, base=1 << 20)
    for one, other in zip((moved, *parts_of(moved)), (there, *parts_of(there)), strict=True):
        assert (one.data, one.program, one.windows) == (other.data, other.program, other.windows)
        assert one.input_address == other.input_address and one.regions == other.regions


def test_what_cannot_be_joined(tmp_path):
    network = conv_network(0, (2, 6, 6), 9)
    other = renamed(network, "b_")
    images = np.zeros((1, 1, 2, 6, 6), np.uint8)
    for networks, rule in (([], "at least one"), ([network, network], "networks must be .* of different names, not")):
        with pytest.raises(RepriseError, match=rule):
            compile_networks(networks, TINY)
    joined = compile_networks([network, other], TINY)
    with pytest.raises(ValueError, match="images must be given to each of the networks"):
        joined.initial_memory(images)
    with pytest.raises(ValueError, match="zip"):
        initial_memory(joined, images)
    with pytest.raises(ValueError, match="network must be a single one in a file"):
        joined.save(tmp_path)
