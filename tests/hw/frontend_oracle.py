"""The front-end's outputs by definition (plain Python), and its benches."""

import random

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import BIT, DENSE, PRODUCT
from reprise.hw.frontend import FrontEnd
from reprise.hw.sorter.layouts import word_beats
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

CORNERS = (
    "empty tile",
    "all-zero words between",
    "all equal",
    "full rows",
    "single bits",
    "ragged",
    "one word",
    "nested",
)


def naive_tile(rows, one_bit_matches=0):
    """[(row index, pattern, prefix index or None, residual)] in issue order: the definition, O(n**2)."""
    fewest = 1 if one_bit_matches else 2
    order = sorted((i for i, row in enumerate(rows) if row), key=lambda i: rows[i].bit_count())
    found = []
    for i in order:
        candidates = [
            j
            for j, other in enumerate(rows)
            if j != i
            and other
            and other & ~rows[i] == 0
            and (other != rows[i] or j < i)
            and rows[i].bit_count() >= fewest
        ]
        prefix = max(candidates, key=lambda j: (rows[j].bit_count(), -j), default=None)
        found.append((i, rows[i], prefix, rows[i] ^ (0 if prefix is None else rows[prefix])))
    return found


def taken_rows(config, rows, info):
    """Those of a tile as its RUN takes them: naive_tile's, and behind each the bits that take a slot."""
    mode = info.get("mode", PRODUCT)
    if mode == DENSE:
        return [(i, row, None, row, (1 << info["depth"]) - 1) for i, row in enumerate(rows[: info["rows"]])]
    found = naive_tile(rows, config.one_bit_matches)
    if mode == BIT:
        found = [(i, row, None, row) for i, row, *_ in found]
    return [(*row, row[3]) for row in found]


