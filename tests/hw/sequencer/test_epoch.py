"""Epochs of jobs: each job has another number, and no number comes again before every word was set back."""

from __future__ import annotations

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
            pairs = []
            while ctx.get(dut.clear):
                pairs.append(ctx.get(dut.pair))
                await ctx.tick()
            cleared.append(pairs)
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.clear)

    simulate(dut, bench, limit=5000)
    assert epochs == [*range(1, most + 1), *range(1, most + 1), 1], "epoch 0 stands for no job"
    every = list(range(config.feature_words // 2))
    assert [bool(pairs) for pairs in cleared] == [epoch == most for epoch in epochs]
    assert all(pairs in ([], every) for pairs in cleared)
