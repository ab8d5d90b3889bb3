"""What limits a layer: networks in which one block must be the limit, and figures that are counted by hand."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import Interpreter
from reprise.cosim.jobs.random_networks import random_images, random_network
from reprise.estimate.cycles import Machine
from reprise.estimate.cycles.parameters import IDEAL
from reprise.estimate.cycles.run_data import run_data
from reprise.estimate.limits import Explorer
from reprise.estimate.network import SystemTiming, estimate
from reprise.estimate.tables import limits_lines, percent, saved_lines, text
from reprise.export.find import open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.tiles import analyze_packed

TINY = HardwareConfig.load("tiny")


def one_layer(shape, outputs, *, kernel=1, timesteps=1, seed=1) -> Network:
    r = np.random.default_rng(seed)
    weight = r.integers(-9, 10, (outputs, shape[0], kernel, kernel)).astype(np.int8)
    source = Source(feature="input", weight=weight, padding=kernel // 2)
    layer = Layer(name="only", sources=(source,), neuron=Neuron.uniform(outputs, threshold=9))
    return Network(name="one", input_shape=shape, input_levels=1, timesteps=timesteps, layers=(layer,))


def limits_of(network, images, config=TINY, **timing):
    report = estimate(network, config, images, timing=SystemTiming(**timing), limits=True)
    return report["layers"][0], report


def test_many_weights_for_a_single_position_limit_by_weights():
    network = one_layer((256, 1, 1), 128)
    wide = TINY.replace(lanes=32)
    one, _ = limits_of(network, np.ones((1, 256, 1, 1), int), wide)
    assert one["limits"]["blocks"] == one["limits"]["steps"][0]["blocks"] == ["weights"]
    # 4 blocks of 32 channels, each with 256 weight rows of 4 bus words.
    assert one["alone_cycles"]["weights"] == 16 * 256
    assert (
        0.4 * one["cycles"]["cycle_model"] < one["limits"]["saved_cycles"]["weights"] < one["alone_cycles"]["weights"]
    )
    # Of 32 K tiles the first 2 are fetched whole, and of the others one row of 8.
    few, _ = limits_of(network, (np.arange(256) % 8 == 0).astype(int).reshape(1, 256, 1, 1), wide)
    assert few["alone_cycles"]["weights"] == 16 * (2 * 8 + 30)
    assert few["cycles"]["cycle_model"] < one["cycles"]["cycle_model"]


def test_rows_that_share_no_prefix_limit_by_the_pe_array():
    """Rows of 8 bits of 16: hardly one contains another, so that 8 bits are added for each row that is loaded."""
    r = np.random.default_rng(5)
    levels = np.array([r.permutation(np.arange(16) < 8) for _ in range(16 * 16)], int).T.reshape(1, 16, 16, 16)
    one, _ = limits_of(one_layer((16, 16, 16), 4), levels, HardwareConfig.load("tiny").replace(tile_m=8, tile_k=16))
    assert one["limits"]["blocks"] == ["pe_array"]
    assert one["limits"]["saved_cycles"]["pe_array"] > 0.5 * one["cycles"]["cycle_model"]


def test_few_bits_and_many_groups_limit_by_the_neurons():
    network = one_layer((1, 16, 16), 8)
    config = TINY.replace(neuron_lanes=1)
    one, _ = limits_of(network, np.zeros((1, 1, 16, 16), int), config)
    assert one["limits"]["blocks"] == ["neurons"]


def test_empty_rows_of_many_k_tiles_limit_by_im2col():
    """No bit is set, so nothing is left to do but to build rows, two in each cycle at most, and to see that."""
    network = one_layer((8, 16, 16), 4, kernel=3)
    one, _ = limits_of(network, np.zeros((1, 8, 16, 16), int), TINY.replace(weight_tiles=16, load_rows=2))
    assert one["alone_cycles"]["im2col"] >= 9 * 256 // 2
    assert one["limits"]["blocks"] == ["im2col"] and one["limits"]["saved_cycles"]["im2col"] > 0.5 * 9 * 256 // 2


def test_blocks_at_the_same_pace_limit_together():
    """Most rows are equal: exact matches, for which the detector and the partial sums take a cycle each."""
    network = one_layer((8, 16, 16), 4, kernel=3)
    one, _ = limits_of(network, np.ones((1, 8, 16, 16), int), TINY.replace(weight_tiles=16))
    counts, limits = one["counts"], one["limits"]
    assert counts["exact_matches"] > 0.8 * counts["nonzero_rows"]
    assert {"detector", "psum"} <= set(limits["blocks"])
    alone = [limits["saved_cycles"][block] for block in limits["blocks"]]
    assert sum(alone) < 0.2 * limits["steps"][0]["saved_cycles"] and max(alone) < 0.1 * one["cycles"]["cycle_model"]


@pytest.mark.parametrize(
    "blocks, change",
    [
        (["detector"], {"queries": 2}),
        (["im2col", "detector"], {"load_rows": 8}),
        (["im2col", "detector"], {"load_rows": 16}),
        (["psum"], {"banks": 2}),
        (["pe_array"], {"weight_banks": 2}),
        (["weights"], {"weight_tiles": 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [1, 4, 8, 10])
def test_no_real_block_saves_more_than_an_ideal_one(blocks, change, seed):
    """A block that is built faster, in a configuration that runs the same commands, against the idealized block.

    Beats of more rows are also wider words of the row memory, of which the detector's walk has fewer to visit.
    """
    network = random_network(seed, TINY)
    images = random_images(seed, network, 2)
    _, report = limits_of(network, images)
    faster = estimate(network, TINY.replace(**change), images)
    cycles = report["total"]["cycles"]["cycle_model"]
    saved = cycles - faster["total"]["cycles"]["cycle_model"]
    # Layers overlap a little, and blocks get into each other's way a little differently.
    ideal = sum(report["total"]["limits"]["saved_cycles"][block] for block in blocks)
    assert saved <= ideal + 0.01 * cycles


@pytest.mark.parametrize("seed", [1, 4, 8, 10])
def test_no_real_memory_saves_more_than_the_ideal_one(seed):
    network = random_network(seed, TINY)
    images = random_images(seed, network, 2)
    _, report = limits_of(network, images, latency=60, gap=2)
    near = estimate(network, TINY, images, timing=SystemTiming(latency=0, gap=0))["total"]["cycles"]["cycle_model"]
    cycles, limits = report["total"]["cycles"]["cycle_model"], report["total"]["limits"]
    assert 0 < cycles - near <= limits["saved_cycles"]["memory"] + 0.01 * cycles


def test_a_far_memory_is_a_limit():
    network, images = one_layer((4, 8, 8), 4, kernel=3), np.ones((1, 4, 8, 8), int)
    near, far = (limits_of(network, images, latency=latency)[0] for latency in (0, 600))
    assert far["limits"]["saved_cycles"]["memory"] > 600 > near["limits"]["saved_cycles"]["memory"]
    # Without latency and pauses, only the width of the bus is left to save: the far memory loses all of the rest.
    assert (
        abs((far["cycles"]["cycle_model"] - far["limits"]["saved_cycles"]["memory"]) - near["cycles"]["cycle_model"])
        <= near["limits"]["saved_cycles"]["memory"]
    )


@pytest.mark.parametrize("seed", [1, 4, 8, 11])
def test_limits_of_random_networks(seed):
    """Looking for limits changes no figure; everything adds up; no block costs more than the layer."""
    network = random_network(seed, TINY)
    images = random_images(seed, network, 2)
    plain, explored = estimate(network, TINY, images), estimate(network, TINY, images, limits=True)
    for before, one in zip([*plain["layers"], plain["total"]], [*explored["layers"], explored["total"]], strict=True):
        limits = one["limits"]
        assert {key: one[key] for key in before} == before
        assert (
            limits["rest_cycles"] + sum(step["saved_cycles"] for step in limits["steps"])
            == one["cycles"]["cycle_model"]
        )
        assert all(0 <= saved < one["cycles"]["cycle_model"] for saved in limits["saved_cycles"].values())
        if one is not explored["total"]:
            assert limits["blocks"] == limits["steps"][0]["blocks"]
            assert limits["steps"][0]["saved_cycles"] >= max(limits["saved_cycles"].values()) > 0
        assert 0 < sum(limits["start_and_end_cycles"].values()) <= one["cycles"]["cycle_model"]
        assert min(limits["start_and_end_cycles"].values()) >= 0
    sums = {key: sum(one["limits"]["saved_cycles"][key] for one in explored["layers"]) for key in IDEAL}
    assert sums == explored["total"]["limits"]["saved_cycles"]


@pytest.mark.parametrize("config", [TINY, TINY.replace(queries=2, banks=2, weight_tiles=3)], ids=["tiny", "twice"])
def test_an_idealized_block_seldom_costs_time(config, monkeypatch):
    """Rows may get into each other's way more often behind a faster block; that is rare, and costs a few hundredths."""
    ends = []
    right = Explorer._end

    def noted(self, command, ideal):
        found = right(self, command, ideal)
        start = max(0, int(self._start.ends.max()))
        ends.append((found, int(self.ended.ends[command]), start))
        return found

    monkeypatch.setattr(Explorer, "_end", noted)
    for seed in (3, 9, 20, 21, 22, 23):
        network = random_network(seed, config)
        estimate(network, config, random_images(seed, network, 1), limits=True)
    cost = np.array([(ideal - exact) / (exact - start) for ideal, exact, start in ends])
    assert len(ends) > 50 and all(start < ideal for ideal, _, start in ends)
    assert (cost > 0.01).mean() < 0.03 and cost.max() < 0.05


