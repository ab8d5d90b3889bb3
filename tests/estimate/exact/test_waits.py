"""Loads that wait for what RUNs write: a layer begins before the one before it has ended, in the very cycle it may."""

import numpy as np
import pytest

from reprise.compiler import compile_network
from reprise.estimate.network import Part
from reprise.hw.arch.program import Wait
from tests.estimate.exact.bench import check_program, long_network
from tests.support.cosim_jobs import TINY

WAITS = {
    "one job a layer": (12, 1, [Wait.ALL]),
    "a job for each image": (20, 2, [Wait.OLDER]),
    "jobs that share a region": (31, 2, [Wait.ALL]),
}
"""Lines and columns of the input, images, and for what loads wait."""


@pytest.mark.parametrize("latency", [0, 60])
@pytest.mark.parametrize("case", WAITS)
def test_layers_overlap(case, latency):
    """The whole of the second layer, or what is on chip, must have been written, or the RUN in progress goes on."""
    size, images, waits = WAITS[case]
    network = long_network(9, size=size)
    r = np.random.default_rng(size)
    values = r.integers(0, 8, (images, 3, size, size)) * (r.random((images, 3, size, size)) < 0.3)
    compiled = compile_network(network, TINY, images)
    assert sorted({f["wait"] for opcode, f in compiled.commands() if opcode == "LOAD_FEATURES"} - {0}) == waits
    assert all(opcode != "BARRIER" for opcode, _ in compiled.commands())
    check_program(compiled, [Part.run(network, values)], {"latency": latency})
