"""The accelerator between cocotbext-axi's master and memory, with random backpressure on every channel."""

import numpy as np
import pytest

from reprise.cosim.bench.axi import run_axi
from tests.support.cosim_jobs import FILL, TINY, Job, small_network


@pytest.fixture(scope="module")
def job():
    return Job.make(small_network(seed=8), np.random.default_rng(2).integers(0, 8, (1, 1, 6, 6)))


def test_backpressure_on_every_channel(job):
    cycles = []
    for pause in (0.0, 0.3, 0.8):
        memory, taken = run_axi(TINY, job.compiled, job.images, pause=pause, seed=int(pause * 10) + 1, fill=FILL)
        job.check(memory)
        cycles.append(taken)
    assert cycles[0] < cycles[1] < cycles[2], "pauses must be felt"
