"""The processor's order of lanes: a permutation, in which a neuron's channels are neighbours."""

import pytest

from reprise.hw.arch.config import PRESET_FOLDER, HardwareConfig
from reprise.hw.interface.row_order import channels, to_channels, to_lanes
from reprise.hw.lib.fanout import parts
from reprise.hw.lib.wide_memory import BLOCK_BITS, block_parts

PRESETS = {p.stem: HardwareConfig.load(p.stem) for p in sorted(PRESET_FOLDER.glob("*.yaml"))}
CONFIGS = PRESETS | {"three groups": PRESETS["tiny"].replace(lanes=24, neuron_lanes=8)}
CONFIGS |= {"one group": PRESETS["tiny"].replace(neuron_lanes=PRESETS["tiny"].lanes)}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_channel_has_a_lane_and_comes_back(name):
    c = CONFIGS[name]
    by_channel = [f"channel {n}" for n in range(c.lanes)]
    assert sorted(channels(c)) == list(range(c.lanes))
    assert to_channels(c, to_lanes(c, by_channel)) == by_channel


@pytest.mark.parametrize("name", CONFIGS)
def test_lanes_of_a_neuron_are_neighbours_in_the_order_of_its_groups(name):
    c = CONFIGS[name]
    for neuron in range(c.neuron_lanes):
        own = channels(c)[neuron * c.groups : (neuron + 1) * c.groups]
        assert [divmod(channel, c.neuron_lanes) for channel in own] == [(g, neuron) for g in range(c.groups)]


@pytest.mark.parametrize("name", PRESETS)
def test_a_part_of_the_lanes_feeds_one_part_of_the_neurons(name):
    """So no wire leaves the parts that have control registers of their own (hw/lib/fanout.py)."""
    c = PRESETS[name]
    cut = parts(c.neuron_lanes)
    assert len(parts(c.lanes)) % len(cut) == 0
    for lanes in parts(c.lanes):
        fed = {channels(c)[lane] % c.neuron_lanes for lane in lanes}
        assert [neurons for neurons in cut if fed & set(neurons)] == [neurons for neurons in cut if fed <= set(neurons)]


@pytest.mark.parametrize("bits", [1, 35, 36, 37, 128, 160, 180, 1536, 3072])
def test_cutting_a_wide_memory_costs_no_block_ram(bits):
    cut = block_parts(bits)
    assert [bit for part in cut for bit in range(part.start, part.stop)] == list(range(bits))
    assert sum(-(-(part.stop - part.start) // BLOCK_BITS) for part in cut) == -(-bits // BLOCK_BITS)
