"""reprise.model.prosparsity.density: the one computation of densities against counts that know no tiles."""

import numpy as np
import pytest

from reprise.model.inference.runner import run
from reprise.model.prosparsity.density import Density, matrix_rows
from reprise.model.prosparsity.tiles import Counts, count_packed
from reprise.model.prosparsity.tiling import network_tiles
from tests.support.oracles import naive_bits, naive_residual
from tests.support.random_models import random_images, random_network

SHAPES = [(1024, 64), (512, 16), (300, 5), (256, 1)]
"""tile_m, tile_k: one tile along K, some, many, one per bit."""


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tile_m, tile_k", SHAPES)
def test_densities_equal_counts_without_tiles(seed, tile_m, tile_k):
    """Layers with padding, strides, pools, joins, planes of both kinds and several tiles along K."""
    network = random_network(seed, size=5, timesteps=2, input_signed=seed % 4 == 3)
    features = run(network, random_images(network, 2, seed), record=("features",)).features
    several = 0
    for layer in network.layers:
        tiles = network_tiles(network, layer.name, features, tile_m=tile_m, tile_k=tile_k)
        depth = sum(source.depth for source in layer.sources)
        density = Density.of(count_packed(tiles.packed, tiles.starts), depth)
        ones, bits = naive_bits(network, layer.name, features)
        assert (density.set_bits, density.elements) == (ones, bits)
        assert density.bit_density == ones / bits
        if tile_k in (5, 16) and len(tiles.packed) < 500:
            residual, bits = naive_residual(network, layer.name, features, tile_m, tile_k)
            assert (density.residual_bits, density.elements) == (residual, bits)
            assert density.product_density == residual / bits
        several += tiles.k_tiles > 1
    assert several or tile_k == 64


def counts(**fields):
    return Counts(**{name: np.array(fields.get(name, [[0, 0], [0, 0]])) for name in Counts.__dataclass_fields__})


def test_a_row_counts_once_whatever_the_tiles_along_k():
    """Two tiles along M of 20 and 15 rows, each cut in two along K."""
    found = counts(rows=[[20, 20], [15, 15]], set_bits=[[40, 12], [3, 0]], residual_bits=[[5, 9], [3, 0]])
    assert matrix_rows(found) == 35
    assert Density.of(found, 30) == Density(elements=35 * 30, set_bits=55, residual_bits=17)
    thrice = Density.of(found, 30, 3)
    assert thrice == sum([Density.of(found, 30)] * 3, Density())
    assert thrice.figures() == {"bit_density": 55 / 1050, "product_density": 17 / 1050}
    assert thrice.reduction == 55 / 17


def test_without_bits_densities_are_zero():
    assert Density().figures() == {"bit_density": 0.0, "product_density": 0.0}
    assert Density(elements=9).reduction is None
    assert matrix_rows(Counts.from_array(np.zeros((0, 3, 8), np.int64))) == 0
