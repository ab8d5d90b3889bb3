"""NeuronArray in RTL against model.neurons: random and directed layers, exact cycles, idle and backpressure."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.config import HardwareConfig
from hw.neuron_array import NeuronArray
from model.neurons import RESETS, integrate
from model.parts import Neuron
from model.rows import plane_weights
from tests.oracles import naive_neuron
from tests.stream_helpers import Sink, Source, get, put, run_streams

TINY = HardwareConfig.load("tiny")
CONFIGS = {
    "tiny": TINY,
    "three groups": TINY.replace(lanes=24, neuron_lanes=8, max_levels=5),
    "one lane": TINY.replace(neuron_lanes=1, max_levels=255),
    "binary": TINY.replace(lanes=16, neuron_lanes=16, max_levels=1, membrane_bits=20),
}


def make_neuron(rng, channels: int, *, kind="if", levels=3, reset="soft", scale=200, **fixed) -> Neuron:
    """Random parameters, except those given."""
    fields = dict(
        threshold=rng.integers(1, scale, channels),
        bias=rng.integers(-scale // 2, scale, channels),
        v0=rng.integers(-scale, scale, channels),
        leak=rng.integers(0, 257, channels) if kind == "lif" else np.full(channels, 256),
    )
    fields |= {name: np.broadcast_to(value, channels) for name, value in fixed.items()}
    readout = kind == "readout"
    return Neuron(kind=kind, levels=0 if readout else levels, reset="none" if readout else reset, **fields)


def layer_fields(neuron: Neuron, groups: int, timesteps: int, planes: int, weigh: bool, signed: bool = False) -> dict:
    readout = neuron.kind == "readout"
    return {
        "readout": readout,
        "reset": RESETS[neuron.reset],
        "levels": 5 if readout else neuron.levels,  # a readout's levels must not matter
        "planes": planes,
        "weigh": weigh,
        "signed": signed,
        "timesteps": timesteps,
        "groups": groups,
    }


def param_items(c: HardwareConfig, neuron: Neuron) -> list[dict]:
    def cut(values, group):
        return values[group * c.neuron_lanes : (group + 1) * c.neuron_lanes].tolist()

    names = ("bias", "threshold", "v0", "leak")
    groups = range(neuron.channels // c.neuron_lanes)
    return [{"group": g, **{name: cut(getattr(neuron, name), g) for name in names}} for g in groups]


def row_items(psums: np.ndarray, positions_per_tile: int) -> list[dict]:
    """psums: [positions, T, P, O]; ``last`` at the end of every m tile and of the layer."""
    positions, timesteps, planes, channels = psums.shape
    items = []
    for position, t, p in itertools.product(range(positions), range(timesteps), range(planes)):
        end = t == timesteps - 1 and p == planes - 1
        last = end and (position + 1 == positions or (position + 1) % positions_per_tile == 0)
        items.append({"psum": psums[position, t, p].tolist(), "last": last})
    return items


def expected(c: HardwareConfig, neuron: Neuron, psums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Levels (potentials of a readout) [positions, T, O] by the model."""
    sums = (psums * weights[None, None, :, None]).sum(axis=2)
    levels, potentials = integrate(sums[..., None, None], neuron)
    result = potentials if neuron.kind == "readout" else levels
    return result[..., 0, 0].astype(np.int64)


def check_items(c: HardwareConfig, items: list[dict], rows: list[dict], want: np.ndarray, readout: bool):
    positions, timesteps, channels = want.shape
    groups = channels // c.neuron_lanes
    planes = len(rows) // (positions * timesteps)
    order = itertools.product(range(positions), range(timesteps), range(groups))
    for item, (position, t, g) in zip(items, order, strict=True):
        where = f"position {position} t {t} group {g}"
        cut = want[position, t, g * c.neuron_lanes : (g + 1) * c.neuron_lanes].tolist()
        assert item["potential" if readout else "level"] == cut, where
        if readout:
            assert item["level"] == [0] * c.neuron_lanes, where
        last_row = rows[(position * timesteps + t + 1) * planes - 1]["last"]
        flags = (item["group"], item["last_group"], item["last_t"], item["last"])
        assert flags == (g, g == groups - 1, t == timesteps - 1, bool(last_row) and g == groups - 1), where


