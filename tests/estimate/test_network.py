"""Estimated cycles: what can be said without RTL."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.cosim.jobs.replay import replays
from reprise.estimate.cycles import Machine
from reprise.estimate.cycles.parameters import BEGIN, FINISH
from reprise.estimate.cycles.walks import drain_order
from reprise.estimate.density import density_report, of_capture
from reprise.estimate.network import Part, SystemTiming, estimate, estimate_image
from reprise.export.find import open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import SAMPLE, load_capture
from reprise.model.inference.runner import run
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.network.pool import MaxPool
from reprise.model.prosparsity.tiles import count_packed
from reprise.model.prosparsity.tiling import network_tiles
from tests.support.oracles import naive_bits, naive_residual

TINY, PAPER = (HardwareConfig.load(name) for name in ("tiny", "paper"))
LENET = Path(__file__).parents[3] / "shared/data/captures/lenet5_mnist.npz"


def network_of(shape=(4, 8, 8), outputs=8, layers=2):
    r = np.random.default_rng(1)
    made = []
    for n in range(layers):
        weight = r.integers(-9, 10, (outputs, outputs if n else shape[0], 3, 3)).astype(np.int8)
        source = Source(feature=f"c{n - 1}" if n else "input", weight=weight, padding=1)
        made.append(Layer(name=f"c{n}", sources=(source,), neuron=Neuron.uniform(outputs, threshold=9)))
    return Network(name="two", input_shape=shape, input_levels=1, timesteps=2, layers=tuple(made))


@pytest.mark.parametrize("one_bit", [0, 1], ids=["", "one-bit rows match"])
def test_tiles_and_baselines_are_those_of_the_model(one_bit):
    """Two layers of one block and one job each: the program's tiles are the model's."""
    network = network_of()
    images = random_images(1, network, 1)
    report = estimate(network, TINY.replace(one_bit_matches=one_bit), images)
    features = run(network, images, record=("features",)).features
    for layer, one in zip(network.layers, report["layers"], strict=True):
        tiles = network_tiles(network, layer.name, features, tile_m=TINY.tile_m, tile_k=TINY.tile_k)
        counts = count_packed(tiles.packed, tiles.starts, one_bit_matches=one_bit).total()
        assert one["tiles"] == tiles.m_tiles * tiles.k_tiles
        assert one["counts"]["set_bits"] == one["cycles"]["bit_sparse"] == counts.set_bits
        assert one["counts"]["residual_bits"] == counts.residual_bits
        assert one["cycles"]["dense"] == len(tiles.packed) * layer.sources[0].depth
        ones, bits = naive_bits(network, layer.name, features)
        residual, _ = naive_residual(network, layer.name, features, TINY.tile_m, TINY.tile_k, bool(one_bit))
        assert (one["bit_density"], one["product_density"]) == (ones / bits, residual / bits)
        assert tiles.k_tiles > 1


def test_a_layer_says_how_many_bits_its_k_tiles_have():
    """Those of its RUNs in the program, as the compiler chose them or was told."""
    file = open_network("digits", PAPER)
    names = [layer.name for layer in file.network.layers]
    compiled = compile_network(file.network, PAPER, 2, tile_depths={names[0]: 5, names[2]: 11})
    program = compiled.commands()
    part = Part.run(file.network, file.images[:2])
    layers = estimate_image(compiled, [part], timing=SystemTiming())[0]["layers"]
    for entry, one in zip(compiled.layers, layers, strict=True):
        depths = {fields["tile_depth"] for opcode, fields in program[entry.first : entry.last] if opcode == "RUN"}
        assert depths == {one["tile_depth"]}
        (source,) = file.network.layer(one["name"]).sources
        assert one["k_tiles"] >= -(-source.depth // one["tile_depth"])
    assert (layers[0]["tile_depth"], layers[2]["tile_depth"]) == (5, 11)
    chosen = {one["tile_depth"] for one in estimate(file.network, PAPER, file.images[:2])["layers"]}
    assert len(chosen) > 1 and chosen <= set(range(8, PAPER.tile_k + 1, 4))


def test_the_published_model_is_that_of_a_capture():
    """Recorded spikes and the accelerator's program for them: one figure, in the published order of rows and bits."""
    recorded = {
        one["name"]: one["cycles"]["published_model"]
        for one in density_report("sample", of_capture(load_capture(SAMPLE)), PAPER)["layers"]
    }
    for replay in replays(SAMPLE, PAPER):
        assert replay.captured.layer.pool is None
        pooled = replace(replay.network.layers[0], pool=MaxPool(kernel=2)) if replay.name.startswith("conv") else None
        networks = [replay.network, *([replace(replay.network, layers=(pooled,))] if pooled else [])]
        for network in networks:  # a pool changes the accelerator's order and not the published one
            report = estimate(network, PAPER, replay.images)
            assert report["total"]["cycles"]["published_model"] == recorded[replay.name]


