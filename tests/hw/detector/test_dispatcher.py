"""Dispatcher: steering, counts, tags, announcements, room."""

import random

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.detector.dispatcher import Dispatcher
from tests.hw.frontend_oracle import random_info
from tests.support.simulation import design
from tests.support.streams import Sink, pack, run_streams

FLIGHT = 5


def make_tiles(config, rng, count):
    """Tiles of groups of pruned rows with any content."""
    tiles = []
    for _ in range(count):
        total = rng.choice([0, 1, 2, 5, config.tile_m])
        density = rng.choice([0.0, 0.4, 0.9, 1.0])
        rows = []
        for index in rng.sample(range(config.tile_m), total):
            exact = rng.random() < density
            rows.append(
                {
                    "valid": 1,
                    "index": index,
                    "result": rng.randrange(config.tile_m),
                    "has_prefix": 1 if exact else rng.randrange(2),
                    "prefix": rng.randrange(config.tile_m),
                    "residual": 0 if exact else rng.randrange(1, 1 << config.tile_k),
                    "exact": int(exact),
                }
            )
        starts = range(0, max(total, 1), config.queries)
        groups = [{"valid": 1, "last": 0, "rows": rows[n : n + config.queries]} for n in starts]
        groups[-1]["last"] = 1
        tiles.append((groups, random_info(config, rng)))
    return tiles


def expected(config, tiles):
    begins, ends, computes, reuses = [], [], [], [[] for _ in range(config.banks)]
    for number, (groups, info) in enumerate(tiles):
        tag, done, counts = number % 8, 0, [0] * config.banks
        begins.append({"tag": tag, "tile": info})
        for row in (row for group in groups for row in group["rows"]):
            if row["exact"]:
                bank = row["index"].bit_count() % config.banks
                reuses[bank].append({"tag": tag, "prefix": row["prefix"], "row": row["index"], "after": done})
                counts[bank] += 1
            else:
                names = ("residual", "has_prefix", "prefix", "result")
                computes.append({"tag": tag, "row": row["index"]} | {name: row[name] for name in names})
                done += 1
        ends.append({"tag": tag, "computes": done, "reuses": counts})
    return [begins, ends, computes, *reuses]


@pytest.mark.parametrize(("queries", "banks"), [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("stall", [0.0, 0.7])
def test_steering_and_counts(queries, banks, stall):
    config, rng = HardwareConfig.load("tiny").replace(queries=queries, banks=banks), random.Random(queries + 2 * banks)
    tiles = make_tiles(config, rng, 60)
    dut = design(Dispatcher, config, flight=FLIGHT)
    wanted = expected(config, tiles)
    ports = [dut.o_begin, dut.o_end, dut.o_compute, *dut.o_reuse]
    sinks = [Sink(port, stall=stall, expect=len(items)) for port, items in zip(ports, wanted, strict=True)]
    waiting = [(group, n == 0, info) for groups, info in tiles for n, group in enumerate(groups)]
    pipe = [None] * FLIGHT  # what was taken and has not arrived
    pushed = []

    def each(ctx, cycle):
        arriving = pipe.pop(0)
        ctx.set(dut.i.as_value(), pack(dut.i.shape(), arriving or 0))
        take = waiting and ctx.get(dut.room) and (not waiting[0][1] or ctx.get(dut.tile_room))
        group, first, info = waiting.pop(0) if take else (None, 0, {})
        ctx.set(dut.begin, int(bool(first)))
        ctx.set(dut.tile.as_value(), pack(dut.tile.shape(), info))
        pipe.append(group)
        if arriving:
            pushed.append(cycle)

    run_streams(dut, [], sinks, seed=4, limit=20_000, each=each)
    for sink, items in zip(sinks, wanted, strict=True):
        assert sink.items == items
    if not stall:
        assert sinks[1].offered[0] == pushed[len(tiles[0][0]) - 1] + 1


def test_latency():
    config = HardwareConfig.load("tiny")
    dut = design(Dispatcher, config, flight=FLIGHT)
    row = {"valid": 1, "index": 3, "residual": 5}

    def each(ctx, cycle):
        ctx.set(dut.i.as_value(), pack(dut.i.shape(), {"valid": 1, "last": 1, "rows": [row]} if cycle == 4 else 0))

    sinks = [Sink(dut.o_compute, expect=1), Sink(dut.o_end, expect=1)]
    run_streams(dut, [], sinks, each=each)
    assert sinks[0].offered == [4 + Dispatcher.LATENCY]
    assert sinks[1].offered == [5]


def test_room_closes_in_time_and_begins_are_bounded():
    """Nothing is read: groups are taken as long as there is room; no queue overflows and two tiles begin."""
    config = HardwareConfig.load("tiny").replace(queries=2)
    dut = design(Dispatcher, config, flight=FLIGHT)
    pipe, taken, begun, sent = [0] * FLIGHT, [], [], []

    def each(ctx, cycle):
        rows = []
        if pipe.pop(0):
            rows = [{"valid": 1, "index": n, "residual": 1 + (len(sent) + n) % 255} for n in range(2)]
            sent.extend(row["residual"] for row in rows)
        ctx.set(dut.i.as_value(), pack(dut.i.shape(), {"valid": bool(rows), "rows": rows}))
        pipe.append(ctx.get(dut.room))
        taken.append(pipe[-1])
        ctx.set(dut.begin, ctx.get(dut.tile_room))
        begun.append(ctx.get(dut.tile_room))

    sink = Sink(dut.o_compute, gate=lambda cycle: cycle >= 200)
    run_streams(dut, [], [sink, Sink(dut.o_begin, stall=1.0)], quiet=900, each=each)
    assert sum(begun[:200]) == 2
    stopped = sum(taken[:200])
    assert taken[150:200] == [0] * 50 and 2 * stopped >= config.tile_m
    assert len(sink.items) > 4 * stopped
    assert [item["residual"] for item in sink.items] == sent[: len(sink.items)]
