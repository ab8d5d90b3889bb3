"""The estimate of energy: the fit, what it makes of a report, and what it says where nothing was measured."""

import numpy as np
import pytest

from reprise.estimate.energy import model
from reprise.estimate.network import estimate
from reprise.estimate.report.fields import Estimate
from reprise.estimate.report.speed import whole_estimate
from reprise.hw.arch.config import HardwareConfig
from tests.support.cosim_jobs import TINY, small_network

IMAGES = np.random.default_rng(4).integers(0, 8, (1, 1, 6, 6))


def some_networks(seed: int, energies: np.ndarray, noise: float = 0.0):
    """Networks of some layers with random events, and the energies that these take."""
    r = np.random.default_rng(seed)
    for _ in range(6):
        rows = r.lognormal(7, 2, (4, len(model.EVENTS)))
        yield rows, rows @ energies * (1 + noise * r.standard_normal(4))


def test_the_fit_finds_the_energies_and_none_is_negative():
    energies = np.array([0.5, 0.02, 0.1, 0.0, 0.3, 0.004, 0.2])
    np.testing.assert_allclose(model.fit(list(some_networks(1, energies))), energies, rtol=1e-6, atol=1e-9)
    assert (model.fit(list(some_networks(2, energies, noise=0.3))) >= 0).all()


def test_a_report_has_the_energies_of_its_layers_and_their_sum():
    found = model.fitted(TINY)
    report = estimate(small_network(), TINY, IMAGES)
    whole = whole_estimate(report, small_network(), TINY, IMAGES, name="tiny")
    Estimate.model_validate(whole)
    lines = [*whole["layers"], whole["rest"]]
    for one, before in zip(lines, [*report["layers"], report["rest"]], strict=True):
        chip = sum(
            n * found["nanojoules"][name]
            for n, name in zip(model.events(before, found["configuration"]), model.EVENTS, strict=True)
        )
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
        assert model.error_percent(one) == max(abs(value) for value in one["held_out_percent"].values())


def test_an_update_counts_the_groups_of_channels_that_it_has():
    """A layer of five channels has two groups of four; the end of a job has cycles and bytes only."""
    layer = {
        "cycles": {"cycle_model": 100},
        "counts": {"residual_bits": 7, "nonzero_rows": 30},
        "tile_use": {"lanes": {"mean": 5.0}},
        "alone_cycles": {"im2col": 11, "neurons": 12, "weights": 13},
        "bytes_read": 8,
        "bytes_written": 16,
    }
    assert model.events(layer, {"neuron_lanes": 4}) == [100, 7, 60, 11, 12, 13, 24]
    end = {key: layer[key] for key in ("cycles", "bytes_read", "bytes_written")}
    assert model.events(end, {"neuron_lanes": 4}) == [100, 0, 0, 0, 0, 0, 24]
