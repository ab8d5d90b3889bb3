"""Epochs of jobs: each job has another number, and no number comes again before every word was set back."""

from __future__ import annotations

from reprise.hw.interface.streams import feature_banks
from reprise.hw.sequencer.epoch import JobEpochs
from tests.hw.sequencer.bench import TINY
from tests.support.simulation import simulate


def test_a_number_comes_again_only_after_all_words_were_cleared():
    config = TINY.replace(feature_words=64)
    dut = JobEpochs(config)
    most = (1 << len(dut.epoch)) - 1
    epochs, cleared = [], []

    async def bench(ctx):
        for _ in range(2 * most + 1):
            epochs.append(ctx.get(dut.epoch))
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.done, 0)
            entries = []
            while ctx.get(dut.clear):
                entries.append(ctx.get(dut.entry))
                await ctx.tick()
            cleared.append(entries)
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.clear)

    simulate(dut, bench, limit=5000)
    assert epochs == [*range(1, most + 1), *range(1, most + 1), 1], "epoch 0 stands for no job"
    every = list(range(config.feature_words // feature_banks(config)))
    assert [bool(entries) for entries in cleared] == [epoch == most for epoch in epochs]
    assert all(entries in ([], every) for entries in cleared)
