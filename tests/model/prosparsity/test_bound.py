"""The bound of our processor and the published baselines: formulas by hand, and published figures."""

from pathlib import Path

import numpy as np
import pytest

from reprise.estimate.baselines.dense import bit_sparse_cycles, dense_cycles
from reprise.estimate.baselines.prosperity import published_model_cycles, published_model_tile_cycles
from reprise.estimate.density import density_report, of_capture
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.capture import load_capture
from reprise.model.prosparsity.bound import bound, output_groups, tile_bound
from reprise.model.prosparsity.tiles import Counts, analyze_packed

CAPTURE = Path(__file__).parents[4] / "shared/data/captures/lenet5_mnist.npz"
published = pytest.mark.skipif(not CAPTURE.exists(), reason="the published capture (../shared/data) is absent")


@published
def test_published_figures_of_the_lenet5_capture():
    total = density_report("capture", of_capture(load_capture(CAPTURE)), HardwareConfig.load("paper"))["total"]
    assert abs(total["bit_density"] - 0.2536399466271977) < 1e-12
    assert abs(total["product_density"] - 0.015613787226408325) < 1e-12
    assert total["cycles"]["published_model"] == 38651
    assert total["cycles"]["published_model_tilewise"] == 39723
    assert total["cycles"]["bit_sparse"] == 180965


@published
def test_bound_of_the_lenet5_capture():
    """The two bounds of the published evidence, with one bank and with two."""
    layers = [analyze_packed(t.packed, t.starts) for t in (one.tiles(256, 16) for one in load_capture(CAPTURE))]
    totals = [block.counts.total() for block in layers]
    assert sum(t.residual_bits for t in totals) == 11140 and sum(t.exact for t in totals) == 27511
    assert sum(t.nonzero for t in totals) == 35444 and sum(t.multi_bit for t in totals) == 31076
    assert sum(bound(block.counts, banks=1) for block in layers) == 35577
    assert sum(bound(block.counts, banks=2) for block in layers) == 18657


def counts(**fields):
    zeros = np.zeros((1, 2), dtype=np.int64)
    names = Counts.__dataclass_fields__
    return Counts(**{name: np.array([fields[name]]) if name in fields else zeros for name in names})


def test_formulas_by_hand():
    c = counts(rows=[20, 15], nonzero=[11, 9], multi_bit=[9, 2], exact=[3, 1], set_bits=[40, 12], residual_bits=[5, 9])
    compute, preprocess = published_model_tile_cycles(c)
    assert compute.tolist() == [[8, 10]] and preprocess.tolist() == [[11, 3]]
    assert published_model_cycles(c, 3) == 3 * 18 and published_model_cycles(c, 3, tilewise=True) == 3 * 21
    assert bit_sparse_cycles(c, 2) == 104 and dense_cycles(c, 30, 2) == 20 * 30 * 2
    assert tile_bound(c, banks=1).tolist() == [[11, 9]] and tile_bound(c, banks=2).tolist() == [[6, 9]]
    several = counts(nonzero=[11, 9], residual_bits=[50, 9], residual_pairs=[26, 7], residual_quads=[15, 4])
    found = [tile_bound(several, banks=1, weight_banks=n).tolist() for n in (1, 2, 4)]
    assert found == [[[50, 9]], [[26, 9]], [[15, 9]]]
    assert bound(c, banks=1) == 20 and bound(c, 2, banks=2) == 30
    assert [output_groups(o, 128) for o in (1, 128, 129, 256)] == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="banks must be an integer of at least 1, not 0"):
        bound(c, banks=0)
