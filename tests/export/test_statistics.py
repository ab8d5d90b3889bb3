"""Statistics of network files: densities against counts without tiles, encodings for the given hardware."""

import pytest

from reprise.export.qat import deploy
from reprise.export.train import datasets
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files import network_file
from reprise.model.files.shipped import shipped
from reprise.model.hardware import sizes
from reprise.model.inference.runner import run
from reprise.model.prosparsity.bound import bound
from reprise.model.prosparsity.tiles import count_packed
from reprise.model.prosparsity.tiling import network_tiles
from tests.support.export_helpers import PAPER
from tests.support.oracles import naive_bits, naive_residual
from tests.support.random_models import random_images, random_network

COMMITTED = shipped("digits")
TINY = HardwareConfig.load("tiny").replace(psum_bits=32, membrane_bits=32)


@pytest.mark.parametrize("seed", range(4))
def test_densities_are_those_of_all_rows(seed):
    """Networks of several K tiles a layer, joins and linear layers, on a small and on a large tile."""
    network = random_network(seed, size=5, timesteps=2)
    images = random_images(network, 2, seed)
    for hardware in (TINY, PAPER):
        chosen, statistics, _ = deploy.adapt(network, images, hardware)
        features = run(chosen, images, record=("features",)).features
        ones = bits = residuals = 0
        for layer in chosen.layers:
            found = statistics[layer.name]
            set_bits, every = naive_bits(chosen, layer.name, features)
            residual, _ = naive_residual(chosen, layer.name, features, hardware.tile_m, hardware.tile_k)
            assert found["bit_density"] == set_bits / every
            assert found["product_density"] == residual / every
            groups = -(-layer.channels // hardware.lanes)
            ones, residuals, bits = ones + set_bits * groups, residuals + residual * groups, bits + every * groups
        total = deploy.totals(chosen, deploy.encoding_costs(chosen, images, hardware), hardware)
        assert (total["bit_density"], total["product_density"]) == (ones / bits, residuals / bits)


def test_encodings_are_the_cheaper_ones_of_the_hardware():
    """The bound decides, and with one bank the committed network reads other planes than with two."""
    loaded = network_file.load(COMMITTED)
    images = datasets.load("digits", None).train_images[:64]
    features = run(loaded.network, images, record=("features",)).features
    chosen = []
    for hardware in (PAPER, PAPER.replace(banks=2)):
        network, statistics, _ = deploy.adapt(loaded.network, images, hardware)
        for layer in network.layers:
            cycles = statistics[layer.name]["cycles"]
            assert cycles[layer.encoding] == min(cycles.values())
            tiles = network_tiles(network, layer.name, features, tile_m=hardware.tile_m, tile_k=hardware.tile_k)
            expected = bound(count_packed(tiles.packed, tiles.starts), banks=hardware.banks) / len(images)
            assert cycles[layer.encoding] == round(expected, 2)
        chosen.append([layer.encoding for layer in network.layers])
    assert chosen[0] != chosen[1]


def test_statistics_of_the_committed_network():
    """What the file says of densities is what its calibration images give; so do its encodings and widths."""
    loaded = network_file.load(COMMITTED)
    assert loaded.hardware == sizes(PAPER)
    images = datasets.load("digits", None).train_images[:64]
    network, statistics, widths = deploy.adapt(loaded.network, images, PAPER)
    features = run(loaded.network, images, record=("features",)).features
    for layer, own in zip(loaded.network.layers, network.layers, strict=True):
        found = loaded.statistics[layer.name]
        ones, bits = naive_bits(loaded.network, layer.name, features)
        assert found["bit_density"] == ones / bits
        assert found | {"spikes": 0} == statistics[layer.name] | {"spikes": 0}
        assert layer.encoding == own.encoding
    assert {name: dict(one) for name, one in loaded.widths.items()} == widths
