"""Drives NeuronArray in the simulator and checks it against reprise.model.inference.neurons, for its tests."""

import itertools

import numpy as np

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.interface.row_order import block_positions
from reprise.hw.neurons.array import NeuronArray
from reprise.model.inference.neurons import RESETS, integrate
from reprise.model.network.neuron import Neuron
from reprise.model.prosparsity.rows import plane_weights
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny")
CONFIGS = {
    "tiny": TINY,
    "three groups": TINY.replace(lanes=24, neuron_lanes=8, max_levels=5),
    "one lane": TINY.replace(neuron_lanes=1, max_levels=255),
    "binary": TINY.replace(lanes=16, neuron_lanes=16, max_levels=1, membrane_bits=20),
}
ADDENDS = {name: c.replace(addend_groups=8) for name, c in CONFIGS.items()}
"""The same with addends, of which few groups wait."""

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
"""Random layers, and how their rows come."""


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


def ends_tile(position: int, positions: int, positions_per_tile: int) -> bool:
    return position + 1 == positions or (position + 1) % positions_per_tile == 0


def row_items(psums: np.ndarray, positions_per_tile: int, block: int = 1) -> list[dict]:
    """psums: [positions, T, P, O]; ``block`` positions take turns; ``last`` at the end of m tiles and of the layer.

    Clean rows are left out, but those of last planes.
    """
    positions, timesteps, planes, channels = psums.shape
    items, position, first = [], 0, True
    while position < positions:
        here = [position]
        while len(here) < block and not ends_tile(here[-1], positions, positions_per_tile):
            here.append(here[-1] + 1)
        for t, n, p in itertools.product(range(timesteps), here, range(planes)):
            end = ends_tile(n, positions, positions_per_tile) and (t, p) == (timesteps - 1, planes - 1)
            sums, last_plane = psums[n, t, p], p == planes - 1
            if sums.any() or last_plane:
                row = {"psum": sums.tolist() if sums.any() else [-21] * channels, "dirty": bool(sums.any())}
                row |= {"plane": p, "first": first, "last_plane": last_plane}
                items.append(row | {"last_position": n == here[-1], "last": end})
                first = last_plane
        position = here[-1] + 1
    return items


def in_halves(c: HardwareConfig, rows: list[dict], seed: int) -> list[dict]:
    """Rows whose m tiles have buffers in either half of the lanes, with something else in the other half."""
    rng, upper, moved = np.random.default_rng([seed, 1]), 0, []
    for row in rows:
        half, first = c.lanes // 2, upper * c.lanes // 2
        psum = rng.integers(-99, 99, c.lanes).tolist()
        psum[first : first + half] = [*row["psum"], *[0] * half][:half]
        moved.append(row | {"psum": psum, "upper": upper})
        upper = int(rng.integers(2)) if row["last"] else upper
    return moved


def expected(c: HardwareConfig, neuron: Neuron, psums: np.ndarray, weights: np.ndarray, addend=0) -> np.ndarray:
    """Levels (potentials of a readout) [positions, T, O] by the model; ``addend`` is of the same shape, or 0."""
    sums = (psums * weights[None, None, :, None]).sum(axis=2) + addend
    levels, potentials = integrate(sums[..., None, None], neuron)
    result = potentials if neuron.kind == "readout" else levels
    return result[..., 0, 0].astype(np.int64)


def check_items(c: HardwareConfig, items: list[dict], want: np.ndarray, readout: bool, positions_per_tile: int = 3):
    positions, timesteps, channels = want.shape
    groups = channels // c.neuron_lanes
    order = itertools.product(range(positions), range(timesteps), range(groups))
    for item, (position, t, g) in zip(items, order, strict=True):
        where = f"position {position} t {t} group {g}"
        cut = want[position, t, g * c.neuron_lanes : (g + 1) * c.neuron_lanes].tolist()
        assert item["potential" if readout else "level"] == cut, where
        if readout:
            assert item["level"] == [0] * c.neuron_lanes, where
        last_group, last_t = g == groups - 1, t == timesteps - 1
        last = last_group and last_t and ends_tile(position, positions, positions_per_tile)
        flags = (item["group"], item["last_group"], item["last_t"], item["last"])
        assert flags == (g, last_group, last_t, last), where