@pytest.mark.skipif(not LENET.exists(), reason="the published capture (../shared/data) is absent")
def test_the_lenet5_capture():
    """Binary neurons have one output plane; the published cycles are those of the published simulator."""
    reports = [estimate(one.network, PAPER, one.images) for one in replays(LENET, PAPER)]
    cycles = [report["total"]["cycles"] for report in reports]
    assert sum(one["cycle_model"] for one in cycles) == 40_679
    assert [one["published_model"] for one in cycles] == [36_962, 1_348, 341]


@pytest.mark.parametrize("seed", range(4))
def test_a_layer_takes_at_least_its_slowest_part(seed):
    network = random_network(seed, TINY)
    report = estimate(network, TINY, random_images(seed, network, 2))
    for one in report["layers"]:
        assert one["cycles"]["cycle_model"] >= max(one["cycles"]["bound"], *one["alone_cycles"].values())
    total = report["total"]
    assert total["cycles"]["cycle_model"] >= sum(one["cycles"]["cycle_model"] for one in report["layers"])


def test_slower_memory_and_more_images_take_longer():
    network = network_of()
    images = random_images(1, network, 2)
    fast, slow, far = (
        estimate(network, TINY, images, timing=SystemTiming(**t)) for t in ({}, {"gap": 3}, {"latency": 99})
    )
    one = estimate(network, TINY, images[:1])
    single, quick, *others = (found["total"]["cycles"]["cycle_model"] for found in (one, fast, slow, far))
    assert single < quick < min(others)
    assert one["total"]["bytes_written"] * 2 == fast["total"]["bytes_written"]


def test_an_empty_program_by_hand():
    """Two commands, one after the other: request, burst and address, the memory, its FIFO, the words, two checks."""
    for latency in (10, 40):
        machine = Machine([("BARRIER", {}), ("END", {})], TINY, word=0, latency=latency, gap=0)
        machine.advance(None)
        words = 256 * 8 // TINY.bus_bits
        assert machine.cycles == BEGIN + 2 * (3 + latency + 3 + words + 2) + FINISH


def test_a_model_that_stands_still_says_so():
    machine = Machine([("END", {})], TINY, word=0, latency=1, gap=0)
    machine._config[0]["accepted"] = 0  # the memory takes no address
    with pytest.raises(RuntimeError, match="stands still"):
        machine.advance(None)


@pytest.mark.parametrize("rows, planes, timesteps, block", [(24, 2, 3, 4), (24, 2, 3, 1), (18, 1, 3, 4), (7, 7, 1, 1)])
def test_drain_order(rows, planes, timesteps, block):
    """Rows by block, timestep, position, plane: every one once, planes together, positions of a timestep together."""
    order, last = drain_order(rows, planes, timesteps, block)
    position, t, plane = order // (planes * timesteps), order // planes % timesteps, order % planes
    assert sorted(order) == list(range(rows))
    keys = list(zip(position // block, t, position % block, plane, strict=True))
    assert keys == sorted(keys)
    ends = (position % block == block - 1) | (position == rows // (planes * timesteps) - 1)
    assert (last == ends).all()
