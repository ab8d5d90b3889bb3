"""The processor's order of lanes: a permutation, in which a neuron's channels are neighbours."""

import pytest

from reprise.hw.arch.config import PRESET_FOLDER, HardwareConfig
from reprise.hw.interface.row_order import channels, to_channels, to_lanes
from reprise.hw.lib.fanout import parts
from reprise.hw.lib.wide_memory import BLOCK_BITS, lane_parts

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


@pytest.mark.parametrize("bits", [1, 11, 12, 13, 20, 24])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_wide_memory_is_cut_by_groups_and_costs_no_block_ram(name, bits):
    """Every bit lies in one part; a part has lanes of higher groups only where a block RAM holds some of its own."""
    c = CONFIGS[name]
    cut = lane_parts(c.neuron_lanes, c.groups, bits)
    assert sorted(bit for part in cut for bit in part.bits) == list(range(c.lanes * bits))
    assert sum(-(-len(part.bits) // BLOCK_BITS) for part in cut) == -(-c.lanes * bits // BLOCK_BITS)
    assert {part.group for part in cut} <= set(range(c.groups))
    for part in cut:
        groups = [bit // bits % c.groups for bit in part.bits]
        assert min(groups) == part.group
        assert sum(group != part.group for group in groups) < BLOCK_BITS
        assert [bit for run in part.slices() for bit in range(run.start, run.stop)] == list(part.bits)