def held_bits(dut: NeuronArray, block: int) -> int:
    """Payload bits that keep the stream rule: all, but not the potentials of interleaved positions."""
    layout = dut.o.payload.shape()
    field = layout["potential"]
    return (1 << layout.size) - 1 - ((((1 << field.width) - 1) << field.offset) if block > 1 else 0)


def run_layer(
    c,
    neuron,
    psums,
    *,
    encoding="bitplane",
    signed=False,
    idle=0.0,
    stall=0.0,
    seed=0,
    positions_per_tile=3,
    dut=None,
    addend=None,
    late=0.0,
    shift=0,
    adds=True,
    gate=lambda cycle: cycle > 0,
):
    """Parameters first, then all rows; checks every item and returns (dut, sources, sink).

    ``addend`` is of the positions, timesteps and channels. Without ``adds`` the layer does not have it, and what waits
    of it is the next layer's. All sums count 2**shift times. Its groups come with the probability ``late`` of an idle
    cycle, and only when ``gate`` allows it; none in the first cycle after reset.
    """
    positions, timesteps, planes, channels = psums.shape
    weights = plane_weights({8: 255}.get(planes, 2**planes - 1), "bitplane", signed) if encoding == "bitplane" else None
    if weights is None:
        weights = np.ones(planes, dtype=np.int64)
    weights = weights << shift
    added = addend if adds and addend is not None else 0
    want = expected(c, neuron, psums, weights, added)
    groups = channels // c.neuron_lanes
    dut = dut or design(NeuronArray, c)
    layer = layer_fields(neuron, groups, timesteps, planes, encoding == "bitplane", signed)
    inputs = []
    if addend is not None:
        layer |= {"addend_bytes": 2 if adds else 0, "shift": shift}
        items = addend.reshape(-1, c.neuron_lanes).tolist()[: None if adds else c.addend_groups]
        inputs = [Source(dut.i_addend, items, idle=late, gate=gate)]
    block = block_positions(c, layer)
    rows = row_items(psums, positions_per_tile, block)
    if groups <= c.narrow_groups:
        rows = in_halves(c, rows, seed)
    params = Source(dut.i_params, param_items(c, neuron), idle=idle)
    rows_in = Source(dut.i_psum, rows, idle=idle, gate=lambda cycle: len(params.cycles) == groups)
    sink = Sink(dut.o, stall=stall, expect=positions * timesteps * groups, mask=held_bits(dut, block))
    run_streams(dut, [params, rows_in, *inputs], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, want, neuron.kind == "readout", positions_per_tile)
    if neuron.reset != "none" and block == 1:
        sums = (psums * weights[None, None, :, None]).sum(axis=2) + added
        sums = sums[..., None, None]
        _, potentials = integrate(sums, neuron, potentials=True)
        got = np.array([item["potential"] for item in sink.items]).reshape(want.shape)
        assert (got == potentials[..., 0, 0]).all(), "membrane potentials"
    return dut, rows_in, sink


def random_psums(rng, c, positions, timesteps, planes, channels, scale=300) -> np.ndarray:
    psums = rng.integers(-scale // 2, scale, (positions, timesteps, planes, channels))
    psums[rng.random(psums.shape) < 0.2] = 0
    psums[rng.random(psums.shape[:3]) < 0.2] = 0  # clean rows
    return psums


def drive_sums(c, neuron, sums: np.ndarray, **options):
    """Sums [positions, T, O] in one plane."""
    return run_layer(c, neuron, np.asarray(sums)[:, :, None, :], **options)
