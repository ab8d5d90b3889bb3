"""JoinLoader and LevelSum: the bus words that are asked for, the levels that are made of them, their sums, how fast."""

import numpy as np
import pytest
from amaranth import Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.feature_map import FeatureMap
from reprise.hw.output.joins.loader import JoinLoader
from reprise.hw.output.joins.sum import LevelSum
from tests.hw.stored_maps import bring, bring_in_turn
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny").replace(joins=1)
CONFIGS = {
    "tiny": TINY,
    "one lane": TINY.replace(neuron_lanes=1),
    "wide bus": TINY.replace(bus_bits=512, lanes=64, neuron_lanes=8),
    "a word for each group": TINY.replace(bus_bits=64, lanes=64, neuron_lanes=64),
    "few levels": TINY.replace(max_levels=2),
    "many levels": TINY.replace(max_levels=255),
}
BASE = 0x12345678 << 8


class Map:
    """Levels [images, T, channels, lines, width] as a map in memory, and the fields of a RUN that adds them."""

    def __init__(self, c, shape, planes, seed=0, extra=0, empty=0):
        self.config, self.shape, self.word = c, shape, c.bus_bits // 8
        images, timesteps, channels, lines, width = shape
        self.levels = np.random.default_rng(seed).integers(0, min(c.max_levels, (1 << planes) - 1) + 1, shape)
        self.map = FeatureMap(
            name="a",
            kind="planes",
            images=images,
            timesteps=timesteps,
            channels=channels,
            height=lines,
            width=width,
            levels=255,
            signed=False,
            encoding="bitplane",
            planes=planes + empty,
            block_channels=channels,
            bus_bytes=self.word,
        )
        self.fields = {
            "output": BASE + 16 * self.word,
            "join": extra - 16,
            "join_planes": self.map.planes,
            "join_image": self.map.image_bytes + extra * self.word,
            "line_bytes": self.map.line_bytes,
            "image_stride": 7 * self.word,  # that of the map that is written
            "groups": -(-channels // c.neuron_lanes),
            "channels": channels,
            "timesteps": timesteps,
            "out_width": width,
            "out_lines": lines,
            "images": images,
        }
        data, gap = self.map.pack(self.levels), bytes(extra * self.word)
        size = self.map.image_bytes
        self.memory = b"".join(data[n : n + size] + gap for n in range(0, len(data), size))
        self.base = BASE + extra * self.word
        self.groups = list(self._groups())
        addresses = list(self._addresses())
        self.requests = [{"address": at, "beats": 1} for at in addresses]
        words = (self.memory[at - self.base :][: self.word] for at in addresses)
        self.words = [int.from_bytes(one, "little") for one in words]

    def _groups(self):
        """The levels by position, timestep and group, as far as they are those of channels."""
        n = self.config.neuron_lanes
        for image, y, x, t in np.ndindex(*(self.shape[axis] for axis in (0, 3, 4, 1))):
            channels = self.levels[image, t, :, y, x].tolist()
            yield from (channels[at : at + n] for at in range(0, len(channels), n))

    def _addresses(self):
        """The words, each when the first bit of it is needed: by position, timestep, group and plane."""
        f, n, seen = self.map, self.config.neuron_lanes, set()
        _, timesteps, channels, lines, width = self.shape
        for image, y, x, t in np.ndindex(self.shape[0], lines, width, timesteps):
            for first in range(0, channels, n):
                for p in range(f.planes):
                    line = image * self.fields["join_image"] + ((y * timesteps + t) * f.planes + p) * f.line_bytes
                    for bit in range(x * channels + first, x * channels + min(first + n, channels)):
                        at = self.base + line + bit // (8 * self.word) * self.word
                        if at not in seen:
                            seen.add(at)
                            yield at


class Sums(LevelSum):
    """LevelSum with a clock for the simulator."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.sync += Signal().eq(0)
        return m


def run_loader(c, given, **how):
    """Play a map through the loader; returns (the sink of requests, the source of words, the sink of groups)."""
    dut = design(JoinLoader, c)
    found = bring(dut, dut.i_start, given, **how)
    check(given.groups, found[2].items)
    return found


def check(groups, items):
    """Compare levels; lanes beyond the last channel have any."""
    for got, expected in zip(items, groups, strict=True):
        assert got[: len(expected)] == expected


@pytest.mark.parametrize("idle, stall, late", [(0, 0, 0), (0.5, 0, 0.5), (0, 0.6, 0), (0.4, 0.4, 0.4)], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_random_maps(name, idle, stall, late):
    c = CONFIGS[name]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shape = tuple(int(n) for n in rng.integers(1, [3, 4, min(c.lanes, 40) + 1, 3, 24]))
        planes = int(rng.integers(1, c.level_bits + 1))
        given = Map(c, shape, planes, seed, extra=seed, empty=int(rng.integers(0, 9 - planes)) if seed else 0)
        run_loader(c, given, idle=idle, stall=stall, late=late, seed=seed)


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    few, channels = (data.draw(st.integers(1, 3)) for _ in range(2)), data.draw(st.integers(1, min(c.lanes, 40)))
    images, timesteps = few
    shape = images, timesteps, channels, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 9))
    given_map = Map(c, shape, data.draw(st.integers(1, c.level_bits)), data.draw(st.integers(0, 99)))
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_loader(c, given_map, idle=idle, stall=stall, seed=data.draw(st.integers(0, 99)))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_plane_of_a_group_per_cycle(name):
    """Of words that are all there; two cycles behind the word that completes the first group."""
    c = CONFIGS[name]
    asked, words, groups = run_loader(c, Map(c, (1, 2, c.lanes, 1, 17), c.level_bits))
    assert set(np.diff(groups.cycles).tolist()) == {c.level_bits}
    assert groups.offered[0] - words.cycles[c.level_bits - 1] == 2 and asked.cycles[0] == 2


def test_maps_follow_each_other_and_a_run_without_one_asks_for_nothing():
    dut = design(JoinLoader, TINY)
    maps = [Map(TINY, (1, 2, 7, 2, 3), 3, 1), Map(TINY, (1, 1, 1, 1, 1), 1, 2), Map(TINY, (2, 1, 6, 1, 30), 2, 3)]
    for order in (maps, maps[::-1]):
        items = bring_in_turn(dut, dut.i_start, order, maps[0].fields | {"join_planes": 0})
        check([group for one in order for group in one.groups], items)


@pytest.mark.parametrize("adds", [0, 1])
@pytest.mark.parametrize("name", ["tiny", "few levels", "many levels"])
def test_sums_are_clipped_and_wait_for_both(name, adds):
    c = CONFIGS[name]
    dut, rng = design(Sums, c), np.random.default_rng(adds)
    top = int(rng.integers(1, c.max_levels + 1))
    fired = rng.integers(0, c.max_levels + 1, (50, c.neuron_lanes))
    stored = rng.integers(0, 1 << c.level_bits, (50, c.neuron_lanes))
    fired[:2], stored[0], stored[1] = c.max_levels, (1 << c.level_bits) - 1, 0
    items = [{"level": row.tolist(), "group": n % c.groups, "last_group": n % 3 == 0} for n, row in enumerate(fired)]
    sums = np.minimum(fired + stored, top) if adds else fired
    levels = Source(dut.i, items, idle=0.3)
    added = Source(dut.i_stored, stored.tolist() if adds else [], idle=0.3)
    out = Sink(dut.o, stall=0.3, expect=50)

    def setup(ctx):
        ctx.set(dut.i_adds, adds)
        ctx.set(dut.i_levels, top)

    run_streams(dut, [levels, added], [out], seed=7, setup=setup)
    expected = [{**item, "level": row.tolist(), "last_t": 0} for item, row in zip(items, sums, strict=True)]
    assert [{name: one[name] for name in expected[0]} for one in out.items] == expected
