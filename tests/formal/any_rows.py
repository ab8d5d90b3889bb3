"""Detector and pruner with any groups of rows, for proofs of what prefix, residual and slots each row gets."""

from amaranth import C, Cat, Mux, Shape, Signal
from amaranth.hdl import Assert, Assume

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import DENSE, PRODUCT
from reprise.hw.detector.detector import Detector
from reprise.hw.detector.pruner import Pruner
from reprise.hw.interface.search import entry_bits
from reprise.hw.interface.streams import taken
from tests.formal.sby import Harness, arbitrary


def tiny(queries, banks=1, load_rows=8, **changes):
    fields = dict(tile_m=8, tile_k=4, lanes=8, load_rows=load_rows, neuron_lanes=4, bus_bits=64)
    return HardwareConfig(**fields, queries=queries, banks=banks, **changes)


class AnyRows(Harness):
    """Detector and pruner with any groups of rows, cut into any tiles, with any pauses.

    The rows of a tile come by popcount, and in a bank the better prefix has the higher entry, as the sorter gives them
    out. Then the prefix of a row is, of the rows of its tile before it that are subsets of it, the one with most bits
    and, among those, the first. A row of fewer than ``fewest`` bits has none. The residual is what the prefix lacks.
    """

    def __init__(self, config):
        super().__init__()
        self.config, self.groups = config, 4 - (config.queries - 1)
        self.fewest = 1 if config.one_bit_matches else 2

    def build(self, m):
        c = self.config
        m.submodules.detector, m.submodules.pruner = detector, pruner = Detector(c), Pruner(c)
        self.lasts = [arbitrary(m, 1, name=f"last{g}", constant=True) for g in range(self.groups)]
        shape = {"row": c.tile_k, "entry": entry_bits(c), "here": 1}
        self.rows = [{} for _ in range(self.groups * c.queries)]
        for n, row in enumerate(self.rows):
            row |= {name: arbitrary(m, size, name=f"{name}{n}", constant=True) for name, size in shape.items()}
        self._assume(m)
        sent, seen = Signal(range(self.groups + 1)), Signal(range(self.groups + 1))
        group = detector.i.payload
        m.d.comb += [pruner.i.eq(detector.o), pruner.insert.eq(detector.insert), detector.tile_room.eq(1)]
        m.d.comb += [pruner.inserted_last.eq(detector.inserted_last), detector.i.valid.eq(sent != self.groups)]
        m.d.comb += detector.room.eq(arbitrary(m, 1, name="room"))
        m.d.sync += [sent.eq(sent + (detector.i.valid & detector.i.ready)), seen.eq(seen + pruner.o.valid)]
        for n, row in enumerate(self.rows):
            (g, lane), item = divmod(n, c.queries), group.rows[n % c.queries]
            with m.If(sent == g):
                m.d.comb += [group.last.eq(self.lasts[g]), group.valid[lane].eq(row["here"])]
                m.d.comb += [item.row.eq(row["row"]), item.entry.eq(row["entry"]), item.cls.eq(self._ones(row) - 1)]
                m.d.comb += [copy.eq(row["row"]) for copy in item.query]
            with m.If(pruner.o.valid & (seen == g)):
                self._check(m, n, pruner.o.rows[lane])

    def _ones(self, row):
        return sum(row["row"][b] for b in range(self.config.tile_k))

    def _before(self, n):
        """The rows before row n, from the first on, each with whether it is there and of the same tile."""
        g = n // self.config.queries
        for i, row in enumerate(self.rows[:n]):
            yield i, row, row["here"] & ~Cat(C(0), self.lasts[i // self.config.queries : g]).any()

    def _assume(self, m):
        queries = self.config.queries
        for n, row in enumerate(self.rows):
            short = self.lasts[n // queries] if n % queries else 0  # only the last group of a tile lacks a row
            m.d.comb += [Assume(row["row"] != 0), Assume(row["here"] | short)]
            for i, other, same in self._before(n):
                fewer, equal = self._ones(other) < self._ones(row), self._ones(other) == self._ones(row)
                m.d.comb += Assume(~same | ~row["here"] | fewer | equal)
                ranked = Mux(equal, other["entry"] > row["entry"], other["entry"] < row["entry"])
                m.d.comb += Assume(~same | ranked | ((i - n) % queries != 0))

    def _check(self, m, n, found):
        row = self.rows[n]
        has, most, pattern, result = C(0), C(0), C(0, self.config.tile_k), C(0)
        for i, other, same in self._before(n):
            count = self._ones(other)
            better = same & ((other["row"] & ~row["row"]) == 0) & (~has | (count > most))
            has, most, pattern = has | better, Mux(better, count, most), Mux(better, other["row"], pattern)
            result = Mux(better, Cat(other["entry"], C(i % self.config.queries, self.config.queries - 1)), result)
        has &= self._ones(row) >= self.fewest
        m.d.comb += Assert(found.valid == row["here"])
        with m.If(found.valid):
            m.d.comb += [Assert(found.has_prefix == has), Assert(~has | (found.prefix == result))]
            m.d.comb += Assert(found.residual == row["row"] & ~Mux(has, pattern, C(0, len(pattern))))
            m.d.comb += Assert(found.exact == (found.residual == 0))


class AnyModes(AnyRows):
    """Detector and pruner with any groups of rows, each of a RUN of any mode and of tiles of any number of bits.

    Prefixes are those of :class:`AnyRows` in a product-sparse RUN, and no row has one in others. The residual's bits
    take the slots, and in a dense RUN as many bits as the tile has.
    """

    def build(self, m):
        shapes = {name: Shape.cast(shape).width for name, shape in taken(self.config).items()}
        self.taken = []
        for g in range(self.groups):
            self.taken.append({n: arbitrary(m, bits, name=f"{n}{g}", constant=True) for n, bits in shapes.items()})
        super().build(m)
        detector, sent = m.submodules.detector, Signal(range(self.groups + 1))
        m.d.sync += sent.eq(sent + (detector.i.valid & detector.i.ready))
        for g, fields in enumerate(self.taken):
            with m.If(sent == g):
                m.d.comb += [detector.i.payload.tile[name].eq(value) for name, value in fields.items()]

    def _check(self, m, n, found):
        row, (mode, depth) = self.rows[n], self.taken[n // self.config.queries].values()
        with m.If(mode == PRODUCT):
            super()._check(m, n, found)
        with m.Elif(found.valid):
            m.d.comb += [Assert(~found.has_prefix & ~found.exact), Assert(found.residual == row["row"])]
        every = Cat(depth > bit for bit in range(self.config.tile_k))
        m.d.comb += Assert(~found.valid | (found.slots == Mux(mode == DENSE, every, found.residual)))