def test_a_fork_goes_on_as_its_origin():
    """A machine that is forked without idealized blocks ends when the origin ends, and does not disturb it."""
    network = random_network(2, TINY)
    images = random_images(2, network, 1)
    compiled = compile_network(network, TINY, 1)
    word = compiled.program * 8 // TINY.bus_bits
    machine = Machine(compiled.commands(), TINY, word=word, latency=20, gap=0)
    explorer = Explorer(machine, compiled)
    seen = []
    explorer._explore = lambda command: seen.append((explorer._end(command, ()), int(explorer.ended.ends[command])))
    machine.advance(None)

    def observe(trace):
        block = analyze_packed(trace.packed, trace.starts)
        data = run_data(block, trace.packed, TINY, trace.fields, trace.segments, trace.first_slot, trace.command)
        explorer.advance(trace.command, data, {})

    Interpreter(compiled, compiled.initial_memory(images), observe).run()
    assert len(seen) == len(network.layers) and all(twin == origin for twin, origin in seen)
    assert machine.cycles == estimate(network, TINY, images)["total"]["cycles"]["cycle_model"]


def test_how_much_of_a_tile_a_layer_uses_by_hand():
    """5 channels, 3 x 3 = 9 positions of 18 bits: tiny has 8 lanes and tiles of 16 rows by 8 bits, so 3 K tiles."""
    assert (TINY.lanes, TINY.tile_m, TINY.tile_k) == (8, 16, 8)
    one, report = limits_of(one_layer((2, 3, 3), 5, kernel=3), np.ones((1, 2, 3, 3), int))
    assert (one["k_tiles"], one["tile_depth"]) == (3, 8)
    assert one["tile_use"] == {
        "lanes": {"mean": 5.0, "size": 8},
        "rows": {"mean": 9.0, "size": 16},
        "bits": {"mean": 6.0, "size": 8},
    }
    row = limits_lines(report["layers"], report["total"]).rows[0]
    assert row[0] == "only" and row[-3:] == ("5/8", "9/16", "6/8")
    # 11 channels take two blocks, on average of 5.5.
    one, _ = limits_of(one_layer((2, 3, 3), 11, kernel=3), np.ones((1, 2, 3, 3), int))
    assert one["tile_use"]["lanes"]["mean"] == 5.5


def test_the_digits_on_paper_take_what_the_changelog_says():
    file = open_network("digits", HardwareConfig.load("paper"))
    report = estimate(file.network, HardwareConfig.load("paper"), file.images[:8], limits=True)
    assert report["total"]["cycles"]["cycle_model"] == 8_365
    assert [one["limits"]["blocks"] for one in report["layers"]] == [["neurons"], ["neurons"], ["neurons"], ["loads"]]
    # The shares of a row of the table and the rest are the whole layer.
    assert percent(1, 1000) == "<1%" and percent(0, 5) == "0%" and percent(1, 3) == "33%"
    saved = saved_lines(report["layers"], report["total"])
    assert [row[saved.head.index("PE array")] for row in saved.rows] == ["3", "505", "27", "15", "550"]
    assert text(limits_lines(report["layers"], report["total"])).row_count == 5
