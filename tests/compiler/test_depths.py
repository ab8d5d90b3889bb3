"""How many bits of a row the K tiles of a layer have: the choice by calibration images, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.depths import candidates
from reprise.compiler.golden.interpreter import Interpreter
from reprise.cosim.jobs.random_networks import random_images
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.model.prosparsity.bound import bound
from reprise.model.prosparsity.tiles import analyze_packed
from reprise.support.errors import RepriseError
from tests.compiler.networks import TINY, conv_network

PAPER = HardwareConfig.load("paper")


def depths_of(compiled):
    return {f["tile_depth"] for opcode, f in compiled.commands() if opcode == "RUN"}


def bounds(compiled, images):
    """The bound of every layer, from the rows that the program really makes."""
    found = {}

    def observe(trace):
        counts = analyze_packed(trace.packed, trace.starts).counts
        found[trace.layer] = found.get(trace.layer, 0) + bound(counts, banks=compiled.config.banks)

    Interpreter(compiled, compiled.initial_memory(images), observe).run()
    return found


def test_the_choice_is_the_best_of_those_that_are_tried():
    """On the images of the calibration: the bound of conv2, which is far more than its weights and its im2col."""
    file = load(shipped("digits"))
    images = file.images[:8]
    names = [layer.name for layer in file.network.layers]
    chosen = bounds(compile_network(file.network, PAPER, 8), images)
    tried = {
        depth: bounds(compile_network(file.network, PAPER, 8, tile_depths=dict.fromkeys(names, depth)), images)
        for depth in candidates(PAPER)
    }
    assert set(tried) == {8, 12, 16} and chosen["conv2"] == min(one["conv2"] for one in tried.values())
    assert chosen["conv2"] < tried[PAPER.tile_k]["conv2"], "there is something to choose"


def test_without_images_or_choice_tiles_are_full():
    file = load(shipped("digits"))
    for network in (replace(file.network, calibration=None), replace(file.network, calibration=file.images[:0])):
        assert depths_of(compile_network(network, PAPER)) == {PAPER.tile_k}
    assert candidates(TINY) == [8] and depths_of(compile_network(file.network, TINY)) == {8}
    given = compile_network(file.network, PAPER, tile_depths=dict.fromkeys(["conv1", "conv2", "fc1", "readout"], 5))
    assert depths_of(given) == {5}, "what is given is not chosen"


def test_no_choice_has_more_segments_than_the_table_holds():
    """A layer that fits with full tiles is not refused because shorter ones would cost less."""
    network = conv_network(3, (40, 6, 6), 16)
    network = replace(network, calibration=random_images(3, network, 8))
    config = PAPER.replace(tile_k=64)
    counts = {}
    for depth in (8, 64):
        compiled = compile_network(network, config, tile_depths={layer.name: depth for layer in network.layers})
        counts[depth] = max(f["count"] for opcode, f in compiled.commands() if opcode == "LOAD_SEGMENTS")
    assert counts[8] > counts[64]
    table = max(16, 1 << (counts[64] - 1).bit_length())
    assert table < counts[8]
    compile_network(network, config.replace(segments=table))


@pytest.mark.parametrize(("bits", "told"), [(0, "0"), (9, "9"), (2.5, "2.5"), (True, "True")])
def test_bits_that_no_k_tile_can_have_are_refused(bits, told):
    network = conv_network(3, (2, 6, 6), 9)
    name = network.layers[0].name
    with pytest.raises(RepriseError, match=rf"tile_depths\['{name}'\] must be an integer in 1..8, not {told}"):
        compile_network(network, TINY, tile_depths={name: bits})
    with pytest.raises(RepriseError, match="tile_depths must be of layers of the network, .*, not 'other'"):
        compile_network(network, TINY, tile_depths={"other": 4})


def test_images_of_the_calibration_change_no_result():
    network = conv_network(5, (12, 6, 6), 9)
    images = random_images(5, network, 2)
    maps = []
    for calibration in (None, images, np.zeros_like(images)):
        compiled = compile_network(replace(network, calibration=calibration), PAPER, 2, keep_features=True)
        memory = Interpreter(compiled, compiled.initial_memory(images)).run()
        maps.append([compiled.read_feature_map(memory, entry.feature) for entry in compiled.layers])
    for other in maps[1:]:
        for one, two in zip(maps[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
