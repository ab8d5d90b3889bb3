"""The weight buffer: slots are filled in turn, and one that is filled takes no rows until it is released."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.processor.weight_buffer import WeightBuffer
from tests.support.simulation import simulate

CONFIG = HardwareConfig.load("tiny").replace(weight_tiles=2, lanes=4, neuron_lanes=2)


def test_a_filled_slot_takes_no_row():
    """Rows come without a pause; the first slot is asked for again when both are full, and after each release."""
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

    async def release(ctx, slot):
        ctx.set(dut.release.weight_slot, slot)
        ctx.set(dut.release.valid, 1)
        await ctx.tick()
        ctx.set(dut.release.valid, 0)

    async def bench(ctx):
        await ctx.tick()
        await offer(ctx, 0, last=0, cycles=1)
        await offer(ctx, 0, last=1, cycles=1)
        await offer(ctx, 1, last=1, cycles=1)
        await offer(ctx, 0, last=1, cycles=8)
        await release(ctx, 1)
        await offer(ctx, 0, last=1, cycles=8)
        await release(ctx, 0)
        await offer(ctx, 0, last=1, cycles=1)
        await offer(ctx, 1, last=1, cycles=1)
        await offer(ctx, 0, last=0, cycles=8)

    simulate(dut, bench, limit=100)
    first = [(0, True), (0, True), (1, True), (0, False)]
    assert taken == [*first, (0, False), (0, True), (1, True), (0, False)]
