"""A bench of the processor: a naive front end, a NumPy oracle and runs on random streams of tiles.

The front end is the model's product-sparsity analysis; partial sums are expected to equal plain dot products, so
neither prefixes nor the order of anything enter the expectation.
"""

from dataclasses import dataclass, field

import numpy as np

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.interface.events import processor_events
from reprise.hw.interface.row_order import bank_of, block_positions
from reprise.hw.processor.processor import Processor
from reprise.model.prosparsity.tiles import analyze_tile
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams, unpack

TINY = HardwareConfig(
    tile_m=16,
    tile_k=8,
    lanes=8,
    load_rows=4,
    neuron_lanes=4,
    weight_tiles=2,
    psum_bits=20,
    membrane_bits=24,
    bus_bits=64,
    feature_words=64,
    segments=16,
)
TINY2 = TINY.replace(banks=2, queries=2)
CONFIGS = {
    "one bank": TINY,
    "two banks": TINY2,
    "two weight banks": TINY.replace(weight_banks=2),
    "four weight banks": TINY2.replace(weight_banks=4),
}
FULL = (1 << TINY.tile_k) - 1


@dataclass
class Job:
    """m tiles in order: for each its number of rows and its K tiles, each uint64[rows] with its weights' index."""

    config: HardwareConfig
    tiles: list = field(default_factory=list)  # (rows: uint64[m], weight index, last_k)
    weights: list = field(default_factory=list)  # int64[tile_k, lanes]
    layer: dict | None = None  # layer_config, where positions are interleaved
    groups: list = field(default_factory=list)  # groups of channels of every m tile; all where it is empty
    runs: list = field(default_factory=list)  # m tiles of every RUN; where it is empty, all may be drained when full

    def groups_of(self, m_tile: int) -> int:
        """Groups of channels that the RUN of an m tile has."""
        return self.groups[m_tile] if self.groups else self.config.groups

    def m_tile(self, k_tiles, *, first_weight=None):
        """Append an m tile; its K tiles take new slots, or the weights from ``first_weight`` on."""
        for k, rows in enumerate(k_tiles):
            index = len(self.weights) if first_weight is None else first_weight + k
            self.tiles.append((np.asarray(rows, dtype=np.uint64), index, k == len(k_tiles) - 1))
            yield index

    def add(self, k_tiles, rng, *, extreme=False, first_weight=None):
        c = self.config
        low, high = -(1 << (c.weight_bits - 1)), 1 << (c.weight_bits - 1)
        for index in self.m_tile(k_tiles, first_weight=first_weight):
            if index == len(self.weights):
                shape = (c.tile_k, c.lanes)
                self.weights.append(np.full(shape, low) if extreme else rng.integers(low, high, shape))
        return self

    def expected(self):
        """Rows of partial sums, in the order in which they leave, with their flags; only of channels that are there."""
        k = np.arange(self.config.tile_k, dtype=np.uint64)
        rows, total, touched, m_tile = [], 0, False, 0
        planes = self.layer["planes"] if self.layer else 1
        for words, index, last_k in self.tiles:
            bits = (words[:, None] >> k & np.uint64(1)).astype(np.int64)
            total, touched = total + bits @ self.weights[index], touched | (words != 0)
            if last_k:
                end, first = len(words) - 1, True
                for n, last_position in self.order(len(words)):
                    plane, last_plane = n % planes, n % planes == planes - 1
                    if touched[n] or last_plane:  # clean rows are left out, but that of the last plane
                        psum = total[n][: self.groups_of(m_tile) * self.config.neuron_lanes].tolist()
                        row = {"psum": psum, "last_position": last_position, "last": n == end}
                        rows.append(row | {"plane": plane, "first": first, "last_plane": last_plane})
                        first = last_plane
                total, touched, m_tile = 0, False, m_tile + 1
        return rows

    def order(self, rows: int):
        """Row indices with ``last_position``: by blocks of positions, timesteps, positions, planes."""
        if self.layer is None:
            return [(n, True) for n in range(rows)]
        block, planes, timesteps = (
            block_positions(self.config, self.layer),
            *map(self.layer.get, ("planes", "timesteps")),
        )
        places = [(n // planes // timesteps, n // planes % timesteps, n % planes, n) for n in range(rows)]
        places.sort(key=lambda x: (x[0] // block, x[1], x[0], x[2]))
        last = rows // planes // timesteps - 1
        return [(n, position % block == block - 1 or position == last) for position, _, _, n in places]

    def analyzed(self):
        return [analyze_tile(words, one_bit_matches=self.config.one_bit_matches) for words, _, _ in self.tiles]

    def bound(self):
        """Cycles the accumulators and the fullest bank need at least."""
        bits, rows = 0, np.zeros(self.config.banks, dtype=int)
        for (words, _, _), tile in zip(self.tiles, self.analyzed(), strict=True):
            bits += sum(add_steps(int(word), self.config) for word in tile.residual)
            for i in np.flatnonzero(words):
                rows[bank_of(self.config, int(i))] += 1
        return max(bits, rows.max())


def add_steps(residual: int, c: HardwareConfig) -> int:
    """Cycles in which a residual is added: each bank of weights gives one of its weight rows per cycle."""
    banks = [0] * c.weight_banks
    for k in range(c.tile_k):
        banks[k % c.weight_banks] += residual >> k & 1
    return max(banks)


def front_end(job: Job):
    """Streams of begins, ends, compute rows, reuse rows per bank and weights; rows come with their tile's number."""
    c = job.config
    begins, ends, computes, weights = [], [], [], []
    reuses = [[] for _ in range(c.banks)]
    uses = [index for _, index, _ in job.tiles]
    resident = {}
    slot = m_tile = 0
    for number, ((words, index, last_k), tile) in enumerate(zip(job.tiles, job.analyzed(), strict=True)):
        if index not in resident:
            resident[index] = slot % c.weight_tiles
            for k in range(c.tile_k):
                row = {"weight_slot": resident[index], "row": k, "last": k == c.tile_k - 1}
                weights.append(row | {"data": job.weights[index][k].tolist()})
            slot += 1
        release = index not in uses[number + 1 :]
        info = {"weight_slot": resident[index], "weight_release": release, "last_k": last_k, "rows": len(words)}
        info["idle_groups"] = c.groups - job.groups_of(m_tile)
        m_tile += last_k
        if release:
            del resident[index]
        tag = number % 8
        begins.append({"tag": tag, "tile": info})
        end = {"tag": tag, "computes": 0, "reuses": [0] * c.banks}
        for item, bank in rows_of(tile, c):
            if bank is None:
                end["computes"] += 1
                computes.append((number, {"tag": tag, **item}))
            else:
                end["reuses"][bank] += 1
                reuses[bank].append((number, {"tag": tag, **item}))
        ends.append(end)
    return begins, ends, computes, reuses, weights


def rows_of(tile, c):
    """The rows of a tile in issue order: (compute row, None) or (reuse row, bank)."""
    # Positions: later popcount classes lie higher, lower indices higher inside a class, as in the detector.
    popcount = [int(r).bit_count() for r in tile.rows]
    ranked = sorted(tile.order.tolist(), key=lambda i: (popcount[i], -i))
    position = {i: p for p, i in enumerate(ranked)}
    issued = 0
    for i in tile.order.tolist():
        prefix = int(tile.prefix[i])
        if tile.exact[i]:
            yield {"prefix": position[prefix], "row": i, "after": issued}, bank_of(c, i)
        else:
            item = {"residual": int(tile.residual[i]), "has_prefix": prefix >= 0, "result": position[i], "row": i}
            issued += 1
            yield item | {"prefix": position.get(prefix, 0)}, None


@dataclass
class Run:
    """What a run took: cycles to the last partial sum, and the sums of the event counters."""

    cycles: int
    counts: dict
    first: int  # cycle in which the first row or bit was issued
    last: int  # ... and the last
    output: list  # cycles of the rows of partial sums
    entered: list  # cycles in which tiles entered


def sums_of(items: list[dict]) -> list[dict]:
    """Rows of partial sums as they count: zeros where nothing was added."""
    rows = []
    for item in items:
        item = dict(item)
        rows.append(item if item.pop("dirty") else item | {"psum": [0] * len(item["psum"])})
    return rows


def run(job: Job, *, idle=0.0, stall=0.0, weight_idle=0.0, seed=0, sink_gate=None, weight_gate=None, late=0) -> Run:
    """Process the job, compare every partial sum, and check the counters against the analysis.

    late : the compute rows of odd tiles come that many cycles after the compute row before them.
    """
    c = job.config
    dut = design(Processor, c)
    begins, ends, computes, reuses, weights = front_end(job)
    begin = Source(dut.i_begin, begins, idle=idle)
    sources = [begin, Source(dut.i_end, ends, idle=idle)]
    for port, rows in [(dut.i_compute, computes), *zip(dut.i_reuse, reuses, strict=True)]:
        source = Source(port, [item for _, item in rows], idle=idle)

        # At most two begins wait unread: that is how far ahead the front end may be.
        def gate(cycle, s=source, r=rows, late=late if rows is computes else 0):
            tile = r[len(s.cycles)][0]
            return tile <= len(begin.cycles) + 1 and (tile % 2 == 0 or not s.cycles or cycle > s.cycles[-1] + late)

        source.gate = gate
        sources.append(source)
    sources.append(Source(dut.i_weights, weights, idle=weight_idle, gate=weight_gate))
    expected = job.expected()
    sink = Sink(dut.o_psum, stall=stall, expect=len(expected), gate=sink_gate)
    counts = dict.fromkeys(processor_events(c).members, 0)
    issued, begun = [], [0, 0]  # RUNs that have started, and their m tiles

    def count(ctx, cycle):
        if job.runs:
            _next_run(ctx, dut, job, sink, begun)
        events = unpack(processor_events(c), ctx.get(dut.counters.as_value()))
        for name, value in events.items():
            counts[name] += value
        if events["residual_bit"] or events["reuse_rows"]:
            issued.append(cycle)
        stalls = [n for n in events if n.startswith("stall_") and events[n]]
        assert len(stalls) + events["residual_bit"] <= 1, f"cycle {cycle}: {events}"
        if events["busy"] and issued and not events["residual_bit"] and cycle <= issued[-1]:
            assert stalls, f"cycle {cycle}: no reason for an idle cycle"

    def setup(ctx):
        if not job.runs:
            start(ctx, dut, job.layer or {"groups": c.groups})

    cycles = run_streams(dut, sources, [sink], seed=seed, each=count, setup=setup, limit=10_000)
    for n, (got, want) in enumerate(zip(sums_of(sink.items), expected, strict=True)):
        first = got.pop("upper", 0) * c.lanes // 2
        psum = got["psum"][first : first + len(want["psum"])]
        assert got | {"psum": psum} == want, f"row {n} of the stream of partial sums"
    residuals = [int(word) for tile in job.analyzed() for word in tile.residual]
    assert counts["residual_bit"] == sum(add_steps(word, c) for word in residuals)
    assert counts["compute_row"] == len(computes)
    assert counts["reuse_rows"] == sum(map(len, reuses))
    span = (issued[0], issued[-1]) if issued else (0, 0)
    return Run(cycles=cycles, counts=counts, first=span[0], last=span[1], output=sink.cycles, entered=begin.cycles)


def _next_run(ctx, dut, job, sink, begun):
    """Start the next RUN when all rows of the one before have left; ``begun`` counts RUNs, and their m tiles."""
    number, m_tiles = begun
    if starts := number < len(job.runs) and sum(item["last"] for item in sink.items) == m_tiles:
        start(ctx, dut, {"groups": job.groups_of(m_tiles)}, job.runs[number])
        begun[:] = number + 1, m_tiles + job.runs[number]
    ctx.set(dut.i_start, starts)


def start(ctx, dut, layer, m_tiles=1):
    """Say what the layer is; the start is held, so that m tiles are drained as soon as they are full."""
    ctx.set(dut.i_layer, {"planes": 1, "timesteps": 1} | layer)
    ctx.set(dut.i_start, 1)
    ctx.set(dut.i_m_tiles, m_tiles)


def random_rows(rng, m, tile_k, *, density=0.3, distinct=None):
    """uint64[m]: random bits; with ``distinct``, drawn from that many patterns."""
    patterns = (rng.random((distinct or m, tile_k)) < density) @ (1 << np.arange(tile_k, dtype=object))
    patterns = patterns.astype(np.uint64)
    return patterns if distinct is None else patterns[rng.integers(0, distinct, m)]


def random_job(c, rng, *, m_tiles=4, k_tiles=3, rows=None, density=None, distinct=None):
    job = Job(c)
    for _ in range(m_tiles):
        m = rows or int(rng.integers(1, c.tile_m + 1))
        d = density if density is not None else float(rng.choice([0.05, 0.2, 0.5, 0.9]))
        job.add([random_rows(rng, m, c.tile_k, density=d, distinct=distinct) for _ in range(k_tiles)], rng)
    job.groups = rng.integers(1, c.groups + 1, m_tiles).tolist()
    return job


def singles(*bits):
    return [1 << b for b in bits]


def job_of(config, m_tiles, seed=0, **how):
    rng = np.random.default_rng(seed)
    job = Job(config)
    for k_tiles in m_tiles:
        job.add(k_tiles, rng, **how)
    return job
