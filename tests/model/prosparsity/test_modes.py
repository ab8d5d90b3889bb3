"""What each mode takes of the rows of a tile, against its definition in plain Python."""

import numpy as np
import pytest

from reprise.model.prosparsity.modes import MODES, analyze_mode, slots
from reprise.model.prosparsity.rows import pack_rows
from reprise.model.prosparsity.tiles import analyze_packed, tile_starts

DEPTH = 5


def some_rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bits bool[M, K], of which many rows are zero or alike, the packed rows, and the tiles of 8 rows."""
    r = np.random.default_rng(seed)
    bits = r.random((29, 3 * DEPTH)) < r.choice([0.1, 0.4, 0.9])
    bits[r.random(len(bits)) < 0.3] = False
    packed = pack_rows(bits, DEPTH)
    return bits, packed, tile_starts(len(bits), 8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", MODES)
def test_work_is_what_the_mode_says(mode, seed):
    """Rows that are issued, and additions: all but what the mode leaves out. Set bits are those of the rows in all."""
    bits, packed, starts = some_rows(seed)
    block = analyze_mode(packed, starts, mode, DEPTH)
    for m, (first, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        for k in range(packed.shape[1]):
            part = bits[first:end, k * DEPTH : (k + 1) * DEPTH]
            issued = len(part) if mode == "dense" else int(part.any(axis=1).sum())
            added = {"product": None, "bit": int(part.sum()), "dense": part.size}[mode]
            counts = {name: int(getattr(block.counts, name)[m, k]) for name in ("nonzero", "set_bits", "residual_bits")}
            if added is None:
                added = int(analyze_packed(packed, starts).counts.residual_bits[m, k])
            assert counts == {"nonzero": issued, "set_bits": int(part.sum()), "residual_bits": added}
    if mode != "product":
        assert (block.prefix == -1).all() and (block.counts.exact == 0).all()
        np.testing.assert_array_equal(block.residual, slots(packed, mode, DEPTH))


def test_dense_rows_are_issued_in_the_order_of_their_indices():
    _, packed, starts = some_rows(1)
    for tile in analyze_mode(packed, starts, "dense", DEPTH):
        np.testing.assert_array_equal(tile.order, np.arange(len(tile.rows)))


def test_banks_of_weights_take_dense_bits_side_by_side():
    """Each row of 5 bits takes 5 steps with one bank, 3 with two and 2 with four."""
    _, packed, starts = some_rows(2)
    total = analyze_mode(packed, starts, "dense", DEPTH).counts.total()
    assert [total.add_steps(banks) for banks in (1, 2, 4)] == [packed.size * steps for steps in (5, 3, 2)]


@pytest.mark.parametrize(
    ("mode", "depth", "said"),
    [("sparse", 4, "mode must be one of product, bit, dense, not 'sparse'"), ("dense", 65, "depth must be")],
)
def test_refusals(mode, depth, said):
    with pytest.raises(ValueError, match=said):
        slots(np.zeros((1, 1), np.uint64), mode, depth)
