"""MaxPool in RTL against a maximum over windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.output.max_pool import MaxPool
from tests.hw.output.bench import group_items, pooled
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny")
CONFIGS = {"tiny": TINY, "one group": TINY.replace(neuron_lanes=8), "levels of a bit": TINY.replace(max_levels=1)}


def run_pool(c, levels, k, *, idle=0.0, stall=0.0, seed=0):
    """Pools levels [images, T, C, H, W]; checks every item; returns (source, sink)."""
    rng = np.random.default_rng(seed)
    items = group_items(c, levels, k, "level", rng)
    want = [item["level"] for item in group_items(c, pooled(levels, k), 1, "level", rng)]
    channels = levels.shape[2]
    dut = design(MaxPool, c)
    source = Source(dut.i, items, idle=idle)
    sink = Sink(dut.o, stall=stall, expect=len(want))
    run_streams(dut, [source], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_pool, k))
    timesteps, groups = levels.shape[1], -(-channels // c.neuron_lanes)
    valid = channels - (groups - 1) * c.neuron_lanes
    for n, (item, lanes) in enumerate(zip(sink.items, want, strict=True)):
        g, t = n % groups, n // groups % timesteps
        used = valid if g == groups - 1 else c.neuron_lanes
        assert item["level"][:used] == lanes[:used], f"item {n}"
        assert (item["group"], item["last_group"], item["last_t"]) == (g, g == groups - 1, t == timesteps - 1)
    return source, sink


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("name", CONFIGS)
def test_random(name, k, idle, stall):
    c = CONFIGS[name]
    seed = k + int(idle * 10) + int(stall * 100)
    rng = np.random.default_rng(seed)
    shape = (2, int(rng.integers(1, 4)), int(rng.integers(1, c.lanes + 1)), k * 2 + 1, k * 2)
    run_pool(c, rng.integers(0, c.max_levels + 1, shape), k, idle=idle, stall=stall, seed=seed)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    k = data.draw(st.integers(1, 4))
    shape = (
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(1, c.max_timesteps if k < 3 else 2)),
        data.draw(st.integers(1, c.lanes)),
        k + data.draw(st.integers(0, k)),
        k + data.draw(st.integers(0, k)),
    )
    seed = data.draw(st.integers(0, 2**32 - 1))
    levels = np.random.default_rng(seed).integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_pool(c, levels, k, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("channels", [4, 8])
def test_maximum_anywhere_in_the_window(place, channels):
    """Also with one timestep and one group, where each item needs the word of the one before it."""
    levels = np.ones((1, 1, channels, 2, 4), dtype=int)
    levels[..., place // 2, place % 2] = 9  # the second window must not see it
    run_pool(TINY, levels, 2)


@pytest.mark.parametrize("levels", [0, 15])
def test_all_equal(levels):
    run_pool(TINY, np.full((1, 2, 8, 4, 4), levels), 2)


def test_odd_edges_are_never_sent():
    """A 5 x 5 map with k = 2 has 4 windows."""
    _, sink = run_pool(TINY, np.random.default_rng(0).integers(0, 16, (1, 1, 4, 5, 5)), 2)
    assert len(sink.items) == 4


@pytest.mark.parametrize("timesteps, channels", [(1, 4), (1, 8), (3, 4), (8, 8)])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_one_item_per_cycle(k, timesteps, channels):
    levels = np.random.default_rng(1).integers(0, 16, (2, timesteps, channels, 2 * k, k))
    source, sink = run_pool(TINY, levels, k)
    assert set(np.diff(source.cycles).tolist()) == {1}
    assert sink.cycles[-1] == source.cycles[-1] + 2


def test_start_drops_a_half_window():
    """After a stopped run the next one begins with a window's first position."""
    c = TINY
    dut = design(MaxPool, c)
    rng = np.random.default_rng(2)
    half = group_items(c, np.full((1, 2, 8, 2, 2), 15), 2, "level", rng)[:7]
    levels = rng.integers(0, 8, (1, 2, 8, 2, 2))
    items = group_items(c, levels, 2, "level", rng)
    source = Source(dut.i, half + items, gate=lambda cycle: len(source.cycles) != 7 or cycle > 20)
    sink = Sink(dut.o, expect=4)
    run_streams(
        dut,
        [source],
        [sink],
        setup=lambda ctx: ctx.set(dut.i_pool, 2),
        each=lambda ctx, cycle: ctx.set(dut.i_start, cycle == 15),
    )
    want = group_items(c, pooled(levels, 2), 1, "level", rng)
    assert [item["level"] for item in sink.items] == [item["level"] for item in want]
