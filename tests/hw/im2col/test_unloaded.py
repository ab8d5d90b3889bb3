"""Words and segments that the job has not loaded are told exactly when a row takes bits from them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from reprise.hw.arch.program import SEGMENT
from reprise.hw.im2col.im2col import Im2col
from reprise.hw.interface.streams import feature_banks
from tests.hw.im2col.im2col_jobs import Geometry, Job, random_job
from tests.hw.sequencer.bench import TINY
from tests.support.simulation import design, simulate

EPOCH = 3
WIDE = TINY.replace(bus_bits=256, feature_words=4096)
"""Words of the feature buffer lie in eight banks."""
FLAGS = {"weights_keep": 0, "weights_ready": 0, "weights_hold": 0}


def run(job, *, words=None, stale=(), segments=None, fields=None):
    """The rows that come out, and whether the run needs something that is not loaded.

    ``stale`` entries of all banks are written in an earlier epoch; ``words`` holds other contents of some words.
    """
    dut = design(Im2col, job.config)
    rows, told = [], []
    content = job.words | (words or {})

    banks = feature_banks(job.config)

    async def write(ctx, entry):
        values = [content.get(banks * entry + n, 0) for n in range(banks)]
        ctx.set(dut.i_features.payload, {"entry": entry, "mask": (1 << banks) - 1, "words": values})
        ctx.set(dut.i_features.valid, 1)
        await ctx.tick()
        ctx.set(dut.i_features.valid, 0)

    async def bench(ctx):
        for epoch in (EPOCH - 1, EPOCH):
            ctx.set(dut.epoch, epoch)
            for entry in sorted({address // banks for address in content}):
                if epoch < EPOCH or entry not in stale:
                    await write(ctx, entry)
        for index, segment in enumerate(job.segments[:segments]):
            raw = sum((segment[f.name] & ((1 << f.bits) - 1)) << (32 * f.word + f.offset) for f in SEGMENT)
            ctx.set(dut.i_segments.payload.index, index)
            ctx.set(dut.i_segments.payload.segment.as_value(), raw)
            ctx.set(dut.i_segments.valid, 1)
            await ctx.tick()
        ctx.set(dut.i_segments.valid, 0)
        for name, value in (job.fields | FLAGS | (fields or {})).items():
            ctx.set(dut.run[name], value)
        ctx.set(dut.o.ready, 1)
        for strobe in (dut.prepare, dut.start):
            ctx.set(strobe, 1)
            await ctx.tick()
            ctx.set(strobe, 0)
        quiet = 0
        while quiet < 150:
            _, _, valid, payload, unloaded = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.unloaded)
            quiet = 0 if valid else quiet + 1
            if valid:
                rows.append(list(payload.rows))
            told.append(unloaded)

    simulate(dut, bench, limit=60_000)
    return rows, any(told)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_stale_words_are_told_where_they_count(seed, wide):
    """An entry counts if other bits in it make other rows: padding, line ends and strides leave some out."""
    print("seed", seed)
    rng, pick = np.random.default_rng(seed), random.Random(seed)
    config = WIDE if wide else TINY
    banks = feature_banks(config)
    assert banks == (8 if wide else 2)
    job = random_job(config, rng, base=banks * pick.randrange(20))
    right, told = run(job)
    assert not told, "everything is loaded"
    ones = (1 << config.feature_bits) - 1
    entries = sorted({address // banks for address in job.words})
    for entry in pick.sample(entries, min(4, len(entries))):
        places = range(banks * entry, banks * entry + banks)
        counts = run(job, words=dict.fromkeys(places, 0))[0] != run(job, words=dict.fromkeys(places, ones))[0]
        rows, told = run(job, stale={entry})
        assert told == counts and rows == right, f"entry {entry}"


def edge_job(base, seed=0):
    """A single line of one source at a place of the buffer, which a 1x1 kernel reads whole."""
    rng = np.random.default_rng(seed)
    geometry = Geometry(height=1, width=16, channels=8, kernel=(1, 1))
    return Job(TINY, [geometry], rng=rng, base=base)


def test_the_last_word_of_the_buffer_and_what_lies_beyond():
    """A line may end with the buffer's last word; moved on by a word it is told, as is one far beyond."""
    job = edge_job(TINY.feature_words - 4)
    assert run(job)[1] is False
    for moved in (1, 4, 1 << 12):
        assert run(job, fields={"row_address0": job.fields["row_address0"] + moved})[1]


def test_segments_that_are_missing_are_told():
    """A run needs all its segments, and those of another place in the table are not there."""
    job = random_job(TINY, np.random.default_rng(5))
    needed = len(job.segments)
    assert not run(job)[1]
    assert run(job, segments=needed - 1)[1]
    assert run(job, segments=0)[1]
    assert run(job, fields={"segment_first": TINY.segments - 1})[1]
    assert run(job, fields={"segment_first": TINY.segments // 2})[1]


def test_a_table_that_ends_before_its_run_is_told():
    """The table is full and no segment is the last of its K tile: the scan does not go on from the beginning."""
    job = edge_job(0)
    entry = job.segments[0] | {"last": 0, "length": 1, "shift": 0}
    job.segments = [entry] * TINY.segments
    assert run(job)[1]


@pytest.mark.parametrize("config, base", [(TINY, 1), (WIDE, 7)])
def test_a_word_that_counts_only_as_the_second_of_a_window(config, base):
    """The last bits of a line lie in a word of their own, and no piece begins in it."""
    geometry = Geometry(height=1, width=6, channels=6, kernel=(1, 1))
    job = Job(config, [geometry], rng=np.random.default_rng(1), base=base)
    banks = feature_banks(config)
    assert (base + 1) % banks == 0 and base + 1 in job.words, "the line's second word is in another entry"
    assert not run(job)[1]
    assert run(job, stale={(base + 1) // banks})[1]