def corner_tile(config: HardwareConfig, name: str, rng: random.Random) -> list[int]:
    """A tile for each of CORNERS."""
    m, k, beat = config.tile_m, config.tile_k, config.load_rows
    full = (1 << k) - 1
    if name == "empty tile":
        return [0] * m
    if name == "all-zero words between":
        return [rng.randrange(1, full + 1) if i // beat % 2 else 0 for i in range(m)]
    if name == "all equal":
        return [0b110] * m
    if name == "full rows":
        return [full] * m
    if name == "single bits":
        return [1 << rng.randrange(k) for _ in range(m)]
    if name == "ragged":
        return [rng.randrange(full + 1) for _ in range(beat * max(1, config.tile_beats // 2) - 1)]
    if name == "one word":
        return [rng.randrange(full + 1) for _ in range(beat)]
    if name == "nested":
        return [(1 << rng.randrange(k + 1)) - 1 for _ in range(m)]
    raise KeyError(name)


def random_tile(config: HardwareConfig, rng: random.Random) -> list[int]:
    """Any number of beats, any density, patterns often repeated."""
    count = config.load_rows * rng.randint(1, config.tile_beats)
    density = rng.choice([0.02, 0.15, 0.3, 0.6, 0.95])
    zeros = rng.choice([0.0, 0.3, 0.9])

    def row():
        return 0 if rng.random() < zeros else sum((rng.random() < density) << b for b in range(config.tile_k))

    pool = [row() for _ in range(rng.choice([2, 8, count]))]
    return [rng.choice(pool) for _ in range(count)]


def random_info(config: HardwareConfig, rng: random.Random) -> dict:
    return {
        "weight_slot": rng.randrange(config.weight_tiles),
        "weight_release": rng.randrange(2),
        "last_k": rng.randrange(2),
        "rows": rng.randint(1, config.tile_m),
        "idle_groups": rng.randrange(config.groups),
        **({"mode": rng.randrange(3), "depth": rng.randint(1, config.tile_k)} if config.modes else {}),
    }


def beats(config: HardwareConfig, rows: list[int], info: dict) -> list[dict]:
    """The tile's input items."""
    rows = rows + [0] * (-len(rows) % config.load_rows)
    starts = range(0, len(rows), config.load_rows)
    return [
        {"rows": rows[s : s + config.load_rows], "last": int(s + config.load_rows == len(rows)), "tile": info}
        for s in starts
    ]


def visits(config: HardwareConfig, rows: list[int]) -> list[tuple[int, int, list[int]]]:
    """[(popcount - 1, word of the row memory, its rows of that class)] in issue order; one without rows if empty."""
    size = word_beats(config) * config.load_rows
    found = {}
    for index, row in enumerate(rows):
        if row:
            found.setdefault((row.bit_count() - 1, index // size), []).append(index)
    return [(*key, found[key]) for key in sorted(found)] or [(0, 0, [])]


def row_cycles(config: HardwareConfig, rows: list[int]) -> int:
    """What a tile's rows may cost: one cycle per visit, and those in which the row picker has no room for a word.

    The picker holds ``queries`` words; here tiles are in it before and behind. Never more than the sum over the visits
    of ceil(rows / queries).
    """
    counts = [len(indices) for *_, indices in visits(config, rows)]
    window, queue = counts[: config.queries], counts[config.queries :]
    behind, blocked = config.queries - len(window), 0  # words of the next tile
    while window:
        left = config.queries if not queue or sum(window) >= config.queries else 0
        for n, count in enumerate(window):
            window[n], left = max(0, count - left), max(0, left - count)
        window = [count for count in window if count]
        if len(window) + behind == config.queries:
            blocked += 1
        elif queue:
            window.append(queue.pop(0))
        else:
            behind += 1
    return len(counts) + blocked


def schedule(queries, tiles):
    """(cycles, stalls): when each group leaves a window of ``queries`` words that takes a word per cycle.

    ``tiles``: rows in each word of each tile (one word of 0 for an empty one). Cycle 0 is the first that sees a word.
    """
    queue = [[n, count] for n, counts in enumerate(tiles) for count in counts]
    window, cycles, cycle = [queue.pop(0)], [], 0
    while window:
        tile = window[0][0]
        seen = [word for word in window if word[0] == tile]
        ends = bool(window[len(seen) :] or not queue or queue[0][0] != tile)
        if ends or sum(count for _, count in seen) >= queries:
            left = queries
            for word in seen:
                taken = min(left, word[1])
                word[1], left = word[1] - taken, left - taken
            window = [word for word in window if word[1] or word not in seen]
            cycles.append(cycle)
        if len(window) < queries and queue:
            window.append(queue.pop(0))
        cycle += 1
    return cycles


def run_cycles(config: HardwareConfig, tiles: list[list[int]]) -> int:
    """What tiles in a row may cost: a tile's beats are loaded while the rows of the one before are visited."""
    beats = [-(-len(rows) // config.load_rows) for rows in tiles]
    costs = [row_cycles(config, rows) for rows in tiles]
    return beats[0] + sum(map(max, costs, beats[1:])) + costs[-1]


def bench(config, tiles, *, seed=0, idle=0.0, stalls=None, gates=None, infos=None, limit=None, source_gap=0, waits=()):
    """Run ``tiles`` (lists of rows) through a FrontEnd and check every output against the definition.

    ``stalls`` gives the probability of a stalled cycle by port name (begin, end, compute, reuse0, reuse1).
    ``source_gap`` leaves that many cycles after each beat; the tiles whose numbers are in ``waits`` are given only when
    all tiles before have ended. Returns (cycles, source, sinks by name).
    """
    rng = random.Random(seed)
    dut = design(FrontEnd, config)
    infos = infos or [random_info(config, rng) for _ in tiles]
    source = Source(
        dut.i_rows, [b for rows, info in zip(tiles, infos, strict=True) for b in beats(config, rows, info)], idle=idle
    )
    if source_gap:
        source.gate = lambda cycle: not source.cycles or cycle > source.cycles[-1] + source_gap
    expected = [taken_rows(config, rows, info) for rows, info in zip(tiles, infos, strict=True)]
    exact = [row for tile in expected for row in tile if row[4] == 0]
    ports = {"begin": (dut.o_begin, len(tiles)), "end": (dut.o_end, len(tiles))}
    ports["compute"] = (dut.o_compute, sum(map(len, expected)) - len(exact))
    for bank in range(config.banks):
        ports[f"reuse{bank}"] = (dut.o_reuse[bank], sum(row[0].bit_count() % config.banks == bank for row in exact))
    sinks = {
        name: Sink(port, expect=count, stall=(stalls or {}).get(name, 0.0), gate=(gates or {}).get(name))
        for name, (port, count) in ports.items()
    }
    total = run_cycles(config, tiles)
    if waits:
        first = {sum(-(-len(rows) // config.load_rows) for rows in tiles[:n]): n for n in waits}
        source.gate = lambda cycle: len(sinks["end"].items) >= first.get(len(source.cycles), 0)
    cycles = run_streams(dut, [source], sinks.values(), seed=seed, limit=limit or 50 * total + 100 * len(tiles) + 2000)
    check(config, expected, infos, sinks)
    return cycles, source, sinks


def check(config, expected, infos, sinks):
    """Every item of every port, by value and order; slots are unique and prefixes point to them."""
    computes = iter(zip(sinks["compute"].items, sinks["compute"].cycles, strict=True))
    reuses = [iter(sinks[f"reuse{bank}"].items) for bank in range(config.banks)]
    ends = iter(sinks["end"].items)
    for number, (rows, info) in enumerate(zip(expected, infos, strict=True)):
        tag = number % 8
        assert sinks["begin"].items[number] == {"tag": tag, "tile": info}
        slots, counts, done = {}, [0] * config.banks, 0
        for index, _, prefix, residual, taken in rows:
            if taken == 0:
                bank = index.bit_count() % config.banks
                want = {"tag": tag, "prefix": slots[prefix], "row": index, "after": done}
                assert next(reuses[bank]) == want, f"tile {number}, row {index}"
                counts[bank] += 1
                continue
            item, cycle = next(computes)
            # Announced: offered, or in the queue behind the begin before it.
            queued = sinks["begin"].cycles[number - 1] + 1 if number else 0
            announced = sinks["begin"].offered[number]
            assert announced < cycle or announced == queued, "a row came before its tile was announced"
            assert item["result"] not in slots.values(), f"tile {number}: slot used twice"
            slots[index] = item["result"]
            want = {"tag": tag, "residual": residual, "has_prefix": int(prefix is not None), "result": item["result"]}
            want |= {"row": index, "prefix": item["prefix"] if prefix is None else slots[prefix]}
            want |= {"slots": taken} if config.modes else {}
            assert item == want, f"tile {number}, row {index}"
            done += 1
        assert next(ends) == {"tag": tag, "computes": done, "reuses": counts}, f"tile {number}"
