"""The order of rows: block sizes in hardware against Python, the cursor's permutation, the processor's output."""

import itertools

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig, clog2
from reprise.hw.interface.row_order import block_positions, contexts, interleave
from reprise.hw.interface.streams import layer_config
from reprise.hw.psum.cursor import DrainCursor
from tests.hw.processor.bench import TINY, TINY2, Job, random_rows, run
from tests.support.simulation import design, simulate

CONFIGS = {
    "tiny": HardwareConfig.load("tiny"),
    "paper": HardwareConfig.load("paper"),
    "eight-bit levels": TINY.replace(max_levels=255, lanes=24, neuron_lanes=8),
    "sixteen groups": TINY.replace(lanes=16, neuron_lanes=1, max_levels=1),
}


class _Interleave(wiring.Component):
    def __init__(self, config):
        self.config = config
        super().__init__({"i_layer": In(layer_config(config)), "o": Out(clog2(contexts(config)))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(interleave(m, self.config, self.i_layer))
        return m


@pytest.mark.parametrize("name", CONFIGS)
def test_block_positions(name):
    """Every number of planes and groups; and what a block must be: enough to hide the recurrence, or all the slots."""
    c = CONFIGS[name]
    dut = _Interleave(c)
    limit = min(c.max_timesteps, c.tile_m // 2)

    async def bench(ctx):
        for planes, groups, timesteps, readout in itertools.product(
            range(1, c.max_planes + 1), range(1, c.groups + 1), {1, 2, limit, min(limit + 1, c.max_timesteps)}, (0, 1)
        ):
            layer = {"readout": readout, "planes": planes, "groups": groups, "timesteps": timesteps}
            ctx.set(dut.i_layer, layer)
            await ctx.tick()
            count = block_positions(c, layer)
            assert ctx.get(dut.o) + 1 == count, layer
            assert count * groups <= contexts(c)
            if readout or not 1 < timesteps <= limit:
                assert count == 1
            else:
                assert count * planes * groups >= 3 + c.level_bits or 2 * count * groups > contexts(c)
                assert count == 1 or count // 2 * planes * groups < 3 + c.level_bits

    simulate(dut, bench)


def order(positions: int, timesteps: int, planes: int, block: int) -> list[tuple[int, bool]]:
    """First rows of every position and timestep, and whether the position is the last of its block, naively."""
    rows = []
    for first in range(0, positions, block):
        here = range(first, min(first + block, positions))
        for t, n in itertools.product(range(timesteps), here):
            rows.append(((n * timesteps + t) * planes, n == here[-1]))
    return rows


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_cursor_walks_every_place_once(data):
    c = TINY.replace(tile_m=64, max_timesteps=32)
    timesteps, planes = data.draw(st.integers(1, 32)), data.draw(st.integers(1, 8))
    timesteps = min(timesteps, c.tile_m // planes)
    positions = data.draw(st.integers(1, c.tile_m // (timesteps * planes)))
    block = data.draw(st.sampled_from([1, 2, 4, 8]))
    dut = design(DrainCursor, c)
    want = order(positions, timesteps, planes, block)
    rows = positions * timesteps * planes
    assert sorted(row for row, _ in want) == list(range(0, rows, planes))
    back = data.draw(st.integers(0, len(want) - 1))

    async def bench(ctx):
        ctx.set(dut.i_layer, {"planes": planes, "timesteps": timesteps})
        walk = {"end": rows - planes, "edge": rows - timesteps * planes, "most": block - 1}
        ctx.set(dut.walk, walk | {"stride": timesteps * planes})
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        ctx.set(dut.step, 1)
        kept = None
        for turn in range(2):
            for n in range(back if turn else 0, len(want)):
                assert (ctx.get(dut.o.row), bool(ctx.get(dut.last_position))) == want[n]
                assert ctx.get(dut.last) == (n == len(want) - 1)
                kept = ctx.get(dut.o.as_value()) if n == back else kept
                await ctx.tick()
            ctx.set(dut.i.as_value(), kept)
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)

    simulate(dut, bench)


DRAINS = [
    # T, P, G, positions of the m tiles
    (8, 1, 1, [8, 8, 3, 1]),
    (4, 1, 2, [16, 5, 7]),
    (4, 3, 1, [5, 3, 1]),
    (2, 2, 1, [16, 9]),
    (8, 8, 1, [1, 1]),
]


@pytest.mark.parametrize("traffic", [{}, {"stall": 0.7}, {"idle": 0.4, "stall": 0.3}], ids=str)
@pytest.mark.parametrize("timesteps, planes, groups, tiles", DRAINS)
@pytest.mark.parametrize("config", [TINY, TINY2], ids=["one bank", "two banks"])
def test_processor_drains_in_order(config, timesteps, planes, groups, tiles, traffic):
    """Every row once, in the order of the blocks; also sparse tiles, whose rows are mostly clean."""
    c = config.replace(tile_m=64, load_rows=8)
    layer = {"planes": planes, "timesteps": timesteps, "groups": groups, "readout": 0}
    rng = np.random.default_rng(len(tiles) * 10 + timesteps)
    job = Job(c, layer=layer)
    for n, positions in enumerate(tiles):
        rows = positions * timesteps * planes
        job.add([random_rows(rng, rows, c.tile_k, density=0.3 if n % 2 else 0.02) for _ in range(2)], rng)
    run(job, seed=3, **traffic)


def test_drain_gives_a_row_per_cycle():
    """Nothing to update beside: rows follow each other without a bubble, whatever their order."""
    c = TINY.replace(tile_m=64, load_rows=8)
    rng = np.random.default_rng(4)
    job = Job(c, layer={"planes": 1, "timesteps": 8, "groups": 1, "readout": 0})
    job.add([random_rows(rng, 64, c.tile_k)], rng)
    done = run(job)
    assert done.output[-1] - done.output[0] == 63
