"""The max pool in RTL whose 3x3 windows share lines, against the definition; whole maps and parts of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import OVERLAPPING_POOL
from reprise.hw.output.max_pool import MaxPool
from reprise.model.network.pool import MaxPool as Pool
from tests.hw.output.bench import group_items
from tests.support.oracles import naive_pool
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny").replace(pool_words=64)
CONFIGS = {"tiny": TINY, "one group": TINY.replace(neuron_lanes=8), "levels of a bit": TINY.replace(max_levels=1)}
POOL = Pool(kernel=3, stride=2, padding=1)


def part_of(levels, lines, columns):
    """(fields, positions [images, T, C, h, w], windows) of the windows of some lines and columns of a map."""
    ys, xs = POOL.covers(lines, levels.shape[3]), POOL.covers(columns, levels.shape[4])
    fields = {"out_lines": len(lines), "out_width": len(columns)}
    for axis, outputs, covered in (("x", columns, xs), ("y", lines, ys)):
        halo = int(outputs.start > 0)
        fields |= {f"pool_halo_{axis}": halo, f"pool_odd_{axis}": 2 * len(outputs) + halo - len(covered)}
    whole = np.stack([naive_pool(one, 3, 2, 1) for one in levels])
    found = whole[..., lines.start : lines.stop, columns.start : columns.stop]
    return fields, levels[..., ys.start : ys.stop, xs.start : xs.stop], found


def run_pool(c, levels, lines=None, columns=None, *, idle=0.0, stall=0.0, seed=0, before=()):
    """Pools levels [images, T, C, H, W] and checks every item; returns (source, sink)."""
    rng = np.random.default_rng(seed)
    lines = lines or range(POOL.outputs(levels.shape[3]))
    columns = columns or range(POOL.outputs(levels.shape[4]))
    fields, taken, windows = part_of(levels, lines, columns)
    items = [*before, *group_items(c, taken, 1, "level", rng)]
    want = group_items(c, windows, 1, "level", rng)
    channels, timesteps, groups = levels.shape[2], levels.shape[1], -(-levels.shape[2] // c.neuron_lanes)
    dut = design(MaxPool, c)
    source = Source(dut.i, items, idle=idle, gate=lambda cycle: cycle > 12 or 0 < cycle <= len(before))
    sink = Sink(dut.o, stall=stall, expect=len(want))

    def setup(ctx):
        ctx.set(dut.i_pool, OVERLAPPING_POOL)
        ctx.set(dut.i_config, fields)
        ctx.set(dut.i_start, 1)

    run_streams(
        dut,
        [source],
        [sink],
        seed=seed,
        setup=setup,
        each=lambda ctx, n: ctx.set(dut.i_start, n in (0, 12)),
    )
    valid = channels - (groups - 1) * c.neuron_lanes
    for n, (item, wanted) in enumerate(zip(sink.items, want, strict=True)):
        g, t = n % groups, n // groups % timesteps
        used = valid if g == groups - 1 else c.neuron_lanes
        assert item["level"][:used] == wanted["level"][:used], f"item {n}"
        assert (item["group"], item["last_group"], item["last_t"]) == (g, g == groups - 1, t == timesteps - 1)
    return source, sink


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("height, width", [(1, 1), (1, 2), (2, 1), (4, 4), (5, 6), (6, 5), (7, 7)])
def test_random(height, width, idle, stall):
    seed = 10 * height + width + int(idle * 10) + int(stall * 100)
    rng = np.random.default_rng(seed)
    shape = (2, int(rng.integers(1, 4)), int(rng.integers(1, TINY.lanes + 1)), height, width)
    run_pool(TINY, rng.integers(0, TINY.max_levels + 1, shape), idle=idle, stall=stall, seed=seed)


def parts(size):
    windows = POOL.outputs(size)
    return st.tuples(st.integers(0, windows - 1), st.integers(1, windows)).map(
        lambda ends: range(ends[0], min(windows, ends[0] + ends[1]))
    )


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_parts_of_a_map(data):
    """Stripes of lines and of columns, which begin with a halo and end anywhere."""
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    shape = (
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, c.lanes)),
        height,
        width,
    )
    seed = data.draw(st.integers(0, 2**32 - 1))
    levels = np.random.default_rng(seed).integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    lines, columns = data.draw(parts(height)), data.draw(parts(width))
    run_pool(c, levels, lines, columns, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("channels", [4, 8])
def test_maximum_anywhere_in_the_window(place, channels):
    """Also with one timestep and group, where an item needs the word of the one before it."""
    levels = np.ones((1, 1, channels, 5, 5), dtype=int)
    levels[..., 1 + place // 3, 1 + place % 3] = 9
    run_pool(TINY, levels)


@pytest.mark.parametrize("levels", [0, 15])
def test_all_equal(levels):
    run_pool(TINY, np.full((2, 2, 8, 4, 5), levels))


def test_a_line_fills_the_memory():
    """Eight windows of four timesteps and two groups are its 64 words; the second image begins with no old level."""
    levels = np.random.default_rng(3).integers(0, 16, (2, 4, 8, 4, 16))
    levels[0] |= 8
    run_pool(TINY, levels)


@pytest.mark.parametrize("timesteps, channels", [(1, 4), (1, 8), (3, 4), (8, 8)])
@pytest.mark.parametrize("height, width", [(4, 6), (5, 5), (1, 1)])
def test_one_item_per_cycle(height, width, timesteps, channels):
    levels = np.random.default_rng(1).integers(0, 16, (1, timesteps, channels, height, width))
    source, sink = run_pool(TINY, levels)
    assert set(np.diff(source.cycles).tolist()) <= {1}
    assert sink.cycles[-1] == source.cycles[-1] + 4


@pytest.mark.parametrize("sent", [1, 6, 10])
def test_start_drops_what_was_left(sent):
    """After a stopped run the next one begins with the first position of its first window."""
    rng = np.random.default_rng(2)
    before = group_items(TINY, np.full((1, 2, 8, 4, 4), 15), 1, "level", rng)[:sent]
    run_pool(TINY, rng.integers(0, 8, (1, 2, 8, 4, 4)), before=before)
