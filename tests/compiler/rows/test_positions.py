"""How many output positions an m tile has: what is tried, what it is estimated to take, and what the choice saves."""

import numpy as np
import pytest

from reprise.compiler import compile_network, depths
from reprise.compiler.golden.interpreter import interpret
from reprise.compiler.rows.positions import DRAIN, UPDATES, candidates, cycles
from reprise.estimate.network import estimate
from reprise.hw.arch.config import HardwareConfig
from reprise.model.files.network_file import load
from reprise.model.files.shipped import shipped
from reprise.model.prosparsity.tiling import LayerTiles

PAPER = HardwareConfig.load("paper")
FILE = load(shipped("digits"))


def tiles_of(rows, starts, height=1, width=1):
    """Tiles of one bit along K and one plane, of an image of ``height`` lines."""
    positions = np.array([(y, x) for y in range(height) for x in range(width)])
    one = np.ones(1, np.int64)
    weights = np.zeros((8, 1), np.int8)
    return LayerTiles(
        packed=np.array(rows, np.uint64)[:, None], starts=np.array(starts), positions=positions, plane_weights=one,
        weights=weights, images=1, timesteps=1, tile_k=8,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("height", "width", "side", "most", "found"),
    [
        (28, 28, 2, 32, [28]),  # LeNet-5's first layer: half a line of windows
        (8, 8, 2, 51, [32]),  # that of digits: two lines of windows of four; three do not divide an image
        (6, 10, 1, 31, [30, 20]),
        (4, 7, 1, 6, []),
        (1, 1, 1, 9, []),
    ],
)
def test_what_is_tried(height, width, side, most, found):
    assert candidates(tiles_of([], [0], height, width), side, most) == found


def test_tiles_wait_for_the_drain_of_the_last_but_one():
    """Tiles of 40 rows of two bits, which take longer to be added than to be drained, with empty ones between them."""
    layer, config = FILE.network.layers[0], PAPER.replace(load_rows=16)
    tiles = tiles_of(([3] * 40 + [0] * 40) * 2, [0, 40, 80, 120, 160])
    busy, drain = 2 * 40 + UPDATES, 40 + DRAIN
    # The third tile waits until the first one is drained; the drains of the last two follow its additions.
    assert cycles(tiles, layer, config, "bit", config.neuron_lanes) == busy + drain + busy + 2 * drain
    # With two groups the drain takes longer than all additions.
    assert cycles(tiles, layer, config, "bit", 2 * config.neuron_lanes) == busy + 4 * (drain + 40)
    # Equal rows are added once, so that the drain takes longer than the updates.
    assert cycles(tiles, layer, config, "product", config.neuron_lanes) == 40 + UPDATES + 4 * drain


def test_the_choice_saves_cycles_and_changes_no_result(monkeypatch):
    images = FILE.images[:2]
    chosen = compile_network(FILE.network, PAPER, 2, keep_features=True)
    fast = estimate(FILE.network, PAPER, images)["total"]["cycles"]["cycle_model"]
    monkeypatch.setattr(depths, "positions_of_tile", lambda *arguments: 0)
    full = compile_network(FILE.network, PAPER, 2, keep_features=True)
    slow = estimate(FILE.network, PAPER, images)["total"]["cycles"]["cycle_model"]
    rows = [max(f["rows"] for op, f in one.commands() if op == "RUN") for one in (chosen, full)]
    assert rows[0] <= rows[1] and fast < 0.99 * slow
    left, right = interpret(chosen, images), interpret(full, images)
    for key, feature in chosen.features.items():
        mine, its = feature.address - chosen.base, full.features[key].address - full.base
        np.testing.assert_array_equal(left[mine : mine + feature.bytes], right[its : its + feature.bytes])
