"""Weight loader and loader against memory images: every item, slots, keeping, exact rates, backpressure."""

from __future__ import annotations

import random

import numpy as np
import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import SEGMENT, SEGMENT_BYTES, built, pack_fields
from reprise.hw.interface.commands import Kind
from reprise.hw.loader.loader import Loader
from reprise.hw.loader.weights import WeightLoader
from tests.hw.loader.bench import Feed
from tests.support.simulation import design, simulate
from tests.support.streams import unpack

TINY = HardwareConfig.load("tiny").replace(weight_tiles=3)


RUNS = [  # k_tiles, m_tiles, flags: one after the other on the same block
    dict(k_tiles=2, m_tiles=3),
    dict(k_tiles=2, m_tiles=3, weights_keep=1, weights_hold=1),
    dict(k_tiles=2, m_tiles=2, weights_keep=1, weights_ready=1),
    dict(k_tiles=5, m_tiles=1),
    dict(k_tiles=1, m_tiles=1),
    dict(k_tiles=3, m_tiles=2, tile_depth=5),
    dict(k_tiles=2, m_tiles=1, tile_depth=1),
    dict(k_tiles=3, m_tiles=2, whole_tiles=0),
    dict(k_tiles=2, m_tiles=2, whole_tiles=1, tile_depth=7),
    dict(k_tiles=40, m_tiles=1, whole_tiles=2, empty=1),
    dict(k_tiles=2, m_tiles=3, weights_keep=1, whole_tiles=0),
]


