"""Narrow RUNs have four buffers of partial sums, two in each half of the lanes; other RUNs have two."""

import numpy as np
import pytest

from tests.hw.processor.bench import TINY, Job, random_rows, run

NARROW = TINY.replace(lanes=16, neuron_lanes=4, narrow_buffers=1)
SHORT = 3
"""Rows of an m tile that is soon computed."""

BLOCKED = 300
"""Cycles in which nothing leaves, and all that can be computed is."""


def job_of_runs(runs, *, rng, rows=None, k_tiles=1, config=NARROW):
    """RUNs of (groups, m tiles). Both halves of the lanes have the weights of a narrow one."""
    job = Job(config, runs=[m_tiles for _, m_tiles in runs])
    for groups, m_tiles in runs:
        for _ in range(m_tiles):
            count = rows or int(rng.integers(1, config.tile_m + 1))
            first = len(job.weights)
            job.add([random_rows(rng, count, config.tile_k, density=0.4) for _ in range(k_tiles)], rng)
            job.groups.append(groups)
            for weights in job.weights[first:]:
                if groups <= config.narrow_groups:
                    weights[:, config.lanes // 2 :] = weights[:, : config.lanes // 2]
    return job


@pytest.mark.parametrize("traffic", [{}, {"idle": 0.3, "stall": 0.4}, {"stall": 0.9}], ids=str)
@pytest.mark.parametrize("seed, banks", [(0, 1), (1, 1), (2, 1), (3, 1), (0, 2)])
def test_narrow_and_wide_runs_follow_each_other(seed, banks, traffic):
    print("seed", seed)
    rng, config = np.random.default_rng(seed), NARROW.replace(banks=banks)
    widths = rng.permutation([1, 2, 3, 4, 1, 3])
    runs = [(int(groups), int(rng.integers(1, 8))) for groups in widths]
    rows = SHORT if seed % 2 else None
    run(job_of_runs(runs, rng=rng, rows=rows, k_tiles=1 + seed // 2, config=config), seed=seed, **traffic)


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("groups, ahead", [(1, 4), (2, 4), (3, 2), (4, 2)])
def test_as_many_m_tiles_are_computed_as_there_are_buffers(groups, ahead, banks):
    """While nothing leaves, the m tiles of a narrow RUN fill four buffers, and those of others two."""
    config = NARROW.replace(banks=banks)
    job = job_of_runs([(groups, 6)], rng=np.random.default_rng(5), rows=SHORT, config=config)
    entered = run(job, sink_gate=lambda cycle: cycle > BLOCKED).entered
    assert sum(cycle < BLOCKED for cycle in entered) == ahead and len(entered) == 6


@pytest.mark.parametrize("first, second", [(4, 1), (1, 4), (3, 2), (2, 3)])
@pytest.mark.parametrize("m_tiles", range(1, 6))
def test_a_run_waits_for_what_lies_in_its_lanes(first, second, m_tiles):
    """The m tiles of the second RUN are computed while nothing of the first one, of another width, is drained."""
    rng = np.random.default_rng(m_tiles)
    run(job_of_runs([(first, m_tiles), (second, 6), (first, 2)], rng=rng), sink_gate=lambda cycle: cycle > 200)
