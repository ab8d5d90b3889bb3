"""Cycles of NeuronArray: latency, throughput, the wait for a potential, backpressure, parameters between runs."""

import numpy as np
import pytest

from reprise.hw.interface.row_order import block_positions
from reprise.hw.neurons.array import NeuronArray
from tests.hw.neurons.bench import (
    CONFIGS,
    TINY,
    check_items,
    expected,
    held_bits,
    layer_fields,
    make_neuron,
    param_items,
    random_psums,
    row_items,
    run_layer,
)
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams


def no_clean_row(psums):
    """The same partial sums with ones in rows of zeros, which would be left out."""
    return np.where(psums.any(axis=-1, keepdims=True), psums, 1)


def steady(c, timesteps, planes, groups, positions=12, kind="if"):
    """Cycles between the transfers of each position's last group, with nothing in the way."""
    rng = np.random.default_rng(5)
    reset = "none" if kind == "readout" else "soft"
    neuron = make_neuron(rng, groups * c.neuron_lanes, kind=kind, reset=reset, levels=min(5, c.max_levels))
    psums = no_clean_row(random_psums(rng, c, positions, timesteps, planes, groups * c.neuron_lanes))
    dut, rows, sink = run_layer(c, neuron, psums)
    return dut, rows, sink, set(np.diff(sink.cycles[groups * timesteps - 1 :: groups * timesteps])[1:].tolist())


@pytest.mark.parametrize("name", CONFIGS)
def test_latency(name):
    c = CONFIGS[name]
    dut, rows, sink, _ = steady(c, 1, 1, 1)
    assert dut.latency == 6 + c.level_bits
    assert sink.offered[0] - rows.cycles[0] == dut.latency


@pytest.mark.parametrize("planes, groups", [(1, 1), (3, 1), (8, 1), (1, 2), (4, 2)])
def test_one_group_per_cycle(planes, groups):
    """T = 1: a position takes planes * groups cycles, from the first to the last; one group: a row every cycle."""
    _, rows, sink, gaps = steady(TINY, 1, planes, groups)
    assert gaps == {planes * groups}
    assert set(np.diff(rows.cycles).tolist()) == {groups}


BLOCKS = [
    # T, P, G, positions of a block, positions of an m tile
    (32, 1, 1, 8, 8),
    (32, 1, 1, 8, 5),
    (32, 1, 1, 8, 1),
    (4, 1, 2, 4, 16),
    (4, 1, 2, 4, 7),
    (8, 2, 1, 4, 8),
    (2, 1, 3, 2, 3),
    (3, 2, 2, 2, 5),
    (3, 4, 2, 1, 4),
    (3, 8, 1, 1, 4),
    (3, 5, 1, 2, 4),
    (5, 1, 4, 2, 6),
    (1, 1, 1, 1, 9),
]


@pytest.mark.parametrize("timesteps, planes, groups, block, positions", BLOCKS)
def test_interleaved_positions_hide_the_recurrence(timesteps, planes, groups, block, positions):
    """A block of n positions takes n*P*G + (T - 1) * max(n*P*G, recurrence) cycles, or its forerunner leaves."""
    c = TINY.replace(lanes=16, tile_m=256, max_timesteps=32)
    rng = np.random.default_rng(timesteps)
    tiles = 6
    neuron = make_neuron(rng, groups * c.neuron_lanes, levels=5)
    psums = no_clean_row(random_psums(rng, c, tiles * positions, timesteps, planes, groups * c.neuron_lanes))
    dut, rows, sink = run_layer(c, neuron, psums, positions_per_tile=positions)
    layer = layer_fields(neuron, groups, timesteps, planes, True)
    assert block_positions(c, layer) == block
    sizes = [min(block, positions - first) for first in range(0, positions, block)]
    work = [n * planes * groups for n in sizes]
    leave = [n * groups * timesteps - groups * (timesteps - 1) for n in sizes]  # the first position leaves meanwhile
    cycles = sum(
        max(w + (timesteps - 1) * max(w, dut.recurrence), before)
        for w, before in zip(work, [leave[-1], *leave], strict=False)
    )
    assert dut.recurrence == 3 + c.level_bits
    per_tile = positions * timesteps
    assert set(np.diff(rows.cycles[per_tile * planes - 1 :: per_tile * planes])[1:].tolist()) == {cycles}
    assert set(np.diff(sink.cycles[per_tile * groups - 1 :: per_tile * groups])[1:].tolist()) == {cycles}
    if (timesteps, positions) == (32, 8):
        assert set(np.diff(rows.cycles[1:]).tolist()) == {1}, "a row per cycle"
        assert sink.cycles[-1] - rows.cycles[-1] == dut.latency + 2 + 7 * 32, "no bubble behind the first position"
    if positions == 1:
        assert set(np.diff(sink.cycles[-timesteps:]).tolist()) == {dut.recurrence}, "items leave as they come"


