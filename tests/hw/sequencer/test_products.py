"""Rules about products: the sequential checker in RTL against the software's evaluation of the same data."""

from __future__ import annotations

import random

import pytest

from reprise.compiler import compile_network
from reprise.cosim.jobs.random_networks import random_network
from reprise.hw.arch.products import WEIGHT_WORDS, product_rules, product_violations, total
from reprise.hw.arch.program import ADDRESS_BITS, COMMANDS, OVERLAPPING_POOL, OVERLAPS, built
from reprise.hw.arch.rules import violations
from reprise.hw.sequencer.products import ProductChecker
from tests.hw.sequencer.bench import TINY, field_limits, random_fields
from tests.support.simulation import simulate

BUS = TINY.bus_bits // 8
SIZES = ("m_tiles", "rows", "rows_last", "images", "out_lines", "out_width", "pool", "timesteps", "planes", "channels")
POOLS = TINY.replace(pool_words=64)
OTHERS = ("line_bytes", "image_stride", "out_planes", "int_bytes", *(f"loop{n}_count" for n in range(6)))


def legal_runs(count, c=TINY):
    """RUN commands of compiled networks."""
    found, seed = [], 0
    while len(found) < count:
        network = random_network(seed, c)
        runs = [f for op, f in compile_network(network, c, 1 + seed % 3).commands() if op == "RUN"]
        found += [{f.name: run[f.name] for f in built(c, COMMANDS["RUN"])} for run in runs]
        seed += 1
    return found[:count]


def changed(rng, fields):
    """One or two fields by one, to an end of their range, or to anything; most often one that counts."""
    limits = {f.name: field_limits(f) for f in COMMANDS["RUN"]}
    found = dict(fields)
    ends = [name for name in OVERLAPS if name in fields]
    for name in rng.choices((*SIZES, *OTHERS, *ends), k=rng.choice([1, 1, 2])):
        low, high = limits[name]
        value = rng.choice([found[name] + 1, found[name] - 1, 2 * found[name], high, rng.randint(low, high)])
        found[name] = min(max(value, low), high)
    return found


def cases(rng, c):
    runs = legal_runs(12, c)
    if c.pool_words:
        runs = runs[:6] + [run for run in legal_runs(60, c) if run["pool"] == OVERLAPPING_POOL][:8]
        wide = runs[-1] | {"out_width": 80, "groups": 1, "timesteps": 1}
        yield wide | {"loop0_count": 160, "rows": 8}  # its line is longer than the memory
        plain = wide | {f"loop{n}_count": 1 for n in range(1, 6)} | {"images": 1, "out_lines": 1, "planes": 1}
        plain |= {"pool": 1, "groups": 2, "channels": 8, "readout": 0, "int_bytes": 1, "int_groups": 2}
        yield plain | {"loop0_count": 80, "rows": 16, "rows_last": 16, "m_tiles": 5}  # as long, but of no such pool
    yield from runs
    yield from ({**run, "weights_ready": 1} for run in runs)
    alone = next(run for run in runs if run["images"] == 1)
    yield alone | {"image_stride": 0}  # a single image needs no distance to the next
    sizes = {"images": 1, "out_lines": 1 << 15, "out_width": 1, "pool": 1, "timesteps": 4, "planes": 1}
    tiles = {"rows": 16, "rows_last": 16, "m_tiles": 1 << 13, "loop0_count": 4, "loop1_count": 1 << 15}
    lines = {"line_bytes": 1 << 15, "out_planes": 4, "int_bytes": 0, "readout": 0, "levels": 1}
    yield alone | {f"loop{n}_count": 1 for n in range(6)} | sizes | tiles | lines  # 2**34 bytes: the sum is 0
    for _ in range(250):
        yield changed(rng, rng.choice(runs))
    for _ in range(30):
        yield random_fields(rng, c, "RUN")
    base = runs[0] | {"pool": 1, "planes": 1, "timesteps": 1, "out_planes": 1, "rows": 8, "rows_last": 8}
    base |= {"readout": 0, "int_bytes": 0}
    most = {"images": 65535, "out_lines": 65535, "out_width": 65535}
    ones = {f"loop{n}_count": 1 for n in range(6)}
    yield base | most | {"m_tiles": 65535}  # more than the numbers hold
    yield base | ones | {"images": 1, "out_lines": 1, "out_width": 8 * 65535, "m_tiles": 65535} | {"out_width": 65528}
    yield base | ones | {"loop0_count": 65528, "images": 1, "out_lines": 1, "out_width": 65528, "m_tiles": 8191}
    yield base | {"images": 2, "image_stride": (1 << 32) - 8, "line_bytes": 16, "out_lines": 1}
    yield base | {"images": 1, "image_stride": 0, "line_bytes": 65528, "out_lines": 65535, "out_planes": 8}


