"""The processor in the Amaranth simulator against plain dot products: corners, hazards, traffic."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.processor.issue import STEAL_AFTER
from tests.hw.processor.bench import CONFIGS, FULL, Job, job_of, random_job, random_rows, run, singles, sums_of
from tests.support.simulation import design

TRAFFIC = {
    "flowing": {},
    "idle": {"idle": 0.5},
    "stall": {"stall": 0.7},
    "idle and stall": {"idle": 0.3, "stall": 0.4, "weight_idle": 0.5},
}


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


# m tiles, each a list of K tiles, each a list of rows.
CORNERS = {
    "empty tile": [[[0] * 16]],
    "one row": [[[0b1]]],
    "one zero row": [[[0]]],
    "empty tiles between": [[[3, 5], [0, 0], [0, 0], [1, 0]], [[0] * 3, [7, 0, 1]]],
    "only the last K tile is empty": [[[1, 2, 3], [0, 0, 0]]],
    "all rows equal": [[[0b1011] * 16] * 3],
    "full rows": [[[FULL] * 16] * 2],
    "full rows once": [[[FULL] + [0] * 15] * 4],
    "odd number of rows": [[[1, 3, 7, 15, 31]] * 3, [[FULL] * 13], [[5] * 1]],
    "chain of prefixes": [[[(1 << n) - 1 for n in range(1, 9)] * 2] * 2],
    "only rows of one bit": [[singles(*range(8)) * 2] * 3],
    "rows never touched": [[[0, 1, 0, 2, 0, 0, 4, 0]] * 2, [[0, 0, 8, 0, 0, 0, 0, 3]] * 2, [[0] * 8], [[1] * 8]],
    "same row in every tile": [[[1]] * 9, [[3]] * 5],
    "same two rows in every tile": [[[0, 1, 2]] * 9, [[0, 3, 0, 2]] * 5],
    "exact matches at the end of every tile": [[[FULL, FULL]] * 6],
    "one bank only": [[[9, 0] * 8] * 3, [[0, 9] * 8] * 3],
    "many m tiles of one row": [[[n]] for n in range(12)],
    "short m tiles between long ones": [[[0] * n] for n in (16, 1, 1, 9, 1, 16, 2, 1)] + [[[FULL] * 16], [[0]], [[1]]],
    "last row alone": [[[0] * 15 + [FULL]] * 2] * 4,
}


@pytest.mark.parametrize("traffic", ["flowing", "idle and stall"])
@pytest.mark.parametrize("name", CORNERS)
def test_corner(config, name, traffic):
    run(job_of(config, CORNERS[name]), seed=1, **TRAFFIC[traffic])


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("seed", range(3))
def test_random_stream(config, seed, traffic):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    run(random_job(config, rng, m_tiles=4, k_tiles=3, distinct=[None, 3, 6][seed]), seed=seed, **TRAFFIC[traffic])


@pytest.mark.parametrize("distance", range(1, 8))
def test_prefix_finished_just_before(config, distance):
    # The prefix is row `7 - distance` of seven one-bit rows; its user, the only row of two bits, comes after them.
    bits = list(range(1, 7))
    bits.insert(7 - distance, 0)
    rows = singles(*bits) + [0b1000_0001]
    for seed in range(2):
        run(job_of(config, [[rows], [rows[::-1]], [rows]], seed=seed))


@pytest.mark.parametrize("distance", range(1, 8))
def test_exact_match_just_after_its_prefix(config, distance):
    rows = singles(*range(8 - distance, 8)) + singles(*range(8 - distance))
    rows = rows[:7] + [rows[0]] * 3
    run(job_of(config, [[rows] * 2, [rows[::-1]]]))


@pytest.mark.parametrize("gap", range(6))
def test_partial_sum_updated_again_in_the_next_tile(config, gap):
    # Row 0 is the last of a tile; it is updated again `gap` rows into the next.
    first = [FULL, 1, 2, 4]
    second = [1 << gap, *singles(*range(gap))]
    second += [0] * (8 - len(second))
    for tiles in ([first, second], [first, second[:1]], [first, second, first, second]):
        rows = max(map(len, tiles))
        padded = [t + [0] * (rows - len(t)) for t in tiles]
        run(job_of(config, [padded, padded]))


def test_exact_match_updates_the_row_that_the_last_exact_match_did(config):
    # Row 7 is the last exact match of a tile and the first of the next, whose prefix is finished long before.
    for between in range(3):
        second = [2] + [0] * 6 + [2]
        second[1 : 1 + between] = [2] * between
        run(job_of(config, [[[1] * 8, second], [[3] * 8, second]], seed=between))


@pytest.mark.parametrize("late", range(8))
def test_equal_slots_in_neighbouring_tiles(config, late):
    # The last row of a tile, and the prefix of the second row of the next tile, have the same slot.
    for second in ([1, 3, 0, 0], [7, 15, 0, 0]):
        run(job_of(config, [[[0, 0, 0, FULL], second] * 2]), late=late)


@pytest.mark.parametrize("late", range(8))
def test_exact_matches_with_the_slot_of_a_row_in_the_next_tile(config, late):
    # They wait while that row finishes, or its exact matches follow them.
    for tiles in ([[3, 3, 3, 0], [3, 6, 3, 6]], [[3, 3, 0, 0], [0, 0, 3, 3]]):
        run(job_of(config.replace(weight_tiles=4), [tiles] * 3, first_weight=0), late=late)


@pytest.mark.parametrize("late", range(12))
def test_partial_sum_of_an_exact_match_updated_by_a_late_row(config, late):
    # Row 2 is an exact match at the end of a tile; its partial sum is the first that the next tile updates.
    for again in (8, 11):
        tiles = [[3, 4, 3, 0], [0, 0, again, 0]] * 2
        run(job_of(config.replace(weight_tiles=4), [tiles] * 3, first_weight=0), late=late)


@pytest.mark.parametrize("late", range(5))
def test_exact_matches_of_a_row_in_neighbouring_slots(config, late):
    # Rows of one bit take all slots: the exact match of row 7 in two tiles waits, and then one follows the other.
    for count in range(1, 7):
        ones = singles(*range(count)) + [0] * (6 - count)
        tiles = [[3, *[0] * 6, 3], [3, *ones, 3]]
        run(job_of(config.replace(weight_tiles=4), [tiles] * 3, first_weight=0), late=late)


def test_a_held_result_is_not_that_of_an_older_tile():
    """Tile 8 has the tag of tile 0, and its exact match the slot of the one that bank 1 saw last: nothing is held."""
    exact, first_bank = [3, 3], [2, 0]
    run(job_of(CONFIGS["two banks"], [[exact, *[first_bank] * 7, exact]]))
    run(job_of(CONFIGS["two banks"], [[exact, *[[0, 0]] * 7, exact]]))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_repeated_exact_matches_lend_the_read_port(config, count):
    """A row that starts from a prefix while exact matches of one pattern run: it waits for none of them."""
    even = [0, 3, 5, 6, 9, 10, 12, 15]  # rows of bank 0
    for late in (0b0000_1011, 0b0001_0100):  # its prefix is the pattern that repeats, or another
        rows = [0] * 16
        for n, pattern in zip(even, [3, 5] * count + [3] * 8, strict=False):
            rows[n] = pattern
        rows[1], rows[14] = 4, late
        run(job_of(config, [[rows] * 3, [rows]]))


LATE_ROW = 52
"""Cycle in which the late compute row comes."""


def late_start(patterns):
    """Cycles of the slots: exact matches flow while a compute row comes late, whose prefix is not at hand."""
    from reprise.hw.processor.processor import Processor
    from tests.hw.processor.bench import front_end, start
    from tests.support.streams import Sink, Source, run_streams

    config = CONFIGS["one bank"].replace(tile_m=128)
    job = job_of(config, [[patterns + [4, 12]]])
    dut = design(Processor, config)
    begins, ends, computes, reuses, weights = front_end(job)
    rows = [[item for _, item in stream] for stream in (computes, reuses[0])]
    compute = Source(
        dut.i_compute, rows[0], gate=lambda cycle: cycle >= LATE_ROW or len(compute.cycles) + 1 < len(rows[0])
    )
    reuse = Source(dut.i_reuse[0], rows[1], gate=lambda cycle: cycle >= 45)
    slots = []

    def setup(ctx):
        start(ctx, dut, {"groups": config.groups})

    def count(ctx, cycle):
        if ctx.get(dut.counters.compute_row) or ctx.get(dut.counters.reuse_rows):
            slots.append(cycle)

    sources = [Source(dut.i_begin, begins), Source(dut.i_end, ends), compute, reuse, Source(dut.i_weights, weights)]
    sink = Sink(dut.o_psum, expect=len(patterns) + 2)
    run_streams(dut, sources, [sink], setup=setup, each=count)
    assert sums_of(sink.items) == job.expected()
    assert len(slots) == len(patterns) + 2
    return np.array(slots[len(rows[0]) - 1 :])


def test_a_start_from_a_prefix_takes_no_slot_of_repeated_exact_matches():
    slots = late_start([3] * 14)
    assert np.all(np.diff(slots) == 1), "a slot was lost"


def test_a_start_from_a_prefix_takes_a_slot_of_exact_matches_that_differ():
    """It waits for a free port for STEAL_AFTER cycles, then an exact match waits for it."""
    slots = late_start([3, 5] * 50)
    steps = np.diff(slots)
    assert sorted(steps)[-2:] == [1, 2], "exactly one slot is lost"
    assert slots[np.argmax(steps)] == LATE_ROW + 1 + STEAL_AFTER  # it is staged in the cycle after


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_drain_waits_for_the_last_update(config, rows):
    m_tiles = [[[3] * rows, [5] * rows]] * 4
    run(job_of(config, m_tiles))
    run(job_of(config, m_tiles), stall=0.5, seed=3)


@pytest.mark.parametrize("extreme", ["lowest weights", "highest sums"])
def test_extreme_values(config, extreme):
    # All weights are -128; with full rows every tile result is the lowest there is.
    rows = [FULL] * 16 if extreme == "lowest weights" else [FULL, 0, 1] * 5 + [FULL]
    run(job_of(config, [[rows] * 8], extreme=True))


def test_weights_that_come_late(config):
    rng = np.random.default_rng(5)
    job = random_job(config, rng, m_tiles=3, k_tiles=3, density=0.2)
    late = run(job, weight_gate=lambda cycle: cycle > 200)
    assert late.counts["stall_weights"] > 100
    run(job, weight_idle=0.9)


def test_weights_of_a_tile_without_rows_are_consumed(config):
    rng = np.random.default_rng(6)
    empty, rows = [0] * 6, random_rows(rng, 6, config.tile_k)
    run(job_of(config, [[empty, rows, empty, empty, rows], [empty], [rows]]), weight_idle=0.5)


def test_weights_that_stay(config):
    rng = np.random.default_rng(7)
    job = Job(config.replace(weight_tiles=4))
    for _ in range(4):
        job.add([random_rows(rng, 9, config.tile_k) for _ in range(3)], rng, first_weight=0)
    run(job)
    run(job, idle=0.4, stall=0.4, seed=2)


def test_weights_in_block_memory(config):
    rng = np.random.default_rng(8)
    job = Job(config.replace(weight_tiles=16))
    for _ in range(3):
        job.add([random_rows(rng, 12, config.tile_k) for _ in range(10)], rng, first_weight=0)
    run(job)


def test_a_tile_in_the_slot_that_its_elder_releases(config):
    """It must wait for the refill, not use the old weights: all slots are filled, and each elder is the last to use its
    weights, whose slot is the next in turn."""
    rng = np.random.default_rng(9)
    slots, job = config.weight_tiles, Job(config)
    for weights in [*range(slots), *(w for first in range(6) for w in (first, first + slots))]:
        job.add([random_rows(rng, 5, config.tile_k)], rng, first_weight=weights)
    run(job)
    run(job, weight_idle=0.7, idle=0.2, seed=4)


def test_slow_consumer_gets_every_row(config):
    rng = np.random.default_rng(10)
    job = random_job(config, rng, m_tiles=4, k_tiles=2, rows=16, distinct=4)
    for period in (2, 3, 4, 7):
        run(job, sink_gate=lambda cycle, p=period: cycle % p == 0)


SMALL = st.builds(
    HardwareConfig,
    tile_m=st.sampled_from([8, 16, 32]),
    tile_k=st.sampled_from([4, 8, 16]),
    lanes=st.sampled_from([1, 2, 8]),
    load_rows=st.just(2),
    neuron_lanes=st.just(1),
    banks=st.sampled_from([1, 2]),
    queries=st.just(1),
    one_bit_matches=st.sampled_from([0, 1]),
    weight_bits=st.sampled_from([2, 5, 8]),
    psum_bits=st.sampled_from([16, 24]),
    membrane_bits=st.just(32),
    weight_tiles=st.sampled_from([2, 3, 16]),
    bus_bits=st.just(64),
    feature_words=st.just(64),
    segments=st.just(16),
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(c=SMALL, seed=st.integers(0, 1 << 16), idle=st.sampled_from([0, 0.3]), stall=st.sampled_from([0, 0.5]))
def test_random_configurations(c, seed, idle, stall):
    rng = np.random.default_rng(seed)
    job = random_job(c, rng, m_tiles=3, k_tiles=int(rng.integers(1, 4)), distinct=int(rng.choice([2, 5, 1 << 10])))
    run(job, idle=idle, stall=stall, weight_idle=idle, seed=seed)
