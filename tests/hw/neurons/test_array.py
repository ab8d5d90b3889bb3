"""NeuronArray in RTL against reprise.model.inference.neurons: random layers, corner cases by name, properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.interface.row_order import block_positions
from reprise.hw.neurons.array import NeuronArray
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.rows import plane_weights
from tests.hw.neurons.bench import (
    CONFIGS,
    RANDOM,
    TINY,
    check_items,
    drive_sums,
    expected,
    layer_fields,
    make_neuron,
    param_items,
    random_psums,
    row_items,
    run_layer,
)
from tests.support.oracles import naive_neuron
from tests.support.simulation import design, simulate
from tests.support.streams import Sink, Source, get, put, run_streams

# Random layers.


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)], ids=str)
@pytest.mark.parametrize("case", range(len(RANDOM)))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers(name, case, idle, stall):
    c, options = CONFIGS[name], dict(RANDOM[case])
    seed = case * 10 + int(idle * 10 + stall * 5)
    rng = np.random.default_rng(seed)
    timesteps, planes = options.pop("timesteps"), options.pop("planes")
    encoding, signed = options.pop("encoding", "bitplane"), options.pop("signed", False)
    options["levels"] = min(options.get("levels", 1), c.max_levels)
    channels = c.neuron_lanes * int(rng.integers(1, c.groups + 1))
    neuron = make_neuron(rng, channels, **options)
    psums = random_psums(rng, c, 4, timesteps, planes, channels)
    run_layer(c, neuron, psums, encoding=encoding, signed=signed, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("case", range(0, len(RANDOM), 2))
@pytest.mark.parametrize("groups", range(1, 5))
def test_rows_of_narrow_layers_lie_in_either_half_of_the_lanes(groups, case):
    c, options = TINY.replace(lanes=16, narrow_buffers=1), dict(RANDOM[case])
    rng = np.random.default_rng(case)
    timesteps, planes = options.pop("timesteps"), options.pop("planes")
    encoding, signed = options.pop("encoding", "bitplane"), options.pop("signed", False)
    neuron = make_neuron(rng, channels := groups * c.neuron_lanes, **options)
    psums = random_psums(rng, c, 9, timesteps, planes, channels)
    run_layer(c, neuron, psums, encoding=encoding, signed=signed, idle=0.3, stall=0.3, seed=case)


@pytest.mark.parametrize("planes", [1, 2, 5])
def test_as_many_planes_as_there_are(planes):
    """A design of few planes: with one, no bit lies below its weight. (Signed inputs always have 8.)"""
    c, rng = TINY.replace(max_planes=planes), np.random.default_rng(planes)
    neuron = make_neuron(rng, c.lanes)
    run_layer(c, neuron, random_psums(rng, c, 4, 2, planes, c.lanes), encoding="bitplane")


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_hypothesis_layers(data):
    c = CONFIGS[data.draw(st.sampled_from(["tiny", "three groups", "binary"]))]
    kind = data.draw(st.sampled_from(["if", "lif", "readout"]))
    signed = data.draw(st.booleans())
    encoding = "bitplane" if signed else data.draw(st.sampled_from(["bitplane", "thermometer"]))
    timesteps, planes = data.draw(st.integers(1, 4)), 8 if signed else data.draw(st.integers(1, 4))
    groups = data.draw(st.integers(1, c.groups))
    levels, reset = data.draw(st.integers(1, c.max_levels)), data.draw(st.sampled_from(["soft", "hard", "none"]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scale = data.draw(st.sampled_from([3, 40, 1000]))
    # The exporter proves that potentials fit: 2 * scale per plane and timestep, and what make_neuron adds.
    while (timesteps + 1) * (2 * scale << planes) >= 1 << (c.membrane_bits - 1):
        scale //= 4
    neuron = make_neuron(rng, groups * c.neuron_lanes, kind=kind, levels=levels, reset=reset, scale=scale)
    psums = random_psums(rng, c, 3, timesteps, planes, groups * c.neuron_lanes, scale=2 * scale)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_layer(c, neuron, psums, encoding=encoding, signed=signed, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("seed", range(2))
def test_layers_follow_each_other(seed):
    """Parameters and configuration change between runs; nothing of the layer before is left."""
    c = TINY
    dut = design(NeuronArray, c)
    rng = np.random.default_rng(seed)
    jobs = []
    for kind, timesteps, planes, groups in (("lif", 2, 2, 2), ("readout", 3, 1, 1), ("if", 1, 4, 2), ("lif", 3, 1, 1)):
        neuron = make_neuron(rng, groups * c.neuron_lanes, kind=kind)
        jobs.append((neuron, random_psums(rng, c, 3, timesteps, planes, groups * c.neuron_lanes)))
    items = []

    async def drive(ctx):
        for neuron, psums in jobs:
            _, timesteps, planes, channels = psums.shape
            fields = layer_fields(neuron, channels // c.neuron_lanes, timesteps, planes, True)
            for row in param_items(c, neuron):
                await put(ctx, dut.i_params, row)
            ctx.set(dut.i_layer, fields)
            for row in row_items(psums, 2, block_positions(c, fields)):
                await put(ctx, dut.i_psum, row)
            while ctx.get(dut.o_busy):
                await ctx.tick()

    async def take(ctx):
        for _, psums in jobs:
            count = psums.shape[0] * psums.shape[1] * psums.shape[3] // c.neuron_lanes
            items.append([await get(ctx, dut.o) for _ in range(count)])

    simulate(dut, drive, take)
    for (neuron, psums), got in zip(jobs, items, strict=True):
        want = expected(c, neuron, psums, 2 ** np.arange(psums.shape[2]))
        check_items(c, got, want, neuron.kind == "readout", 2)


# Corner cases, by name. Each drives chosen values of U through one position.


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15])
def test_every_multiple_of_the_threshold(levels):
    """U = k*D - 1, k*D, k*D + 1 for every k up to beyond N, and a negative U: N = 1, N = 15, N not 2**k - 1."""
    c, d = TINY, 7
    sums = sorted({k * d + e for k in range(-3, levels + 3) for e in (-1, 0, 1)})
    sums += [0] * (-len(sums) % c.neuron_lanes)
    neuron = make_neuron(np.random.default_rng(0), c.neuron_lanes, levels=levels, threshold=d, bias=0, v0=0)
    drive_sums(c, neuron, np.reshape(sums, (-1, 1, c.neuron_lanes)))


@pytest.mark.parametrize("levels", [1, 100, 128, 254, 255])
def test_eight_bit_levels(levels):
    c = CONFIGS["one lane"]
    sums = [-5, 0, 2, 3, 3 * levels - 1, 3 * levels, 3 * levels + 1, 767, 800, 5000, 3 * 127 + 2, 3 * 128]
    neuron = make_neuron(np.random.default_rng(0), 1, levels=levels, threshold=3, bias=0, v0=0)
    drive_sums(c, neuron, np.reshape(sums, (-1, 1, 1)))


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
@pytest.mark.parametrize("kind", ["if", "lif"])
def test_threshold_one(kind, reset):
    c = TINY
    neuron = make_neuron(np.random.default_rng(1), 8, kind=kind, levels=15, reset=reset, threshold=1, scale=6)
    drive_sums(c, neuron, np.random.default_rng(2).integers(-9, 20, (6, 3, 8)))


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
@pytest.mark.parametrize("leak", [0, 1, 255, 256])
def test_leak_of_negative_and_positive_potentials(leak, reset):
    """Arithmetic shift: floor, also below zero."""
    c = TINY
    rng = np.random.default_rng(leak)
    neuron = make_neuron(
        rng, 8, kind="lif", levels=3, reset=reset, leak=leak, v0=[-1, 1, -255, 255, -256, 256, -257, 0]
    )
    drive_sums(c, neuron, rng.integers(-400, 300, (3, 5, 8)))


@pytest.mark.parametrize("bits", [(20, 24), (20, 32), (20, 20), (32, 32)], ids=str)
def test_extreme_widths(bits):
    """The ends of every width: largest D, U and psum, smallest U; D << k beyond the membrane's bits."""
    psum_bits, membrane_bits = bits
    c = TINY.replace(psum_bits=psum_bits, membrane_bits=membrane_bits)
    top, high = (1 << (membrane_bits - 1)) - 1, (1 << (psum_bits - 1)) - 1
    sums = np.array([[[high, high, -high - 1, -high - 1]], [[high, high - 1, -high, 0]], [[0, 1, -1, 0]]])
    for threshold in (top, top - 1, top // 2, top // 15, 1):
        neuron = Neuron(
            kind="if",
            levels=15,
            reset="soft",
            threshold=np.full(4, threshold),
            bias=np.array([top - high, 0, -(top - high), -top - 1 if bits[0] < bits[1] else 0]),
            v0=np.array([0, top - high, 0, 0]),
            leak=np.full(4, 256),
        )
        sums[0, 0, 3] = 0 if neuron.bias[3] else -high - 1
        sums[1, 0, 2:] = 0
        sums[2, 0, 2:] = 0
        drive_sums(c, neuron, sums)


def test_running_sum_may_wrap():
    """Sign plane: the planes below it pass the membrane's range, the sum of all does not."""
    c = TINY.replace(psum_bits=20, membrane_bits=24)
    value = (1 << 19) - 1
    psums = np.full((2, 1, 8, 4), value)  # 127 * value - 128 * value = -value
    psums[1, 0, 7] = value - 5  # 127 * value - 128 * (value - 5) = 640 - value
    neuron = make_neuron(np.random.default_rng(0), 4, levels=7, threshold=100, bias=value, v0=0)
    assert (expected(c, neuron, psums, plane_weights(255, "bitplane", True)) == [[[0] * 4], [[6] * 4]]).all()
    run_layer(c, neuron, psums, signed=True)


@pytest.mark.parametrize("planes", range(1, 9))
def test_sign_plane(planes):
    """The highest plane counts negative, whichever it is."""
    c = TINY
    rng = np.random.default_rng(planes)
    psums = rng.integers(-40, 41, (3, 2, planes, 4))
    neuron = make_neuron(rng, 4, kind="readout")
    weights = 2 ** np.arange(planes)
    weights[-1] *= -1
    dut = design(NeuronArray, c)
    sink = Sink(dut.o, expect=6)
    params = Source(dut.i_params, param_items(c, neuron))
    rows = Source(dut.i_psum, row_items(psums, 3), gate=lambda cycle: len(params.cycles) == 1)
    layer = layer_fields(neuron, 1, 2, planes, True, True)
    run_streams(dut, [params, rows], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, expected(c, neuron, psums, weights), True)


def test_all_zero_rows():
    neuron = make_neuron(np.random.default_rng(3), 8, kind="lif", levels=15)
    drive_sums(TINY, neuron, np.zeros((3, 4, 8), dtype=np.int64))


def test_saturated_all_the_time():
    """Far above N*D: soft reset keeps the rest."""
    neuron = make_neuron(np.random.default_rng(3), 8, levels=6, scale=20)
    drive_sums(TINY, neuron, np.full((2, 5, 8), 5000))


def test_oracle_without_the_model():
    """The same, against the naive neuron: the model isn't the only witness."""
    c = TINY
    rng = np.random.default_rng(11)
    for kind, reset in (("lif", "soft"), ("lif", "hard"), ("if", "none"), ("readout", "none")):
        neuron = make_neuron(rng, 8, kind=kind, levels=9, reset=reset, scale=50)
        sums = rng.integers(-100, 400, (2, 4, 8))
        _, _, sink = drive_sums(c, neuron, sums)
        field = "potential" if kind == "readout" else "level"
        got = np.array([item[field] for item in sink.items]).reshape(2, 4, 8)
        for position, channel in itertools.product(range(2), range(8)):
            assert (
                got[position, :, channel].tolist()
                == naive_neuron(neuron, channel, sums[position, :, channel].tolist())[0]
            )


# Properties.


@pytest.mark.parametrize("levels, timesteps", [(1, 8), (3, 4), (4, 3), (15, 2), (6, 1)])
def test_soft_reset_emits_all_totals(levels, timesteps):
    """A constant input over T timesteps gives all of 0..N*T as totals, rising with the input, and saturates."""
    c, d = TINY, 16
    inputs = np.arange(-20, levels * d + 40, max(1, d // timesteps // 2))
    inputs = np.pad(inputs, (0, -len(inputs) % c.neuron_lanes), mode="edge")
    sums = np.repeat(inputs.reshape(-1, 1, c.neuron_lanes), timesteps, axis=1)
    neuron = make_neuron(np.random.default_rng(0), c.neuron_lanes, levels=levels, threshold=d, bias=0, v0=0)
    _, _, sink = drive_sums(c, neuron, sums)
    got = np.array([item["level"] for item in sink.items]).reshape(-1, timesteps, c.neuron_lanes)
    totals = got.sum(axis=1).reshape(-1)
    assert (np.diff(totals) >= 0).all()
    assert totals[0] == 0 and totals[-1] == levels * timesteps
    assert set(totals.tolist()) == set(range(levels * timesteps + 1))