def read_window(rng, fields):
    """A window around the weights of a RUN: (first bus word, last, open); at times a word too short at either end."""
    first, words = fields["weights"] // BUS, total((WEIGHT_WORDS,), fields)
    most = (1 << ADDRESS_BITS) // BUS - 1
    low = rng.choice([0, first, first, first + 1, rng.randrange(most)])
    high = rng.choice([most, first + words - 1, first + words - 1, first + words - 2, rng.randrange(most)])
    return min(low, most), max(0, min(high, most)), rng.random() < 0.95


@pytest.mark.parametrize("c", [TINY, POOLS], ids=["tiny", "pools"])
def test_rtl_and_software_agree(c):
    """Every rule is seen broken and kept, weights inside and outside; the time is the same for every command."""
    seed = 5
    print("seed", seed)
    rng = random.Random(seed)
    dut = ProductChecker(c)
    seen = [set() for _ in product_rules(c, "RUN")]
    seen_outside = set()

    async def bench(ctx):
        for fields in cases(rng, c):
            for n, rule in enumerate(product_rules(c, "RUN")):
                seen[n].add(rule.holds(fields) if fields["timesteps"] * fields["planes"] else None)
            if violations(c, "RUN", fields):
                continue  # the comparators refuse it
            if rng.random() < 0.6:  # one that is given up before it is worked out
                ctx.set(dut.run, random_fields(rng, c, "RUN"))
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                await ctx.tick().repeat(rng.randrange(1, ProductChecker.cycles(c)))
            first, last, is_open = read_window(rng, fields)
            ctx.set(dut.window, {"first": first, "last": last, "open": is_open})
            ctx.set(dut.run, fields)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for _ in range(ProductChecker.cycles(c) - 1):
                assert not ctx.get(dut.done)
                await ctx.tick()
            assert ctx.get(dut.done)
            broken = product_violations(c, "RUN", fields)
            assert ctx.get(dut.bad) == bool(broken), (broken, fields)
            begin = fields["weights"] // BUS
            fits = is_open and first <= begin and begin + total((WEIGHT_WORDS,), fields) - 1 <= last
            assert ctx.get(dut.outside) == (not fits and not fields["weights_ready"]), (first, last, fields)
            seen_outside.add((fits, fields["weights_ready"]))
            await ctx.tick().repeat(1 + rng.randrange(3))
            assert ctx.get(dut.done)

    simulate(dut, bench)
    assert all({True, False} <= values for values in seen), seen
    assert seen_outside >= {(True, 0), (False, 0), (False, 1)}


def test_sentences():
    fields = legal_runs(1)[0]
    rows = product_violations(TINY, "RUN", fields | {"images": 7})[0]
    assert rows.startswith("RUN.images * out_lines * out_width * pool * pool * timesteps * planes must be ")
    (text,) = product_violations(
        TINY, "LOAD_FEATURES", {"target": 8, "chunks": 3, "target_stride": TINY.feature_words // 2, "bytes": 32}
    )
    assert "target * 4 + (chunks - 1) * target_stride * 4 + bytes must be at most" in text


def test_a_line_of_overlapping_windows_must_fit():
    """And the positions of a run are two for each output, with those at its ends that its fields name."""
    run = next(f for f in legal_runs(60, POOLS) if f["pool"] == OVERLAPPING_POOL)
    assert not product_violations(POOLS, "RUN", run)
    long = run | {"out_width": 65, "timesteps": 1, "groups": 1}
    (text,) = [one for one in product_violations(POOLS, "RUN", long) if "groups" in one]
    assert text == "RUN.out_width * timesteps * groups must be at most 64 = 64, not 65"
    for name in ("pool_halo_x", "pool_odd_x", "pool_odd_y"):
        assert product_violations(POOLS, "RUN", run | {name: 1 - run[name]})


def test_strides_of_an_integer_map_are_free():
    """Its strings may lie anywhere; that they stay in the write window is found out when they are written."""
    run = next(f for f in legal_runs(40) if f["int_bytes"])
    for name in ("line_bytes", "image_stride", "int_t", "int_y", "int_block"):
        assert not product_violations(TINY, "RUN", run | {name: 0} | {"images": 1})
    assert product_violations(TINY, "RUN", run | {"line_bytes": 0, "int_bytes": 0, "out_planes": 1})


def test_lines_that_overlap_are_refused():
    """A line, and an image, may fill its distance to the next, but no bit more."""
    run = next(f for f in legal_runs(40) if not f["int_bytes"])
    bits = run["out_width"] * run["channels"]
    lines = run["out_lines"] * run["timesteps"] * run["out_planes"]
    exact = -(-bits // 64) * 8
    fits = run | {"line_bytes": exact, "image_stride": lines * exact}
    assert not product_violations(TINY, "RUN", fits)
    assert product_violations(TINY, "RUN", fits | {"line_bytes": exact - 8})
    several = product_violations(TINY, "RUN", fits | {"images": 2, "image_stride": lines * exact - 8})
    assert any("must be at most image_stride" in text for text in several)
