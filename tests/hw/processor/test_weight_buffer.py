"""The weight buffer: a slot that is filled takes no rows until it is released, whatever stood at the input before."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.processor.weight_buffer import WeightBuffer
from tests.support.simulation import simulate

CONFIG = HardwareConfig.load("tiny").replace(weight_tiles=2, lanes=4, neuron_lanes=2)


def test_a_filled_slot_takes_no_row():
    """Rows of another slot come between, so that each slot is looked at anew."""
    dut = WeightBuffer(CONFIG)
    taken = []

    async def offer(ctx, slot, last, cycles):
        ctx.set(dut.i.payload.weight_slot, slot)
        ctx.set(dut.i.payload.last, last)
        ctx.set(dut.i.valid, 1)
        for _ in range(cycles):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                break
        ctx.set(dut.i.valid, 0)
        taken.append((slot, bool(ready)))

    async def bench(ctx):
        await offer(ctx, 1, last=1, cycles=3)  # slot 1 is filled
        await offer(ctx, 0, last=0, cycles=3)
        await offer(ctx, 1, last=0, cycles=8)
        await offer(ctx, 0, last=0, cycles=3)
        ctx.set(dut.release.weight_slot, 1)
        ctx.set(dut.release.valid, 1)
        await ctx.tick()
        ctx.set(dut.release.valid, 0)
        await offer(ctx, 1, last=1, cycles=3)
        await offer(ctx, 1, last=1, cycles=8)

    simulate(dut, bench, limit=100)
    assert taken == [(1, True), (0, True), (1, False), (0, True), (1, True), (1, False)]
