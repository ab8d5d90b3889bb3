"""Pruner: residuals, the better of two banks' candidates, tiles one group long."""

import random

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.detector.pruner import Pruner
from tests.hw.detector.bench import check_best, sorted_groups
from tests.hw.frontend_oracle import CORNERS, corner_tile, naive_tile, random_info, random_tile
from tests.support.streams import pack, run_streams, unpack

DELAY = 3  # the detector's latency


def stimulus(config, tiles, rng):
    """By cycle: inserted rows, and (DELAY later) found rows; and the expected rows by group."""
    inserts, found, wanted = [], [], []
    half = config.tile_m // 2
    for tile in tiles:
        groups, slots = sorted_groups(config, tile, random_info(config, rng))
        truth = {index: (prefix, residual) for index, _, prefix, residual in naive_tile(tile, config.one_bit_matches)}
        slot_of = {index: slot for index, _, slot in slots}
        for turn, group in enumerate(groups):
            lanes, rows, want = [], [], []
            for lane, item in enumerate(group["rows"]):
                number = turn * config.queries + lane
                lanes.append({"valid": 1, "group_index": turn} | {name: item[name] for name in ("entry", "row", "cls")})
                best = []
                for bank in range(config.queries):
                    subsets = [
                        (other.bit_count(), -index, slot - bank * half)
                        for index, other, slot in slots[:number]
                        if other & ~item["row"] == 0
                        and (item["cls"] or config.one_bit_matches)
                        and (config.queries == 1 or slot // half == bank)
                    ]
                    place = max(subsets)[2] if subsets else rng.randrange(half)
                    best.append({"found": bool(subsets), "entry": place})
                slot = slots[number][2]
                rows.append({"valid": 1, "row": item["row"], "index": item["index"], "result": slot, "best": best})
                prefix, residual = truth[item["index"]]
                want.append((item["index"], slot, None if prefix is None else slot_of[prefix], residual))
            inserts.append((lanes, group["last"]))
            found.append({"valid": 1, "last": group["last"], "rows": rows})
            wanted.append((want, group["last"]))
    return inserts, found, wanted


@pytest.mark.parametrize(("queries", "one_bit"), [(1, 0), (2, 0), (2, 1)])
def test_residuals_and_prefixes(queries, one_bit):
    config, rng = HardwareConfig.load("tiny").replace(queries=queries, one_bit_matches=one_bit), random.Random(queries)
    tiles = [corner_tile(config, name, rng) for name in CORNERS for _ in range(2)]
    tiles += [random_tile(config, rng) for _ in range(30)]
    # Tiles of two groups and of one, one after the other: their patterns must not replace each other.
    tiles += [[row, row | 1, row | 129][: 1 + n % 2 * queries] for n, row in enumerate((6, 2, 12, 10, 6, 2) * 3)]
    inserts, found, wanted = stimulus(config, tiles, rng)
    dut, got = Pruner(config), []

    def each(ctx, cycle):
        insert, last = inserts[cycle] if cycle < len(inserts) else ([], 0)
        ctx.set(dut.insert.as_value(), pack(dut.insert.shape(), insert))
        ctx.set(dut.inserted_last, last)
        n = cycle - DELAY
        ctx.set(dut.i.as_value(), pack(dut.i.shape(), found[n] if 0 <= n < len(found) else 0))
        if ctx.get(dut.o.valid):
            got.append((cycle, unpack(dut.o.shape(), ctx.get(dut.o.as_value()))))

    run_streams(dut, [], [], quiet=len(found) + 20, each=each)
    assert [cycle for cycle, _ in got] == [n + DELAY + Pruner.LATENCY for n in range(len(found))]
    for (_, group), (want, last) in zip(got, wanted, strict=True):
        assert group["last"] == last
        assert [row["valid"] for row in group["rows"]] == [1] * len(want) + [0] * (queries - len(want))
        for row, (index, slot, prefix, residual) in zip(group["rows"], want, strict=False):
            assert (row["index"], row["result"], row["residual"]) == (index, slot, residual)
            assert row["exact"] == (residual == 0)
            assert row["has_prefix"] == (prefix is not None)
            assert prefix is None or row["prefix"] == prefix


def test_bench_agrees_with_the_detectors():
    """The candidates given here are those that the detector's test expects of it."""
    config, rng = HardwareConfig.load("tiny").replace(queries=2), random.Random(1)
    rows = random_tile(config, rng)
    _, found, _ = stimulus(config, [rows], random.Random(2))
    _, slots = sorted_groups(config, rows, {})
    items = [row for group in found for row in group["rows"]]
    for n, item in enumerate(items):
        check_best(item, slots[:n], item["row"], config, config.tile_m // 2)
