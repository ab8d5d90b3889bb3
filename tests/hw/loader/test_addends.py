"""AddendLoader: the strings that it asks for, the groups that it makes of them, and how fast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import INT_BYTES, STRINGS
from reprise.hw.loader.addends import AddendLoader
from tests.hw.stored_maps import bring, bring_in_turn
from tests.support.simulation import design

TINY = HardwareConfig.load("tiny").replace(addend_groups=8)
CONFIGS = {
    "tiny": TINY,  # a group of int32 is two bus words
    "one lane": TINY.replace(neuron_lanes=1),  # a bus word holds eight groups of int8
    "wide bus": TINY.replace(bus_bits=512, lanes=64, neuron_lanes=8),
    "wide groups": TINY.replace(lanes=64, neuron_lanes=32, membrane_bits=32),
}
BASE = 0x12345678 << 8


class Map:
    """A map of integers [images, lines, width, T, channels] in memory, and the fields of a RUN that adds it."""

    def __init__(self, c, shape, size, seed=0, extra=0):
        self.config, self.size, word = c, size, c.bus_bits // 8
        images, lines, width, timesteps, channels = shape
        top = 1 << (min(8 * size, c.membrane_bits) - 1)  # what a potential can hold, as is proven
        self.values = np.random.default_rng(seed).integers(-top, top, shape)
        self.values.flat[:2] = (-top, top - 1)[: self.values.size]
        string = -(-channels * size // word) * word
        x = string + extra * word
        y = width * x + extra * word
        t = lines * y
        strides = dict(zip(STRINGS, (x, t, y, timesteps * t + 2 * extra * word), strict=True))
        self.fields = {
            "output": BASE + 16 * word,
            "addend": -16 + extra,
            "addend_bytes": size,
            "groups": -(-channels // c.neuron_lanes),
            "channels": channels,
            "timesteps": timesteps,
            "out_width": width,
            "out_lines": lines,
            "images": images,
            **{f"addend_{name}": stride for name, stride in strides.items()},
        }
        self.requests, self.words, self.groups = [], [], []
        for image, row, column, step in np.ndindex(shape[:-1]):
            at = BASE + extra * word + image * strides["image"] + row * y + column * x + step * t
            self.requests.append({"address": at, "beats": string // word})
            one = self.values[image, row, column, step]
            # What lies behind the last channel of a string is zero, as whoever writes such a map makes it.
            data = one.astype(f"<i{size}").tobytes().ljust(string, b"\0")
            self.words += [int.from_bytes(data[n : n + word], "little") for n in range(0, string, word)]
            filled = np.zeros(self.fields["groups"] * c.neuron_lanes, np.int64)
            filled[:channels] = one
            self.groups += filled.reshape(-1, c.neuron_lanes).tolist()


def run_loader(c, given, **how):
    """Play a map through the loader; returns (the sink of requests, the source of words, the sink of groups)."""
    dut = design(AddendLoader, c)
    found = bring(dut, dut.start, given, **how)
    assert found[2].items == given.groups
    return found


@pytest.mark.parametrize("idle, stall, late", [(0, 0, 0), (0.5, 0, 0.5), (0, 0.6, 0), (0.4, 0.4, 0.4)], ids=str)
@pytest.mark.parametrize("size", INT_BYTES)
@pytest.mark.parametrize("name", CONFIGS)
def test_random_maps(name, size, idle, stall, late):
    c = CONFIGS[name]
    for seed in range(2):
        rng = np.random.default_rng(10 * seed + size)
        shape = tuple(int(n) for n in rng.integers(1, [3, 3, 4, 4, min(c.lanes, 40) + 1]))
        run_loader(c, Map(c, shape, size, seed, extra=seed), idle=idle, stall=stall, late=late, seed=seed)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    shape = (*(data.draw(st.integers(1, 3)) for _ in range(4)), data.draw(st.integers(1, min(c.lanes, 40))))
    given_map = Map(c, shape, data.draw(st.sampled_from(INT_BYTES)), data.draw(st.integers(0, 99)))
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_loader(c, given_map, idle=idle, stall=stall, seed=data.draw(st.integers(0, 99)))


@pytest.mark.parametrize("size", INT_BYTES)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_group_or_a_bus_word_per_cycle(name, size):
    """Of long strings whose words are all there; a cycle behind the word that completes the first group."""
    c = CONFIGS[name]
    _, words, groups = run_loader(c, Map(c, (1, 1, 3, 2, c.lanes), size))
    per_group, per_word = 8 * size * c.neuron_lanes / c.bus_bits, c.bus_bits / (8 * size * c.neuron_lanes)
    assert set(np.diff(groups.cycles).tolist()) == {max(1, int(per_group))}
    assert set(np.diff(words.cycles).tolist()) == {max(1, min(int(per_word), c.groups))}
    assert groups.offered[0] - words.cycles[max(1, int(per_group)) - 1] == 1


def test_a_string_per_cycle_is_asked_for():
    asked, _, _ = run_loader(TINY, Map(TINY, (2, 2, 3, 2, 5), 2))
    assert set(np.diff(asked.cycles).tolist()) == {1} and asked.cycles[0] == 1


def test_maps_follow_each_other_and_a_run_without_one_asks_for_nothing():
    dut = design(AddendLoader, TINY)
    maps = [Map(TINY, (1, 2, 2, 3, 7), 4, 1), Map(TINY, (1, 1, 1, 1, 1), 1, 2), Map(TINY, (2, 1, 3, 1, 6), 2, 3)]
    for order in (maps, maps[::-1]):
        items = bring_in_turn(dut, dut.start, order, maps[0].fields | {"addend_bytes": 0})
        assert items == [group for one in order for group in one.groups]