def test_clean_rows_take_no_cycle():
    """T = 1: of the planes of a position only those with a sum and the last one come, each for as many cycles."""
    c, groups = TINY, 2
    rng = np.random.default_rng(6)
    neuron = make_neuron(rng, groups * c.neuron_lanes)
    psums = random_psums(rng, c, 40, 1, 8, groups * c.neuron_lanes) * (rng.random((40, 1, 8, 1)) < 0.4)
    _, rows, sink = run_layer(c, neuron, psums)
    come = psums.any(axis=-1).reshape(40, 8)
    come[:, -1] = True
    assert len(rows.cycles) == come.sum() < 200
    assert np.diff(sink.cycles[groups - 1 :: groups]).tolist() == (groups * come.sum(axis=1))[1:].tolist()


def test_latency_of_a_block():
    """From the last row of a timestep to its first item: two cycles more than without the reorder buffer."""
    c = TINY
    neuron = make_neuron(np.random.default_rng(0), 4)
    psums = random_psums(np.random.default_rng(1), c, 8, 2, 1, 4)
    dut, rows, sink = run_layer(c, neuron, psums, positions_per_tile=8)
    assert sink.offered[0] - rows.cycles[7] == dut.latency + 2
    assert sink.cycles[-1] - rows.cycles[-1] == dut.latency + 2 + 14


def test_readout_does_not_wait_for_levels():
    _, _, _, gaps = steady(TINY, 3, 1, 1, kind="readout")
    assert gaps == {1 + 2 * 3}


def test_gaps_close_under_backpressure():
    """When ready comes one cycle in eleven, something is always there: waiting for a potential costs nothing."""
    c = TINY
    rng = np.random.default_rng(9)
    neuron = make_neuron(rng, 8)
    psums = random_psums(rng, c, 6, 2, 2, 8)
    layer = layer_fields(neuron, 2, 2, 2, True)
    rows = row_items(psums, 3, block_positions(c, layer))
    dut = design(NeuronArray, c)
    params = Source(dut.i_params, param_items(c, neuron))
    source = Source(dut.i_psum, rows, gate=lambda cycle: len(params.cycles) == 2)
    sink = Sink(dut.o, expect=24, gate=lambda cycle: cycle % 11 == 0, mask=held_bits(dut, 2))
    run_streams(dut, [params, source], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, expected(c, neuron, psums, np.array([1, 2])), False)
    assert set(np.diff(sink.cycles).tolist()) == {11}


def test_parameters_wait_for_the_run_before():
    """i_params isn't ready while a row or group is inside, up to the transfer of the last group."""
    c = TINY
    rng = np.random.default_rng(4)
    first, second = make_neuron(rng, 4), make_neuron(rng, 4)
    psums = random_psums(rng, c, 3, 2, 2, 4)
    dut = design(NeuronArray, c)
    layer = layer_fields(first, 1, 2, 2, True)
    rows = row_items(psums, 3, block_positions(c, layer))
    source = Source(dut.i_psum, rows, gate=lambda cycle: cycle > 3)
    late = param_items(c, second)
    params = Source(
        dut.i_params, param_items(c, first) + late, gate=lambda cycle: cycle == 0 or len(source.cycles) == 1
    )
    sink = Sink(dut.o, expect=6, stall=0.3, mask=held_bits(dut, 4))
    # The rows come one after the other so that the array never runs empty before the end.
    run_streams(dut, [params, source], [sink], setup=lambda ctx: ctx.set(dut.i_layer, layer))
    check_items(c, sink.items, expected(c, first, psums, np.array([1, 2])), False)
    assert params.cycles[1] > sink.cycles[-1]


@pytest.mark.parametrize("timesteps, groups", [(1, 1), (1, 2), (2, 2), (8, 1)])
def test_busy_from_the_first_row_to_the_last_item(timesteps, groups):
    """o_busy, and nothing else, keeps parameters out: in every cycle it says whether an item is still to come."""
    c, rng = TINY, np.random.default_rng(timesteps)
    neuron = make_neuron(rng, groups * c.neuron_lanes)
    layer = layer_fields(neuron, groups, timesteps, 1, True)
    block = block_positions(c, layer)
    assert (block > 1) == (timesteps > 1), "with and without the reorder buffer"
    tile = 4 * timesteps  # rows of an m tile; the next one begins when all is quiet
    psums = random_psums(rng, c, 16, timesteps, 1, groups * c.neuron_lanes)
    dut = design(NeuronArray, c)
    params = Source(dut.i_params, param_items(c, neuron))
    rows = Source(
        dut.i_psum,
        row_items(psums, 4, block),
        gate=lambda cycle: rows.cycles and len(rows.cycles) % tile or cycle % 150 == 9,
    )
    sink = Sink(dut.o, stall=0.4, expect=16 * timesteps * groups, mask=held_bits(dut, block))
    busy = []
    run_streams(
        dut,
        [params, rows],
        [sink],
        setup=lambda ctx: ctx.set(dut.i_layer, layer),
        each=lambda ctx, _: busy.append((ctx.get(dut.o_busy), ctx.get(dut.i_params.ready))),
    )
    for cycle, now in enumerate(busy):
        taken = sum(at < cycle for at in rows.cycles)
        inside = taken * groups - sum(at < cycle for at in sink.cycles)
        assert now == (inside > 0, inside == 0), f"cycle {cycle}"
    runs = sum(a[0] and not b[0] for a, b in zip(busy, busy[1:], strict=False))
    assert runs == 4
