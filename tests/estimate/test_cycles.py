"""The cycle model against the RTL: layer by layer, cycle for cycle, whatever the memory's latency and bandwidth."""

import numpy as np
import pytest

from reprise.compiler import compile_networks
from reprise.cosim.jobs.random_networks import random_images, random_network, random_tiles
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from tests.compiler.parts import random_parts
from tests.estimate.exact.bench import TWICE, check, check_program, long_network
from tests.support.cosim_jobs import TINY

MEMORIES = (dict(latency=0), dict(latency=20), dict(latency=60), dict(latency=10, gap=1), dict(latency=130, gap=3))


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_long_layers(memory):
    images = np.random.default_rng(3).integers(0, 8, (1, 3, 12, 12))
    check(TINY, long_network(9), images, **memory)


def test_a_join_whose_row_table_takes_longest():
    """Nearly nothing is set, so that a word of four rows costs two segments and less than two drained rows. The row
    table takes four cycles or more for it: the turns of three planes each end in a word, and there are two sources."""
    weights = [np.ones((4, channels, 1, 1), np.int8) for channels in (3, 4)]
    first, second = Source(feature="input", weight=weights[0]), Source(feature="a", weight=weights[1])
    neuron = Neuron.uniform(4, threshold=2, levels=3)
    layers = (Layer(name="a", sources=(first,), neuron=neuron), Layer(name="b", sources=(first, second), neuron=neuron))
    network = Network(name="join", input_shape=(3, 12, 12), input_levels=7, timesteps=1, layers=layers)
    images = np.zeros((1, 3, 12, 12), np.int64)
    images[0, :, ::5, ::7] = 7
    check(TINY, network, images, latency=0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("config", [TINY, TWICE], ids=["tiny", "twice"])
def test_random_networks(config, seed):
    network = random_network(seed, config)
    memory = MEMORIES[seed % len(MEMORIES)]
    cuts = random_tiles(seed, network, config)
    check(config, network, random_images(seed, network, 1 + seed % 3), keep=seed % 2 == 0, cuts=cuts, **memory)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("config", [TINY, TWICE], ids=["tiny", "twice"])
def test_several_networks_in_one_program(config, seed):
    parts = random_parts(seed, config)
    compiled = compile_networks([part.network for part in parts], config, len(parts[0].images), keep_features=True)
    check_program(compiled, parts, MEMORIES[seed])
