"""The modes of a RUN: the same integers in all of them, and the RTL's work and cycles are the model's."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.compiler.golden.interpreter import interpret
from reprise.estimate.network import Part, estimate_image
from reprise.hw.arch.program import BIT, DENSE, PRODUCT
from reprise.model.prosparsity.modes import MODES
from reprise.support.errors import RepriseError
from tests.estimate.exact.bench import TWICE, check, check_program, long_network
from tests.support.cosim_jobs import TINY, TRANSFORMERS, small_network

IMAGES = np.random.default_rng(5).integers(0, 8, (1, 3, 12, 12)) * (
    np.random.default_rng(6).random((1, 3, 12, 12)) < 0.5
)


@pytest.mark.parametrize("config", [TRANSFORMERS, TWICE], ids=["one row", "two rows"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_exact(mode, config):
    """Memory, traffic, events and cycles of every layer are the model's."""
    check(config, long_network(9), IMAGES, cuts={"mode": mode}, latency=20)


def test_a_layer_of_each_mode():
    """RUNs of different modes follow each other; the tiles of one are still inside when those of the next come."""
    images = np.random.default_rng(4).integers(0, 8, (3, 1, 6, 6))
    network = small_network()
    for turn in range(3):
        modes = {layer.name: MODES[(n + turn) % 3] for n, layer in enumerate(network.layers)}
        compiled = compile_network(network, TRANSFORMERS, 3, keep_features=True, mode=modes)
        check_program(compiled, [Part.run(network, images)], {"latency": 3})


def estimated(mode):
    """The estimate of the long network in a mode, with the same K tiles in each."""
    network = long_network(9)
    compiled = compile_network(network, TWICE, mode=mode, tile_depths={"c0": 8, "c1": 8}, keep_features=True)
    return estimate_image(compiled, [Part.run(network, IMAGES)])[0]


def test_each_mode_costs_what_it_does_not_leave_out():
    assert MODES.index("product") == PRODUCT and MODES.index("bit") == BIT and MODES.index("dense") == DENSE
    product, bit, dense = map(estimated, MODES)
    for a, b in ((product, bit), (bit, dense)):
        assert a["total"]["cycles"]["cycle_model"] < b["total"]["cycles"]["cycle_model"]
        assert a["total"]["counts"]["residual_bits"] < b["total"]["counts"]["residual_bits"]
        assert a["total"]["counts"]["set_bits"] == b["total"]["counts"]["set_bits"]
    assert bit["total"]["counts"]["residual_bits"] == bit["total"]["counts"]["set_bits"]
    assert bit["total"]["counts"]["exact_matches"] == dense["total"]["counts"]["exact_matches"] == 0
    for layer in dense["layers"]:
        rows = layer["counts"]["nonzero_rows"]
        assert layer["counts"]["residual_bits"] == rows * layer["tile_depth"]


def test_refusals():
    network = small_network()
    with pytest.raises(RepriseError, match=r"mode must be product, not 'bit': only a configuration with modes=1"):
        compile_network(network, TINY, mode="bit")
    with pytest.raises(RepriseError, match="mode must be one of product, bit, dense, not 'sparse'"):
        compile_network(network, TRANSFORMERS, mode="sparse")
    with pytest.raises(RepriseError, match="mode must be of layers of the network"):
        compile_network(network, TRANSFORMERS, mode={"nobody": "bit"})


def test_interpreter_gives_the_same_maps_in_every_mode():
    network, images = small_network(), np.random.default_rng(4).integers(0, 8, (2, 1, 6, 6))
    maps = []
    for mode in MODES:
        compiled = compile_network(network, TRANSFORMERS, 2, keep_features=True, mode=mode, gather=False)
        memory = interpret(compiled, images)
        spans = [compiled.features[entry.feature] for entry in compiled.layers]
        maps.append([memory[f.address - compiled.base :][: f.bytes] for f in spans])
    for other in maps[1:]:
        for mine, its in zip(maps[0], other, strict=True):
            np.testing.assert_array_equal(mine, its)
