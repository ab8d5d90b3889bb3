"""The estimate of energy: the fit, what it makes of a report, and what it says where nothing was measured."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.arithmetic import places
from reprise.compiler.golden.interpreter import Interpreter
from reprise.estimate.energy import accesses, model
from reprise.estimate.network import estimate
from reprise.estimate.report.fields import Estimate
from reprise.estimate.report.speed import whole_estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.model.network.layer import Layer, Source
from reprise.model.network.network import Network
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.modes import analyze_mode
from tests.support.cosim_jobs import TINY, small_network

IMAGES = np.random.default_rng(4).integers(0, 8, (1, 1, 6, 6))


def some_networks(seed: int, energies: np.ndarray, noise: float = 0.0):
    """Networks of some layers with random events, and the energies that these take in every block."""
    r = np.random.default_rng(seed)
    for _ in range(6):
        rows = r.lognormal(7, 2, (4, len(model.EVENTS)))
        yield rows, rows @ energies * (1 + noise * r.standard_normal((4, len(model.BLOCKS))))


def some_energies(seed: int) -> np.ndarray:
    """Energies of every event in the blocks that it goes with, float64[events, blocks]."""
    names, found = list(model.EVENTS), np.zeros((len(model.EVENTS), len(model.BLOCKS)))
    for n, some in enumerate(model.BLOCKS.values()):
        for name in ("cycles", *some):
            found[names.index(name), n] = np.random.default_rng([seed, n, names.index(name)]).uniform(0, 1)
    return found


def test_the_fit_finds_the_energies_of_every_block_and_none_is_negative():
    energies = some_energies(5)
    found = model.fit(list(some_networks(1, energies)))
    np.testing.assert_allclose(found, energies.sum(axis=1), rtol=1e-6, atol=1e-9)
    assert (model.fit(list(some_networks(2, energies, noise=0.3))) >= 0).all()


def test_every_event_counts_in_some_block_and_every_instance_in_one():
    assert set(model.EVENTS) == {"cycles"}.union(*model.BLOCKS.values())
    assert model.block_of("datapath.core.processor.bank0.dirty1") == "core.processor.bank"
    assert model.block_of("datapath.core.processor.issue") == "core.processor"
    assert model.block_of("datapath.weights_reader.buffer") == "weights"
    assert model.block_of("counters") == model.block_of("top") == ""


def test_a_report_has_the_energies_of_its_layers_and_their_sum():
    found = model.fitted(TINY)
    report = estimate(small_network(), TINY, IMAGES)
    whole = whole_estimate(report, small_network(), TINY, IMAGES, name="tiny")
    Estimate.model_validate(whole)
    lines = [*whole["layers"], whole["rest"]]
    for one, before in zip(lines, [*report["layers"], report["rest"]], strict=True):
        chip = sum(n * found["nanojoules"][name] for n, name in zip(model.events(before), model.EVENTS, strict=True))
        assert one["energy"]["chip_nj"] == pytest.approx(chip, abs=0.1) and chip > 0
        bits = 8 * (before["bytes_read"] + before["bytes_written"])
        assert one["energy"]["dram_nj"] == pytest.approx(bits * 12.45e-3, abs=0.1)
    for part in ("chip_nj", "dram_nj"):
        assert whole["total"]["energy"][part] == pytest.approx(sum(one["energy"][part] for one in lines), abs=0.1)
    (said,) = model.lines(whole)
    assert f"off by up to {whole['energy_error_percent']:g} % on networks that were measured and not fitted" in said


def test_a_configuration_that_was_not_measured_has_no_energy():
    other = TINY.replace(lanes=16, neuron_lanes=8)
    assert model.fitted(other) is None and model.fitted(TINY.replace(modes=1)) == model.fitted(TINY)
    report = estimate(small_network(), other, IMAGES)
    assert model.fields(report, other) == {}
    (said,) = model.lines(report)
    names = ", ".join(one["name"] for one in model.known())
    assert said.startswith(f"energy: not fitted to this configuration, but to {names}; reprise energy measures it")
    assert "tools.energy.fit --config PRESET --write" in said


def test_the_table_is_of_presets_and_says_what_it_was_not_fitted_to():
    assert len({one["name"] for one in model.known()}) == len(model.known())
    for one in model.known():
        assert one["configuration"] == HardwareConfig.load(one["name"]).built()
        assert set(one["nanojoules"]) == set(model.EVENTS) and min(one["nanojoules"].values()) >= 0
        assert len(one["held_out_percent"]) >= 5 and not set(one["held_out_percent"]) & set(one["fit_percent"])
        assert model.error_percent(one) == max(abs(value) for value in one["held_out_percent"].values()) < 5


def test_the_end_of_a_job_has_cycles_and_bytes_only():
    end = {"cycles": {"cycle_model": 100}, "bytes_read": 8, "bytes_written": 16}
    found = dict(zip(model.EVENTS, model.events(end), strict=True))
    assert {name: value for name, value in found.items() if value} == {"cycles": 100, "bytes_written": 16}


def traced(network, images, config=TINY):
    """The RUNs of a network, each with its analysed tiles."""
    found = []
    compiled = compile_network(network, config, len(images))
    Interpreter(compiled, compiled.initial_memory(images), found.append).run()
    return [(one, analyze_mode(one.packed, one.starts, "product", one.fields["tile_depth"])) for one in found]


def test_accesses_are_those_of_the_blocks_one_after_the_other():
    """Every tile, row and word in turn, with the entries that im2col reads and the results that rows take."""
    for trace, block in traced(small_network(), IMAGES):
        groups, entries, seen = trace.fields["groups"], {}, Counter()
        at = places(trace.fields, len(trace.packed))
        for step, tile in zip(trace.tiles(), block, strict=True):
            cuts = trace.cuts[trace.k_of == step.k]
            for word in range(0, step.m_rows, TINY.load_rows):
                for (address, bit, _, _, shift, source, _), r in product(cuts, range(TINY.load_rows)):
                    line, x, _ = at[trace.starts[step.m] + min(word + r, step.m_rows - 1), source]
                    first = line + address + (x + bit - shift) // TINY.feature_bits
                    for one in (first, first + 1):  # two banks: even words and odd ones
                        seen["feature_reads"] += entries.get((r, one % 2)) != one // 2
                        entries[r, one % 2] = one // 2
            last = reused = base = None
            for row in tile.order.tolist():
                prefix = int(tile.prefix[row])
                seen["updates"] += groups
                if tile.residual[row]:
                    seen["results"] += groups
                    fresh = prefix >= 0 and prefix not in (last, base)
                    base = prefix if fresh else base
                    last = row
                else:
                    fresh, reused = prefix != reused, prefix
                seen["result_reads"] += groups * fresh
        dirty = sum(bool(row.any()) for row in trace.packed)
        seen = {"result_reads": 0} | dict(seen)
        seen |= {"drained": groups * dirty, "outputs": 5}
        seen["weight_rows"] = sum(int(one).bit_count() for one in trace.weight_rows.ravel())
        assert accesses.of_run(trace, block, 5) == seen


def test_an_image_in_equal_timesteps_is_read_once_for_all_of_them():
    """Beats are of one pixel with four planes: in two timesteps there are twice as many, with as many reads."""
    weight = np.ones((4, 8, 1, 1), np.int8)
    only = Layer(
        name="pixels", sources=(Source(feature="input", weight=weight),), neuron=Neuron.uniform(4, threshold=9)
    )
    images = np.random.default_rng(6).integers(0, 16, (1, 8, 4, 4))
    reads, beats = [], []
    for timesteps in (1, 2):
        network = Network(name="n", input_shape=(8, 4, 4), input_levels=15, timesteps=timesteps, layers=(only,))
        ((trace, block),) = traced(network, images)
        reads.append(accesses.of_run(trace, block, 0)["feature_reads"])
        beats.append(len(trace.packed) // TINY.load_rows)
    assert beats[1] == 2 * beats[0] and reads[1] == reads[0] > 0
