"""Networks written as NIR: read again they are identical, and NIR's own meaning of the file fires as they do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reprise.cli.app import run as reprise
from reprise.cosim.jobs.random_networks import random_network
from reprise.export import ptq
from reprise.export.importers import nir as nir_import
from reprise.export.importers import nir_out
from reprise.model.files import network_file
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network, equal
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from tests.support.export_helpers import PAPER, SEED

nir = pytest.importorskip("nir", reason="the optional extra 'import' is not installed")
torch.set_num_threads(1)


def of(timesteps, seed, **neuron):
    """A network of a pooled convolution, a join of a shortcut, and a readout, whose neurons are drawn by ``seed``."""
    rng = np.random.default_rng([SEED, seed])

    def cells(channels):
        draw = dict(threshold=rng.integers(20, 60, channels), bias=rng.integers(-5, 6, channels))
        draw |= dict(v0=np.zeros(channels, int), leak=np.full(channels, 256), kind="if", levels=1, reset="soft")
        return Neuron(**{**draw, **{k: v(rng, channels) if callable(v) else v for k, v in neuron.items()}})

    def reads(feature, *shape, **options):
        return Source(feature=feature, weight=rng.integers(-9, 10, shape), **options)

    layers = [
        Layer(name="one", sources=(reads("input", 5, 2, 3, 3, padding=1),), neuron=cells(5), pool=MaxPool(kernel=2)),
        Layer(name="two", sources=(reads("one", 5, 5, 3, 3, padding=1),), neuron=cells(5)),
        Layer(name="three", sources=(reads("two", 6, 5, 3, 3, padding=1), reads("one", 6, 5, 1, 1)), neuron=cells(6)),
    ]
    last = Layer(name="out", sources=(reads("three", 4, 6 * 16, 1, 1, flatten=True),), neuron=Neuron.readout(4, bias=3))
    return Network(name="n", input_shape=(2, 8, 8), input_levels=16, timesteps=timesteps, layers=(*layers, last))


def again(network, path, images):
    """The network that is read from what was written, and the graph."""
    reset = nir_out.write(network, path)
    graph = nir_import.read(path, timesteps=network.timesteps, per_step=True, reset=reset)
    options = dict(name=network.name, timesteps=network.timesteps, input_levels=network.input_levels)
    found = ptq.quantize(graph, images, PAPER, allow_silent=True, **options).network
    given = {layer.name: layer.encoding for layer in network.layers}
    layers = tuple(replace(layer, encoding=given[layer.name]) for layer in found.layers)
    return replace(found, layers=layers), graph


def assert_fires_alike(network, graph, images):
    """What the file means by the standard is what the network fires."""
    source = graph.source(torch.tensor(images).double())
    features = run(network, images, record=("features",)).features
    for name, theirs in source.spikes.items():
        layer = network.layer(name.split(".")[0])
        if layer.pool is None:
            mine = features[layer.name].swapaxes(0, 1).reshape(theirs.shape)
            assert np.array_equal(mine, theirs.numpy()), name


NEURONS = {
    "T = 4, soft": (4, {}),
    "T = 4, hard": (4, dict(reset="hard")),
    "T = 4, leaks, some channels without one": (
        4,
        dict(kind="lif", leak=lambda rng, n: np.where(np.arange(n) % 2, 256, rng.integers(0, 256, n))),
    ),
    "T = 4, levels that are forgotten": (4, dict(kind="lif", levels=3, leak=lambda rng, n: np.zeros(n, int))),
    "T = 1, one level": (1, {}),
    "T = 1, levels": (1, dict(levels=4)),
    "T = 1, levels and initial potentials": (1, dict(levels=3, v0=lambda rng, n: rng.integers(-30, 40, n))),
    "T = 1, small thresholds": (1, dict(levels=7, threshold=lambda rng, n: rng.integers(1, 6, n))),
    "T = 4, small thresholds": (4, dict(threshold=lambda rng, n: rng.integers(1, 6, n))),
}


@pytest.mark.parametrize("kind", NEURONS)
def test_networks_are_identical_when_they_are_read_again(tmp_path, kind):
    seed = list(NEURONS).index(kind)
    timesteps, neuron = NEURONS[kind]
    network = of(timesteps, seed, **neuron)
    images = np.random.default_rng(seed).integers(0, 17, (2, 2, 8, 8)).astype(np.uint8)
    second, graph = again(network, tmp_path / "a.nir", images)
    for one in network.layers:
        assert equal(one, second.layer(one.name)), one.name
    assert np.array_equal(run(network, images).output, run(second, images).output)
    if "leaks" not in kind:  # a leak is rounded down here, and not in NIR
        assert_fires_alike(network, graph, images)


def test_an_initial_potential_of_one_level_becomes_a_part_of_its_threshold(tmp_path):
    """At T = 1 nothing but their difference is seen."""
    network = of(1, 0, v0=lambda rng, n: rng.integers(-30, 80, n))
    images = np.random.default_rng(1).integers(0, 17, (2, 2, 8, 8)).astype(np.uint8)
    second, graph = again(network, tmp_path / "a.nir", images)
    for one in network.layers[:-1]:
        n, m = one.neuron, second.layer(one.name).neuron
        assert np.array_equal(n.threshold - n.v0, m.threshold - m.v0)
    assert_fires_alike(second, graph, images)
    assert np.array_equal(run(network, images).output, run(second, images).output)


def test_random_networks_are_identical_or_refused_by_name(tmp_path):
    """Those that co-simulation draws, with everything that a network may have."""
    refused, same = set(), 0
    for seed in range(90):
        network = random_network(seed, layers=3, size=6, channels=6)
        if seed % 3 and not network.input_signed:  # most of those over time are refused
            network = replace(network, timesteps=1, input_mode="repeat")
        shape = (2, *network.input_shape)
        images = np.random.default_rng(seed).integers(0, network.input_levels + 1, shape).astype(np.uint8)
        try:
            nir_out.graph_of(network)
        except ValueError as error:
            refused.add(str(error).split(": ", 1)[1])
            continue
        if same < 4:
            second, _ = again(network, tmp_path / "a.nir", images)
            assert np.array_equal(run(network, images).output, run(second, images).output), f"seed {seed}"
        same += 1
    assert same > 5 and len(refused) > 5, (same, refused)
    for rule in refused:
        assert any(remedy in rule for remedy in ("; NIR ", "; use ")), rule


def refuses(**changes):
    return {**dict(timesteps=2, neuron={}, network={}), **changes}


REFUSED = {
    "levels over time": (refuses(neuron=dict(levels=2)), "one: a neuron of 2 levels .*train with levels=1, or with"),
    "v0 over time": (refuses(neuron=dict(v0=lambda rng, n: np.ones(n, int))), "one: an initial potential over several"),
    "no reset": (refuses(neuron=dict(reset="none")), r"n: the resets \['none'\]; use one of soft and hard"),
    "once": (refuses(network=dict(input_mode="once")), "n: the input mode 'once'; NIR says nothing of images"),
    "signed": (refuses(network=dict(input_signed=True, input_levels=255)), "n: signed pixels"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_nir_cannot_say_is_refused(kind):
    given, message = REFUSED[kind]
    network = replace(of(given["timesteps"], 0, **given["neuron"]), **given["network"])
    with pytest.raises(ValueError, match=message):
        nir_out.graph_of(network)


def test_a_readout_that_starts_somewhere_and_a_weight_of_128_are_refused():
    network = of(2, 0)
    last = network.layers[-1]
    begins = replace(last, neuron=Neuron.readout(4, v0=1))
    with pytest.raises(ValueError, match="out: a readout with an initial potential"):
        nir_out.graph_of(replace(network, layers=(*network.layers[:-1], begins)))
    low = replace(last.sources[0], weight=np.full_like(last.sources[0].weight, -128))
    with pytest.raises(ValueError, match="out: a weight of -128"):
        nir_out.graph_of(replace(network, layers=(*network.layers[:-1], replace(last, sources=(low,)))))


def test_a_command_writes_a_graph_and_says_how_it_is_read_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network_file.save(of(4, 0, kind="lif", leak=lambda rng, n: np.full(n, 200)), tmp_path / "mine.yaml")
    assert reprise(["export", "nir", "mine.yaml", "-o", "mine.nir"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "differs: one: the leaked potential is rounded down to a whole number here, and not in NIR" in said
    command = "reprise import nir mine.nir --timesteps 4 --per-step --reset soft --input-scale 1"
    assert command in said and (tmp_path / "mine.nir").is_file()