NARROW = [dict(narrow_buffers=1) | one for one in (dict(), dict(lanes=32), dict(bus_bits=256, weight_bits=4))]
CHANGES = [dict(), dict(lanes=32), dict(bus_bits=256), dict(weight_bits=4), *NARROW]


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6)])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_weight_rows(change, idle, stall):
    """Whole tiles, and tiles of which only the used rows are fetched; a tile that uses none gets a row as well.

    Where narrow RUNs have four buffers of partial sums, both halves of the lanes have their weights.
    """
    config = TINY.replace(**change)
    size = config.bus_bits // 8
    rng = np.random.default_rng(7)
    low, high = -(1 << (config.weight_bits - 1)), (1 << (config.weight_bits - 1)) - 1
    memory = rng.integers(low, high + 1, 16384, dtype=np.int8)
    dut = design(WeightLoader, config)
    feed = Feed(dut, memory.tobytes(), size, idle=idle)
    most = max(1, config.lanes // size)
    told = []

    async def tell(ctx):
        while True:
            if not told or rng.random() < idle:
                ctx.set(dut.i_used.valid, 0)
                await ctx.tick()
                continue
            ctx.set(dut.i_used.payload, told[0])
            ctx.set(dut.i_used.valid, 1)
            await ctx.tick().until(dut.i_used.ready)
            told.pop(0)

    async def bench(ctx):
        slot = 0
        for number, run in enumerate(RUNS):
            beats = most if number % 2 == 0 else max(1, most // 2)
            base = 64 * number
            groups = 1 + number % config.groups
            own = config.lanes // (1 + (groups <= config.narrow_groups))  # lanes with weights of their own
            fields = dict(weights_keep=0, weights_ready=0, weights_hold=0, tile_depth=config.tile_k, whole_tiles=99)
            fields |= run | dict(groups=groups)
            depth, empty = fields["tile_depth"], fields.pop("empty", 0)
            for name, value in (fields | dict(weights=base, weight_beats=beats)).items():
                ctx.set(dut.run[name], value)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            passes = 0 if fields["weights_ready"] else (1 if fields["weights_keep"] else run["m_tiles"])
            rows, words = [], 0  # (K tile, row, last) in the order in which they come
            for tile in range(passes * run["k_tiles"]):
                used = (1 << depth) - 1
                if tile >= fields["whole_tiles"] and not fields["weights_keep"]:
                    used = 0 if empty and tile % 3 else int(rng.integers(1 << depth))
                    told.append(used)
                mine = [k for k in range(depth) if used >> k & 1] or [None]
                rows += [(tile % run["k_tiles"], k, k == mine[-1]) for k in mine]
                words += used.bit_count() * beats
            sparse = bool(told)
            count = len(rows)
            asked = len(feed.requests)
            cycles = []
            got = 0
            cycle = 0
            while got < count:
                ready = rng.random() >= stall
                ctx.set(dut.o.ready, ready)
                _, _, valid, row = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                cycle += 1
                if not (valid and ready):
                    continue
                tile, k, last = rows[got]
                if k is not None:
                    at = base + (tile * depth + k) * beats * size
                    expected = [int(memory[at + n]) if n < beats * size else 0 for n in range(own)]
                    expected *= config.lanes // own
                    assert [row.data[n] for n in range(config.lanes)] == expected
                assert (row.weight_slot, row.last) == (slot, last) and (k is None or row.row == k)
                if row.last:
                    slot = (slot + 1) % config.weight_tiles
                got += 1
                cycles.append(cycle)
            ctx.set(dut.o.ready, 1)
            for _ in range(10):
                _, _, valid, busy = await ctx.tick().sample(dut.o.valid, dut.busy)
                assert not valid and not busy
            assert not told and sum(n for _, n in feed.requests[asked:]) == words, "no other bus words are asked for"
            if not idle and not stall and cycles and not sparse:
                assert cycles[-1] - cycles[0] == (count - 1) * beats  # a bus word per cycle

    simulate(dut, bench, background=[feed.run, tell], limit=20_000)


def features_expected(memory, config, job):
    words = {}
    size = config.feature_bits // 8
    for chunk in range(job["chunks"]):
        at = job["source"] + chunk * job["stride"]
        for i in range(job["beats"] * config.bus_bits // config.feature_bits):
            address = job["target"] + chunk * job["target_stride"] + i
            words[address] = int.from_bytes(memory[at + i * size : at + (i + 1) * size], "little")
    return words


@pytest.mark.parametrize("idle", [0.0, 0.7])
@pytest.mark.parametrize(
    "bus_bits, tile_k, feature_words, banks",
    [(64, 8, 512, 2), (64, 64, 512, 2), (256, 16, 512, 2), (512, 64, 512, 2), (128, 8, 2048, 4), (256, 32, 2048, 4),
     (256, 8, 4096, 8), (512, 64, 8192, 8)],
)  # fmt: skip
def test_feature_loads(bus_bits, tile_k, feature_words, banks, idle):
    config = TINY.replace(bus_bits=bus_bits, tile_k=tile_k, lanes=64, feature_words=feature_words)
    memory = random.Random(1).randbytes(16384)
    dut = design(Loader, config)
    words = bus_bits // config.feature_bits
    jobs = [
        dict(source=64 * 3, beats=5, chunks=3, stride=4096, target=2 * words, target_stride=8 * words),
        dict(source=0, beats=1, chunks=1, stride=0, target=words, target_stride=0),
        dict(source=192, beats=1, chunks=3, stride=64, target=0, target_stride=3 * words),
        dict(source=128, beats=2, chunks=4, stride=128, target=0, target_stride=2 * words),
        dict(source=512, beats=4, chunks=1, stride=0, target=config.feature_words - 4 * words, target_stride=0),
    ]
    feed = Feed(dut, memory, bus_bits // 8, idle=idle)
    written = {}

    async def watch(ctx):
        while True:
            _, _, valid, write = await ctx.tick().sample(dut.o_features.valid, dut.o_features.payload)
            for bank in range(banks):
                if valid and write.mask >> bank & 1:
                    written[banks * write.entry + bank] = write.words[bank]

    async def bench(ctx):
        for job in jobs:
            written.clear()
            ctx.set(dut.i_job.payload, job | {"kind": Kind.FEATURES})
            ctx.set(dut.i_job.valid, 1)
            await ctx.tick().until(dut.i_job.ready)
            ctx.set(dut.i_job.valid, 0)
            cycles = 0
            while ctx.get(dut.busy):
                await ctx.tick()
                cycles += 1
            await ctx.tick()
            expected = features_expected(memory, config, job)
            assert written == expected
            pace = max(1, words // banks)
            if not idle:
                # The chunks' words at a feature word of each bank a cycle, after the first request's way.
                assert cycles == job["beats"] * job["chunks"] * pace + 3

    simulate(dut, bench, background=[feed.run, watch], limit=20_000)


@pytest.mark.parametrize("idle", [0.0, 0.7])
@pytest.mark.parametrize("bus_bits", [64, 256])
def test_segment_loads(bus_bits, idle):
    """Counts that don't fill the last bus word leave the entries behind alone."""
    config = TINY.replace(bus_bits=bus_bits, lanes=64, masks=bus_bits // 256)
    rng = random.Random(2)
    fields = {f.name: f for f in built(config, SEGMENT)}
    segments = [{name: rng.getrandbits(f.bits) for name, f in fields.items()} for _ in range(40)]
    for segment in segments:
        segment["bit"] -= (segment["bit"] >> 15) * 65536 if fields["bit"].signed else 0
    image = b"".join(pack_fields(fields, s, SEGMENT_BYTES, "segment") for s in segments)
    dut = design(Loader, config)
    feed = Feed(dut, image + bytes(64), bus_bits // 8, idle=idle)
    got = []

    async def watch(ctx):
        while True:
            _, _, valid, write = await ctx.tick().sample(dut.o_segments.valid, dut.o_segments.payload)
            if valid:
                got.append((write.index, {name: getattr(write.segment, name) for name in fields}))

    async def bench(ctx):
        for first, count in ((0, 40), (8, 1), (16, 7)):
            got.clear()
            beats = -(-count * 64 // bus_bits)
            job = dict(kind=Kind.SEGMENTS, source=first * 8, beats=beats, chunks=1, target=first + 4, items=count)
            ctx.set(dut.i_job.payload, job)
            ctx.set(dut.i_job.valid, 1)
            await ctx.tick().until(dut.i_job.ready)
            ctx.set(dut.i_job.valid, 0)
            while ctx.get(dut.busy):
                await ctx.tick()
            await ctx.tick()
            assert got == [(first + 4 + i, segments[first + i]) for i in range(count)]

    simulate(dut, bench, background=[feed.run, watch], limit=20_000)


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.7, 0), (0, 0.7)])
@pytest.mark.parametrize("neuron_lanes, bus_bits", [(1, 64), (1, 512), (4, 64), (4, 512), (8, 128)])
def test_param_loads(neuron_lanes, bus_bits, idle, stall):
    config = TINY.replace(neuron_lanes=neuron_lanes, bus_bits=bus_bits, lanes=64)
    rng = np.random.default_rng(3)
    bits = config.membrane_bits
    names = ("bias", "threshold", "v0", "leak")
    half = 1 << (bits - 1)
    values = np.stack(
        [
            rng.integers(-half, half, 64),
            rng.integers(1, half, 64),
            rng.integers(-half, half, 64),
            rng.integers(0, 257, 64),
        ],
        axis=1,
    )
    image = values.astype("<i4").tobytes()
    dut = design(Loader, config)
    feed = Feed(dut, image + bytes(64), bus_bits // 8, idle=idle)

    async def bench(ctx):
        for groups in (1, config.groups, 3):
            beats = max(1, -(-groups * neuron_lanes * 128 // bus_bits))
            ctx.set(dut.i_job.payload, dict(kind=Kind.PARAMS, source=0, beats=beats, chunks=1, items=groups))
            ctx.set(dut.i_job.valid, 1)
            await ctx.tick().until(dut.i_job.ready)
            ctx.set(dut.i_job.valid, 0)
            group = 0
            while ctx.get(dut.busy):
                ready = rng.random() >= stall
                ctx.set(dut.o_params.ready, ready)
                _, _, valid, bits_seen = await ctx.tick().sample(dut.o_params.valid, dut.o_params.payload.as_value())
                if not (valid and ready):
                    continue
                item = unpack(dut.o_params.payload.shape(), bits_seen)
                assert item["group"] == group
                part = values[group * neuron_lanes : (group + 1) * neuron_lanes]
                assert [item[name] for name in names] == part.T.tolist()
                group += 1
            assert group == groups

    simulate(dut, bench, background=[feed.run], limit=20_000)
