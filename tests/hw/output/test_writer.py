"""OutputWriter in RTL: levels and potentials to memory, alone and behind the neuron array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.feature_map import FeatureMap
from reprise.hw.arch.program import INT_BYTES
from reprise.hw.output.writer import OutputWriter
from tests.hw.output.bench import (
    CONFIGS,
    TINY,
    check_commands,
    group_items,
    integer_fields,
    level_fields,
    memory_of,
    readout_fields,
    run_writer,
)
from tests.support.simulation import design, simulate


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("thermometer", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_random_levels(name, thermometer, idle, stall):
    c = CONFIGS[name]
    for seed in range(2):
        rng = np.random.default_rng(seed)
        k = int(rng.integers(1, 4))
        shape = tuple(int(n) for n in rng.integers(1, [3, 4, min(c.lanes, 20) + 1, 3 * k, 3 * k])) if k == 1 else None
        shape = shape or (2, 2, int(rng.integers(1, min(c.lanes, 20) + 1)), 2 * k + 1, k + 1)
        fields = level_fields(c, shape, k, int(rng.integers(1, 5)), thermometer, extra_pitch=seed)
        run_writer(c, rng.integers(0, c.max_levels + 1, shape), fields, idle=idle, stall=stall, seed=seed)


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    readout, whole = data.draw(st.booleans()), data.draw(st.booleans())
    k = 1 if readout else data.draw(st.integers(1, 3))
    shape = (
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, min(c.lanes, 20))),
        k * data.draw(st.integers(1, 2)) + data.draw(st.integers(0, k - 1)),
        k * data.draw(st.integers(1, 4)) + data.draw(st.integers(0, k - 1)),
    )
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    pitch, stride = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    if readout or whole:
        size, extra = data.draw(st.sampled_from(INT_BYTES)), data.draw(st.tuples(*[st.integers(0, 2)] * 5))
        groups = data.draw(st.integers(1, -(-shape[2] // c.neuron_lanes)))
        fields = integer_fields(c, shape, k, size, groups, extra, readout)
        top = 1 << data.draw(st.sampled_from([7, c.membrane_bits - 1]))
        values = rng.integers(-top, top, shape) if readout else rng.integers(0, c.max_levels + 1, shape)
    else:
        planes, thermometer = data.draw(st.integers(1, 8)), data.draw(st.booleans())
        fields = level_fields(c, shape, k, planes, thermometer, extra_pitch=pitch, extra_stride=stride)
        values = rng.integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_writer(c, values, fields, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 1, 1, 1), (2, 3, 1, 1), (1, 2, 2, 3)], ids=str)
def test_readout(shape, channels):
    """Negative and positive potentials of a batch of linear layers, of a map, over time; strings of odd lengths."""
    images, timesteps, height, width = shape
    shape = (images, timesteps, channels, height, width)
    values = np.random.default_rng(channels).integers(-(1 << 23), 1 << 23, shape)
    run_writer(TINY, values, readout_fields(TINY, shape))


@pytest.mark.parametrize("name", CONFIGS)
def test_extreme_potentials(name):
    c = CONFIGS[name]
    top = 1 << (c.membrane_bits - 1)
    values = np.array([-top, top - 1, -1, 0, 1]).reshape(1, 1, 5, 1, 1)
    run_writer(c, values, readout_fields(c, values.shape))


@pytest.mark.parametrize("size", INT_BYTES)
@pytest.mark.parametrize("name", CONFIGS)
def test_clipped_at_both_ends(name, size):
    """The largest and the least that the bytes hold, one beyond each, the ends of the potential, and lanes beyond."""
    c = CONFIGS[name]
    top, most = 1 << (8 * size - 1), 1 << (c.membrane_bits - 1)
    ends = [-most, -top - 1, -top, -1, 0, top - 1, top, most - 1, 1]
    values = np.array([v for v in ends if -most <= v < most]).reshape(1, 1, -1, 1, 1)
    run_writer(c, values, readout_fields(c, values.shape, size=size))


def test_levels_above_an_int8_are_clipped():
    c = CONFIGS["one lane"]
    levels = np.array([0, 1, 127, 128, 255]).reshape(1, 1, 5, 1, 1)
    run_writer(c, levels, integer_fields(c, levels.shape, size=1))


@pytest.mark.parametrize("stall", [0, 0.5])
@pytest.mark.parametrize("pool", [1, 2])
def test_levels_as_integers_of_sub_blocks(pool, stall):
    """Two timesteps of two sub-blocks, the second of which is not full; nothing is written between the strings."""
    levels = np.random.default_rng(3).integers(0, 16, (2, 2, 8, 4, 6))
    run_writer(TINY, levels, integer_fields(TINY, levels.shape, pool, 1, groups=1, extra=(1, 2, 1, 3, 1)), stall=stall)


def test_runs_follow_each_other():
    """A run of planes, one of integers, and one of planes: each starts afresh, and is done with its own last word."""
    rng = np.random.default_rng(4)
    shape = (1, 1, 5, 1, 3)
    runs = [level_fields(TINY, shape, 1, 1), integer_fields(TINY, shape, size=2), level_fields(TINY, shape, 1, 4)]
    values = [rng.integers(0, 16, shape) for _ in runs]
    dut = design(OutputWriter, TINY)
    wanted = [memory_of(TINY, v, f) for v, f in zip(values, runs, strict=True)]
    found = [[] for _ in runs]

    async def play(ctx):
        ctx.set(dut.o.ready, 1)
        for number, (one, fields) in enumerate(zip(values, runs, strict=True)):
            assert ctx.get(dut.o_done)
            ctx.set(dut.i_config, fields)
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            items = group_items(TINY, one, 1, "level", rng)
            ctx.set(dut.i.valid, 1)
            sent = 0
            while not ctx.get(dut.o_done):
                if sent < len(items):
                    ctx.set(dut.i.payload, items[sent])
                ctx.set(dut.i.valid, sent < len(items))
                taken, given = ctx.get(dut.i.ready & dut.i.valid), ctx.get(dut.o.valid)
                if given:
                    found[number].append({n: ctx.get(dut.o.payload[n]) for n in ("address", "data", "strobe", "last")})
                await ctx.tick()
                sent += taken

    simulate(dut, play)
    for got, want in zip(found, wanted, strict=True):
        check_commands(TINY, got, want)


@pytest.mark.parametrize("encoding, n_levels", [("bitplane", 5), ("thermometer", 4), ("bitplane", 1)])
def test_bytes_of_a_feature_map(encoding, n_levels):
    """The words are what the host packs and unpacks."""
    c = TINY
    rng = np.random.default_rng(n_levels)
    levels = rng.integers(0, n_levels + 1, (2, 2, 7, 3, 11))
    planes = n_levels if encoding == "thermometer" else n_levels.bit_length()
    feature = FeatureMap(
        name="f",
        kind="planes",
        images=2,
        timesteps=2,
        channels=7,
        height=3,
        width=11,
        levels=n_levels,
        signed=False,
        encoding=encoding,
        planes=planes,
        block_channels=7,
        bus_bytes=c.bus_bits // 8,
    )
    fields = level_fields(c, levels.shape, 1, planes, encoding == "thermometer")
    _, sink = run_writer(c, levels, fields)
    image = bytearray(feature.bytes)
    for command in sink.items:
        image[command["address"] : command["address"] + 8] = command["data"].to_bytes(8, "little")
    assert bytes(image) == feature.pack(levels)


def test_bytes_of_potentials():
    c = TINY
    values = np.random.default_rng(1).integers(-1000, 1000, (2, 3, 5, 2, 3))
    feature = FeatureMap(
        name="f",
        kind="potentials",
        images=2,
        timesteps=3,
        channels=5,
        height=2,
        width=3,
        levels=0,
        signed=True,
        encoding="bitplane",
        planes=0,
        block_channels=5,
        bus_bytes=c.bus_bits // 8,
        int_bytes=4,
        spare=1,
    )
    fields = readout_fields(c, values.shape, extra=(0, 0, 3, 0, 0))
    assert (fields["line_bytes"], fields["image_stride"]) == (feature.line_bytes, feature.image_bytes)
    assert (fields["int_t"], fields["int_y"]) == (feature.timestep_bytes, 3 * feature.line_bytes)
    _, sink = run_writer(c, values, fields)
    image = bytearray(feature.bytes)
    for command in sink.items:
        image[command["address"] : command["address"] + 8] = command["data"].to_bytes(8, "little")
    assert (feature.unpack(bytes(image)) == values).all()


def test_latency_and_throughput():
    """Whole words, one plane: an item per cycle, the word six cycles after the item that completes it."""
    levels = np.random.default_rng(0).integers(0, 2, (1, 1, 8, 4, 16))
    source, sink = run_writer(TINY, levels, level_fields(TINY, levels.shape, 1, 1))
    assert set(np.diff(source.cycles).tolist()) == {1}
    assert sink.offered[-1] == source.cycles[-1] + 6


@pytest.mark.parametrize("planes", [2, 3, 4])
def test_planes_of_a_group_take_a_cycle_each(planes):
    levels = np.random.default_rng(0).integers(0, 16, (1, 2, 8, 4, 16))
    source, _ = run_writer(TINY, levels, level_fields(TINY, levels.shape, 1, planes))
    assert set(np.diff(source.cycles[3:]).tolist()) == {planes}


@pytest.mark.parametrize("size, cycles, latency", [(1, 1, 4), (2, 1, 4), (4, 2, 8)])
def test_integers_take_a_group_or_a_bus_word_a_cycle(size, cycles, latency):
    """neuron_lanes = 4 and a bus of 64 bits: four int32 are two words, and the last group waits for two before it."""
    values = np.random.default_rng(0).integers(-9, 9, (2, 2, 8, 4, 1))
    source, sink = run_writer(TINY, values, readout_fields(TINY, values.shape, size=size))
    assert set(np.diff(source.cycles[4:]).tolist()) == {cycles}
    assert sink.offered[-1] == source.cycles[-1] + latency
