"""The first layer of a static image computes its sums once, with the same integers, where that takes less time."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.compiler.rows import static
from reprise.cosim.jobs.compare import compare
from reprise.cosim.jobs.random_networks import random_images
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.interface.row_order import recurrence
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool

CONFIG = HardwareConfig.load("tiny").replace(addend_groups=8, tile_m=64)
LIF = Neuron.uniform(13, kind="lif", leak=128, reset="hard", threshold=700)


def network(neuron=LIF, *, linear=False, timesteps=4, levels=255, mode="repeat", pool=None, signed=False):
    """A layer that reads 8-bit pixels, and one that reads its spikes."""
    r = np.random.default_rng(3)
    shape = (13, 5 * 6 * 2, 1, 1) if linear else (13, 2, 3, 3)
    weight = r.integers(-40, 41, shape).astype(np.int8)
    source = Source(feature="input", weight=weight, flatten=linear, padding=0 if linear else 1)
    layers = [Layer(name="first", sources=(source,), neuron=neuron, pool=pool)]
    if neuron.fires:
        weight = r.integers(-9, 10, (4, 13, 1, 1)).astype(np.int8)
        layers.append(Layer(name="end", sources=(Source(feature="first", weight=weight),), neuron=Neuron.readout(4)))
    return Network(
        name="n",
        input_shape=(2, 5, 6),
        input_levels=levels,
        input_signed=signed,
        timesteps=timesteps,
        input_mode=mode,
        layers=tuple(layers),
    )


def once(compiled):
    return [f for f in compiled.features.values() if ".once" in f.name]


NEURONS = {
    "lif": LIF,
    "levels": Neuron.uniform(13, levels=5, threshold=900),
    "readout": Neuron.readout(13),
}


@pytest.mark.parametrize("options", [{}, {"linear": True}, {"signed": True}, {"timesteps": 7}], ids=str)
@pytest.mark.parametrize("neuron", NEURONS)
def test_sums_are_stored_for_one_timestep_and_every_map_is_that_of_the_model(neuron, options):
    net = network(NEURONS[neuron], **options)
    images = random_images(2, net, 3)
    compiled = compile_network(net, CONFIG, 3, keep_features=True)
    checks = compare(compiled, interpret(compiled, images), run(net, images, record=("features", "potentials")))
    assert not [check for check in checks if check.mismatches], checks
    assert [check.feature for check in checks] == [layer.name for layer in net.layers]
    assert [f.timesteps for f in once(compiled)] == [1]
    assert compiled.layers[0].planes == 8


OTHERS = {
    "one timestep": dict(timesteps=1),
    "frames": dict(mode="given"),
    "shown once": dict(mode="once"),
    "spikes as the input": dict(levels=1),
    "a pool": dict(pool=MaxPool(kernel=2)),
    "a sum": dict(neuron=Neuron.sum(13)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_stay_as_they_are(name):
    assert not once(compile_network(network(**OTHERS[name]), CONFIG, 1))


@pytest.mark.parametrize("name", ["tiny", "paper-t"])
def test_the_feedback_is_that_of_the_hardware(name):
    config = HardwareConfig.load(name)
    assert static.FEEDBACK + config.level_bits == recurrence(config)


def test_hardware_without_addends_computes_it_at_every_timestep():
    assert not once(compile_network(network(), CONFIG.replace(addend_groups=0), 1))


def test_depths_that_are_given_are_those_of_the_rows():
    compiled = compile_network(network(), CONFIG, 1, tile_depths={"first": 5}, whole_tiles={"first": 1})
    first = next(f for opcode, f in compiled.commands() if opcode == "RUN")
    assert (first["tile_depth"], first["whole_tiles"]) == (5, 1) and first["timesteps"] == 1


def test_it_takes_fewer_cycles_and_has_the_same_densities(monkeypatch):
    net = network()
    images = random_images(2, net, 1)
    twice = estimate(net, CONFIG, images)["layers"][0]
    monkeypatch.setattr(static, "WORTH", 0)
    whole = estimate(net, CONFIG, images)["layers"][0]
    assert twice["cycles"]["cycle_model"] < 0.9 * whole["cycles"]["cycle_model"]
    assert twice["cycles"]["published_model"] == whole["cycles"]["published_model"]
    assert twice["bit_density"] == pytest.approx(whole["bit_density"], abs=1e-4)
    assert 4 * twice["cycles"]["dense"] == whole["cycles"]["dense"]
