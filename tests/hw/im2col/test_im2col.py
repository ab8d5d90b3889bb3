"""Im2col against NumPy: every row of every K tile of random and named geometries, and its exact throughput."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import LOOPS, SEGMENT
from reprise.hw.im2col.im2col import Im2col
from reprise.hw.im2col.row_table import RowTable
from reprise.hw.interface.streams import feature_banks
from tests.hw.im2col.im2col_jobs import Geometry, Job, random_job
from tests.support.simulation import design, simulate

TINY = HardwareConfig(
    tile_m=16, tile_k=8, lanes=8, load_rows=4, neuron_lanes=4, weight_tiles=3, bus_bits=64, feature_words=512,
    segments=128, psum_bits=20, membrane_bits=24,
)  # fmt: skip
BANKS_4 = {"bus_bits": 128, "feature_words": 2048}
BANKS_8 = {"bus_bits": 512, "feature_words": 4096}
"""Neighbouring words of the feature buffer lie in so many banks; with TINY's own sizes it has two."""
RUN_FLAGS = {"weights_keep": 0, "weights_ready": 0, "weights_hold": 0}


async def load(ctx, dut, job):
    """Features and segments of a job."""
    banks = feature_banks(job.config)
    for entry in sorted({address // banks for address in job.words}):
        words = [job.words.get(entry * banks + bank, 0) for bank in range(banks)]
        ctx.set(dut.i_features.payload, {"entry": entry, "mask": (1 << banks) - 1, "words": words})
        ctx.set(dut.i_features.valid, 1)
        await ctx.tick()
    ctx.set(dut.i_features.valid, 0)
    for index, segment in enumerate(job.segments):
        raw = sum((segment[f.name] & ((1 << f.bits) - 1)) << (32 * f.word + f.offset) for f in SEGMENT)
        ctx.set(dut.i_segments.payload.index, index)
        ctx.set(dut.i_segments.payload.segment.as_value(), raw)
        ctx.set(dut.i_segments.valid, 1)
        await ctx.tick()
    ctx.set(dut.i_segments.valid, 0)


async def start(ctx, dut, fields, prepare=None):
    """Prepare a run and start it some cycles later."""
    for name, value in fields.items():
        ctx.set(dut.run[name], value)
    early = random.Random(str(fields)).choice([0, 0, 1, 50]) if prepare is None else prepare
    for cycle in range(early + 1):
        ctx.set(dut.prepare, cycle == 0)
        ctx.set(dut.start, cycle == early)
        await ctx.tick()
    ctx.set(dut.prepare, 0)
    ctx.set(dut.start, 0)


async def collect(ctx, dut, job, rng=None, busy=0.0):
    """All words of a run: checks them and returns the cycles in which they were taken."""
    c = job.config
    words = [
        (m, k, w, rows[w : w + c.load_rows], len(rows))
        for m, tiles in enumerate(job.expected)
        for k, rows in enumerate(tiles)
        for w in range(0, len(rows), c.load_rows)
    ]
    taken, cycle, slots = [], 0, {}
    position = 0
    while position < len(words):
        ready = rng is None or rng.random() >= busy
        ctx.set(dut.o.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
        cycle += 1
        assert cycle < 40_000, "no progress"
        if not (valid and ready):
            continue
        m, k, w, rows, count = words[position]
        expected = [sum(1 << int(i) for i in np.flatnonzero(row)) for row in rows] + [0] * (c.load_rows - len(rows))
        got = [payload.rows[r] for r in range(c.load_rows)]
        assert got == expected, f"m tile {m}, K tile {k}, word at row {w}"
        last = w + c.load_rows >= count
        tile = payload.tile
        assert payload.last == last
        assert tile.last_k == (k == len(job.expected[m]) - 1)
        assert tile.rows == count
        slots.setdefault((m, k), set()).add((tile.weight_slot, tile.weight_release))
        taken.append(cycle)
        position += 1
    ctx.set(dut.o.ready, 1)
    for _ in range(40):
        _, _, valid = await ctx.tick().sample(dut.o.valid)
        assert not valid, "words beyond the run's last"
    assert not ctx.get(dut.busy)
    assert all(len(s) == 1 for s in slots.values())
    return taken, [next(iter(slots[key])) for key in sorted(slots)]


def check(job, *, rng=None, busy=0.0, flags=None, prepare=None):
    """One job in a fresh block; returns what ``collect`` does."""
    dut = design(Im2col, job.config)
    results = []

    async def bench(ctx):
        await load(ctx, dut, job)
        await start(ctx, dut, job.fields | RUN_FLAGS | (flags or {}), prepare)
        results.append(await collect(ctx, dut, job, rng, busy))

    simulate(dut, bench)
    return results[0]


@pytest.mark.parametrize("seed", range(10))
def test_random_geometries(seed):
    """Three random runs one after the other on the same block, with and without backpressure."""
    rng = np.random.default_rng(seed)
    config = TINY.replace(tile_k=int(rng.choice([4, 8, 16, 64])), load_rows=int(rng.choice([2, 4, 16])))
    config = config.replace(**[{}, BANKS_4, BANKS_8][seed % 3])
    dut = design(Im2col, config)

    async def bench(ctx):
        for _ in range(3):
            depth = int(rng.integers(1, config.tile_k + 1)) if rng.random() < 0.5 else None
            job = random_job(config, rng, density=float(rng.choice([0.2, 0.5, 1.0])), tile_depth=depth)
            await load(ctx, dut, job)
            await start(ctx, dut, job.fields | RUN_FLAGS)
            await collect(ctx, dut, job, rng, float(rng.choice([0.0, 0.5, 0.9])))

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(8))
def test_masks(seed):
    """Where segments can mask each other: maps of the same size and of a value for each channel, and backpressure."""
    rng = np.random.default_rng(seed)
    config = TINY.replace(masks=1, tile_k=int(rng.choice([4, 8, 16])), load_rows=int(rng.choice([2, 4, 16])))
    for density in (0.5, 0.9, 1.0):
        depth = int(rng.integers(1, config.tile_k + 1)) if rng.random() < 0.5 else None
        job = random_job(config, rng, density=density, tile_depth=depth)
        check(job, rng=rng, busy=float(rng.choice([0.0, 0.5])))


def test_a_mask_that_comes_first_leaves_nothing():
    """The hardware does what the interpreter does with a table that no compiler makes."""
    rng = np.random.default_rng(0)
    main = Geometry(height=2, width=2, channels=6)
    job = Job(TINY.replace(masks=1), [main, dataclasses.replace(main, masks=True)], rng=rng, density=1.0)
    first, second = job.segments[:2]
    assert second["mask"] and not first["mask"]
    job.segments[:2] = [second | {"last": 0}, first | {"last": second["last"]}]
    check(job)  # 0 is masked, and then all bits are added


NAMED = {
    "one row": (dict(height=1, width=1, channels=1), dict()),
    "all zero": (dict(height=4, width=4, channels=3, kernel=(3, 3), padding=1), dict(density=0.0)),
    "all ones, padding of the whole kernel": (
        dict(height=3, width=3, channels=5, kernel=(5, 5), padding=4),
        dict(density=1.0),
    ),
    "all ones, lines that fill their words": (
        dict(height=3, width=8, channels=8, kernel=(3, 3), padding=1),
        dict(density=1.0),
    ),
    "linear: the kernel is the map": (dict(height=4, width=5, channels=6, kernel=(4, 5)), dict(images=3, q=2)),
    "kernel 7, stride 2": (dict(height=8, width=8, channels=2, kernel=(7, 7), stride=2, padding=3), dict()),
    "full lanes, two blocks": (dict(height=3, width=3, channels=8, blocks=2, kernel=(3, 3), padding=1), dict()),
    "pool windows with odd edges": (dict(height=5, width=7, channels=3, kernel=(3, 3), padding=1), dict(pool=2)),
    "pixels of 8 planes, T = 2": (dict(height=2, width=4, channels=3, kernel=(1, 3), padding=0), dict(q=16)),
    "three rows of sixteen": (dict(height=4, width=4, channels=1), dict(positions=3)),
}


def single_turns_last(fields):
    """The same rows by loops of which those of a single turn, which never step, are the outermost."""
    names = ["count", *(f"{name}{source}" for name in ("address", "x", "y") for source in range(2))]
    loops = [{name: fields[f"loop{n}_{name}"] for name in names} for n in range(LOOPS)]
    loops.sort(key=lambda loop: loop["count"] == 1)
    return fields | {f"loop{n}_{name}": loop[name] for n, loop in enumerate(loops) for name in names}


@pytest.mark.parametrize("single_last", [False, True])
@pytest.mark.parametrize("name", NAMED)
def test_named_geometry(name, single_last):
    geometry, run = NAMED[name]
    job = Job(TINY, [Geometry(**geometry)], rng=np.random.default_rng(1), **run)
    job.fields = single_turns_last(job.fields) if single_last else job.fields
    check(job)


def test_two_sources_join():
    """A residual join: a 3 x 3 main path and a strided 1 x 1 shortcut, each on K tiles of its own."""
    main = Geometry(height=4, width=4, channels=5, kernel=(3, 3), padding=1)
    shortcut = Geometry(height=8, width=8, channels=3, stride=2)
    check(Job(TINY, [main, shortcut], images=2, q=2, rng=np.random.default_rng(2)))


@pytest.mark.parametrize("depth", [1, 5, 8])
def test_bits_beyond_the_tile_count_as_zero(depth):
    """Segments that fill 8 bits, in a run whose K tiles have fewer, on both sides of a segment's border."""
    job = Job(TINY, [Geometry(height=4, width=4, channels=3, kernel=(3, 3))], rng=np.random.default_rng(6), density=1.0)
    job.fields["tile_depth"] = depth
    job.expected = [[np.where(np.arange(TINY.tile_k) < depth, rows, False) for rows in m] for m in job.expected]
    check(job)


@pytest.mark.parametrize("sizes", [{}, BANKS_4, BANKS_8])
def test_addresses_wrap(sizes):
    """The feature buffer is a ring: a map may run over its end."""
    config = TINY.replace(**sizes)
    job = Job(config, [Geometry(height=4, width=4, channels=8, kernel=(2, 2))], rng=np.random.default_rng(3))
    shift = config.feature_words - 12
    job.words = {(a + shift) % config.feature_words: v for a, v in job.words.items()}
    job.fields["row_address0"] += shift
    check(job)


@pytest.mark.parametrize("kernel, channels", [((1, 1), 8), ((3, 3), 8), ((2, 3), 5)])
def test_throughput_is_one_segment_per_cycle(kernel, channels):
    """Full m tiles: no bubble between words, K tiles and m tiles, once the tables lead."""
    job = Job(TINY, [Geometry(height=16, width=9, channels=channels, kernel=kernel)], rng=np.random.default_rng(4))
    taken, _ = check(job, prepare=0)
    words = TINY.tile_beats
    pieces = len(job.segments) * words  # of a full m tile
    row_table = TINY.tile_m
    per_tile = max(pieces, row_table)
    firsts = taken[:: words * len(job.expected[0])][: len(job.expected) - 1]  # the last m tile may be shorter
    assert len(firsts) > 3
    assert [b - a for a, b in zip(firsts[1:-1], firsts[2:], strict=True)] == [per_tile] * (len(firsts) - 2)
    # Row table (rows + 2), then the first word's pieces through the pipeline and the queue.
    first_pieces = next(i for i, s in enumerate(job.segments) if s["last"]) + 1
    assert taken[0] == job.fields["rows"] + RowTable.LATENCY + first_pieces - 1 + Im2col.LATENCY


@pytest.mark.parametrize("sources", [1, 2])
@pytest.mark.parametrize("q, load_rows", [(1, 4), (2, 4), (3, 4), (8, 4), (5, 2), (3, 16), (7, 8)])
def test_rows_of_a_turn_of_the_innermost_loop_are_written_together(q, load_rows, sources):
    """A position has q rows, one for each plane and timestep: those that share a word take a cycle for each source."""
    config = TINY.replace(load_rows=load_rows)
    job = Job(config, [Geometry(height=1, width=3, channels=8)] * sources, rng=np.random.default_rng(4), q=q)
    rows = job.fields["rows"]
    assert job.fields["loop0_count"] == q or q == 1
    taken, _ = check(job, prepare=0)
    cycles = len({(row // load_rows, row // q) for row in range(rows)})
    assert taken[0] == sources * cycles + RowTable.LATENCY + Im2col.LATENCY


@pytest.mark.parametrize("m_tiles, k_tiles", [(1, 1), (3, 2), (2, 5)])
def test_weight_slots(m_tiles, k_tiles):
    """Round robin over runs when streamed; the same slots for every m tile, released by the last, when kept."""
    height = m_tiles * 4
    job = Job(TINY, [Geometry(height=height, width=4, channels=8 * k_tiles)], rng=np.random.default_rng(5))
    dut = design(Im2col, TINY)
    slots = TINY.weight_tiles

    async def bench(ctx):
        await load(ctx, dut, job)
        base = 0
        for _ in range(2):
            await start(ctx, dut, job.fields | RUN_FLAGS)
            _, seen = await collect(ctx, dut, job)
            assert seen == [((base + i) % slots, 1) for i in range(m_tiles * k_tiles)]
            base = (base + m_tiles * k_tiles) % slots
        if k_tiles > slots:
            return
        for flags in ({"weights_hold": 1}, {"weights_ready": 1, "weights_hold": 1}, {"weights_ready": 1}):
            await start(ctx, dut, job.fields | RUN_FLAGS | {"weights_keep": 1} | flags)
            _, seen = await collect(ctx, dut, job)
            assert [s for s, _ in seen] == [(base + k) % slots for _ in range(m_tiles) for k in range(k_tiles)]
            releases = [r for _, r in seen]
            held = flags.get("weights_hold", 0)
            assert releases == [0] * (m_tiles - 1) * k_tiles + [0 if held else 1] * k_tiles
        await start(ctx, dut, job.fields | RUN_FLAGS)
        _, seen = await collect(ctx, dut, job)
        assert seen[0] == ((base + k_tiles) % slots, 1)

    simulate(dut, bench)
