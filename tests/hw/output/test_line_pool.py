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


def stripe_of(levels, lines, columns):
    """(fields, positions [images, T, C, h, w], windows) of the windows of some lines and columns of a map.

    The lines are those that no stripe above has computed."""
    ys, xs = POOL.follows(lines, levels.shape[3]), POOL.covers(columns, levels.shape[4])
    halo = int(columns.start > 0)
    fields = {"out_lines": len(lines), "out_width": len(columns)}
    fields |= {"pool_halo_x": halo, "pool_odd_x": 2 * len(columns) + halo - len(xs)}
    fields |= {"pool_ready": int(lines.start > 0), "pool_odd_y": 2 * len(lines) - len(ys)}
    whole = np.stack([naive_pool(one, 3, 2, 1) for one in levels])
    found = whole[..., lines.start : lines.stop, columns.start : columns.stop]
    return fields, levels[..., ys.start : ys.stop, xs.start : xs.stop], found


class Stripes:
    """Starts a run when everything of the run before has come, and lets its items in from the next cycle on."""

    def __init__(self, dut, fields, counts, source, sink):
        self.dut, self.fields, self.counts, self.source, self.sink = dut, fields, counts, source, sink
        self.open, self.begun = 0, 0

    def each(self, ctx, cycle):
        sent, came = (sum(n[k] for n in self.counts[: self.begun]) for k in (0, 1))
        self.open = sent
        done = len(self.source.cycles) >= sent and len(self.sink.items) >= came and cycle >= 20 * self.begun
        start = self.begun < len(self.counts) and done
        if start:
            ctx.set(self.dut.i_config, self.fields[self.begun])
            self.begun += 1
        ctx.set(self.dut.i_start, start)


def run_pool(c, levels, lines=(), columns=None, *, idle=0.0, stall=0.0, seed=0, before=()):
    """Pools levels [images, T, C, H, W], cut at some pooled lines, and checks every item; returns (source, sink)."""
    rng = np.random.default_rng(seed)
    columns = columns or range(POOL.outputs(levels.shape[4]))
    ends = (0, *lines, POOL.outputs(levels.shape[3]))
    stripes = [stripe_of(levels, range(a, b), columns) for a, b in zip(ends, ends[1:], strict=False)]
    items = [group_items(c, taken, 1, "level", rng) for _, taken, _ in stripes]
    want = [group_items(c, windows, 1, "level", rng) for _, _, windows in stripes]
    counts = [(len(a), len(b)) for a, b in zip(items, want, strict=True)]
    fields = [one[0] for one in stripes]
    if before:  # a run that is stopped
        items, fields, counts = [before, *items], [fields[0], *fields], [(len(before), 0), *counts]
    channels, timesteps, groups = levels.shape[2], levels.shape[1], -(-levels.shape[2] // c.neuron_lanes)
    dut = design(MaxPool, c)
    source = Source(dut.i, sum(items, []), idle=idle, gate=lambda cycle: len(source.cycles) < runs.open)
    sink = Sink(dut.o, stall=stall, expect=sum(map(len, want)))
    runs = Stripes(dut, fields, counts, source, sink)
    run_streams(
        dut, [source], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_pool, OVERLAPPING_POOL), each=runs.each
    )
    valid = channels - (groups - 1) * c.neuron_lanes
    for n, (item, wanted) in enumerate(zip(sink.items, sum(want, []), strict=True)):
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


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_parts_of_a_map(data):
    """Stripes of lines that go on below each other, and columns that begin with a halo and end anywhere."""
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    windows, inner = POOL.outputs(width), range(1, POOL.outputs(height))
    lines = sorted(data.draw(st.sets(st.sampled_from(inner)))) if inner else []
    images = 1 if lines else data.draw(st.integers(1, 2))
    shape = (images, data.draw(st.integers(1, 3)), data.draw(st.integers(1, c.lanes)), height, width)
    seed = data.draw(st.integers(0, 2**32 - 1))
    levels = np.random.default_rng(seed).integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    first = data.draw(st.integers(0, windows - 1))
    columns = range(first, data.draw(st.integers(first + 1, windows)))
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