def run_layer(
    c, neuron, psums, *, encoding="bitplane", signed=False, idle=0.0, stall=0.0, seed=0, positions_per_tile=3, dut=None
):
    """Parameters first, then all rows; checks every item and returns (dut, sources, sink)."""
    positions, timesteps, planes, channels = psums.shape
    weights = plane_weights({8: 255}.get(planes, 2**planes - 1), "bitplane", signed) if encoding == "bitplane" else None
    if weights is None:
        weights = np.ones(planes, dtype=np.int64)
    rows = row_items(psums, positions_per_tile)
    want = expected(c, neuron, psums, weights)
    groups = channels // c.neuron_lanes
    dut = dut or NeuronArray(c)
    layer = layer_fields(neuron, groups, timesteps, planes, encoding == "bitplane", signed)
    params = Source(dut.i_params, param_items(c, neuron), idle=idle)
    rows_in = Source(dut.i_psum, rows, idle=idle, gate=lambda cycle: len(params.cycles) == groups)
    sink = Sink(dut.o, stall=stall, expect=positions * timesteps * groups)
    run_streams(dut, [params, rows_in], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, rows, want, neuron.kind == "readout")
    return dut, rows_in, sink


def random_psums(rng, c, positions, timesteps, planes, channels, scale=300) -> np.ndarray:
    psums = rng.integers(-scale // 2, scale, (positions, timesteps, planes, channels))
    psums[rng.random(psums.shape) < 0.2] = 0  # untouched rows
    return psums


# Random layers.

RANDOM = [
    dict(kind="if", levels=1, reset="soft", timesteps=4, planes=1),
    dict(kind="if", levels=3, reset="soft", timesteps=1, planes=2),
    dict(kind="if", levels=5, reset="none", timesteps=3, planes=3),
    dict(kind="lif", levels=4, reset="hard", timesteps=3, planes=1),
    dict(kind="lif", levels=5, reset="soft", timesteps=2, planes=4, encoding="thermometer"),
    dict(kind="lif", levels=2, reset="none", timesteps=4, planes=2),
    dict(kind="readout", timesteps=3, planes=3),
    dict(kind="if", levels=5, reset="soft", timesteps=2, planes=8, signed=True),
]


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
    neuron = make_neuron(rng, groups * c.neuron_lanes, kind=kind, levels=levels, reset=reset, scale=scale)
    psums = random_psums(rng, c, 3, timesteps, planes, groups * c.neuron_lanes, scale=2 * scale)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_layer(c, neuron, psums, encoding=encoding, signed=signed, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("seed", range(2))
def test_layers_follow_each_other(seed):
    """Parameters and configuration change between runs; nothing of the layer before is left."""
    c = TINY
    dut = NeuronArray(c)
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
            for row in row_items(psums, 2):
                await put(ctx, dut.i_psum, row)
            while ctx.get(dut.o_busy):
                await ctx.tick()

    async def take(ctx):
        for _, psums in jobs:
            count = psums.shape[0] * psums.shape[1] * psums.shape[3] // c.neuron_lanes
            items.append([await get(ctx, dut.o) for _ in range(count)])

    from amaranth.sim import Simulator

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.add_testbench(take)
    sim.run()
    for (neuron, psums), got in zip(jobs, items, strict=True):
        want = expected(c, neuron, psums, 2 ** np.arange(psums.shape[2]))
        check_items(c, got, row_items(psums, 2), want, neuron.kind == "readout")


# Corner cases, by name. Each drives chosen values of U through one position.


def drive_sums(c, neuron, sums: np.ndarray, **options):
    """Sums [positions, T, O] in one plane."""
    return run_layer(c, neuron, np.asarray(sums)[:, :, None, :], **options)


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
    dut = NeuronArray(c)
    sink = Sink(dut.o, expect=6)
    params = Source(dut.i_params, param_items(c, neuron))
    rows = Source(dut.i_psum, row_items(psums, 3), gate=lambda cycle: len(params.cycles) == 1)
    layer = layer_fields(neuron, 1, 2, planes, True, True)
    run_streams(dut, [params, rows], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, rows.items, expected(c, neuron, psums, weights), True)


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


# Cycles.


def steady(c, timesteps, planes, groups, positions=12, kind="if"):
    """Cycles between the transfers of each position's last group, with nothing in the way."""
    rng = np.random.default_rng(5)
    reset = "none" if kind == "readout" else "soft"
    neuron = make_neuron(rng, groups * c.neuron_lanes, kind=kind, reset=reset, levels=min(5, c.max_levels))
    psums = random_psums(rng, c, positions, timesteps, planes, groups * c.neuron_lanes)
    dut, rows, sink = run_layer(c, neuron, psums)
    return dut, rows, sink, set(np.diff(sink.cycles[groups * timesteps - 1 :: groups * timesteps])[1:].tolist())


@pytest.mark.parametrize("name", CONFIGS)
def test_latency(name):
    c = CONFIGS[name]
    dut, rows, sink, _ = steady(c, 1, 1, 1)
    assert dut.latency == 5 + c.level_bits
    assert sink.offered[0] - rows.cycles[0] == dut.latency


@pytest.mark.parametrize("planes, groups", [(1, 1), (3, 1), (8, 1), (1, 2), (4, 2)])
def test_one_group_per_cycle(planes, groups):
    """T = 1: a position takes planes * groups cycles, from the first to the last; one group: a row every cycle."""
    _, rows, sink, gaps = steady(TINY, 1, planes, groups)
    assert gaps == {planes * groups}
    assert set(np.diff(rows.cycles).tolist()) == {groups}


@pytest.mark.parametrize(
    "timesteps, planes, groups", [(2, 1, 1), (4, 1, 2), (3, 3, 2), (3, 4, 2), (3, 8, 1), (3, 7, 1), (5, 1, 1)]
)
def test_timesteps_wait_only_for_their_potential(timesteps, planes, groups):
    """Exactly max(planes * groups, recurrence) cycles between timesteps, planes * groups between positions."""
    dut, _, _, gaps = steady(TINY, timesteps, planes, groups)
    assert dut.recurrence == 4 + TINY.level_bits
    work = planes * groups
    assert gaps == {work + (timesteps - 1) * max(work, dut.recurrence)}


def test_readout_does_not_wait_for_levels():
    _, _, _, gaps = steady(TINY, 3, 1, 1, kind="readout")
    assert gaps == {1 + 2 * 4}


def test_gaps_close_under_backpressure():
    """When ready comes one cycle in eleven, something is always there: waiting for a potential costs nothing."""
    c = TINY
    rng = np.random.default_rng(9)
    neuron = make_neuron(rng, 8)
    psums = random_psums(rng, c, 6, 2, 2, 8)
    rows = row_items(psums, 3)
    dut = NeuronArray(c)
    params = Source(dut.i_params, param_items(c, neuron))
    source = Source(dut.i_psum, rows, gate=lambda cycle: len(params.cycles) == 2)
    sink = Sink(dut.o, expect=24, gate=lambda cycle: cycle % 11 == 0)
    layer = layer_fields(neuron, 2, 2, 2, True)
    run_streams(dut, [params, source], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, rows, expected(c, neuron, psums, np.array([1, 2])), False)
    assert set(np.diff(sink.cycles).tolist()) == {11}


def test_parameters_wait_for_the_run_before():
    """i_params isn't ready while a row or group is inside, up to the transfer of the last group."""
    c = TINY
    rng = np.random.default_rng(4)
    first, second = make_neuron(rng, 4), make_neuron(rng, 4)
    psums = random_psums(rng, c, 3, 2, 2, 4)
    dut = NeuronArray(c)
    rows = row_items(psums, 3)
    source = Source(dut.i_psum, rows, gate=lambda cycle: cycle > 3)
    late = param_items(c, second)
    params = Source(
        dut.i_params, param_items(c, first) + late, gate=lambda cycle: cycle == 0 or len(source.cycles) == 1
    )
    sink = Sink(dut.o, expect=6, stall=0.3)
    layer = layer_fields(first, 1, 2, 2, True)
    # The rows come one after the other so that the array never runs empty before the end.
    run_streams(dut, [params, source], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, rows, expected(c, first, psums, np.array([1, 2])), False)
    assert params.cycles[1] > sink.cycles[-1]
