"""Proofs for every tile of a small size: the output is a permutation, and a prefix comes before its users."""

import pytest
from amaranth import Array, C, Mux, Signal
from amaranth.hdl import Assert
from amaranth.lib.wiring import connect

from hw.config import HardwareConfig
from hw.sorter import Sorter
from hw.tile_loader import TileLoader
from tests.formal.sby import Harness, arbitrary, prove


def tiny(queries, banks=1):
    return HardwareConfig(
        tile_m=8, tile_k=4, lanes=8, load_rows=8, neuron_lanes=4, bus_bits=64, queries=queries, banks=banks
    )


class AnyTile(Harness):
    """Loader and sorter with one arbitrary tile: 8 rows, of which 3 are free in 3 bits and the others zero.

    Every non-zero row comes out exactly once, with its own pattern, no row before one of fewer bits or an
    equal one of lower index; all of them within ``cycles`` cycles. So a prefix (fewer bits, or equal and of lower
    index) comes before its users, and the queues behind keep the order (see test_stream_proofs).
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.cycles = 2 + TileLoader.LATENCY_WORDS + Sorter.latency(config) + 2 * 4 // config.queries

    def build(self, m):
        c = self.config
        m.submodules.loader = loader = TileLoader(c)
        m.submodules.sorter = sorter = Sorter(c)
        connect(m, loader.o_words, sorter.i_words)
        connect(m, loader.o_tile, sorter.i_tile)
        rows = [arbitrary(m, 3, name=f"row{r}", constant=True) if r % 3 == 1 else C(0, 3) for r in range(c.tile_m)]
        sent = Signal()
        m.d.comb += [loader.i.valid.eq(~sent), loader.i.payload.last.eq(1), sorter.o.ready.eq(1)]
        m.d.comb += [loader.i.payload.rows[r].eq(row) for r, row in enumerate(rows)]
        m.d.sync += sent.eq(sent | loader.i.ready)
        self._check(m, rows, sorter.o)

    def _check(self, m, rows, output):
        c = self.config
        cycle, mask = Signal(8), Signal(c.tile_m)
        seen, key = mask, Signal(8)  # rows that came; popcount and index of the last
        before = key
        for lane, row in enumerate(output.payload.rows):
            here = output.valid & output.payload.valid[lane]
            own, after = Signal(c.tile_m, name=f"own{lane}"), Signal(8, name=f"key{lane}")
            count = sum(row.row[b] for b in range(c.tile_k))
            m.d.comb += [own.eq(Mux(here, 1 << row.index, 0)), after.eq(Mux(here, (count << 4) + row.index, before))]
            with m.If(here):
                m.d.comb += [
                    Assert((seen & own) == 0),
                    Assert(Array(rows)[row.index] == row.row),
                    Assert(after > before),
                ]
            seen, before = seen | own, after
        m.d.sync += [cycle.eq(cycle + 1), mask.eq(seen), key.eq(before)]
        with m.If(cycle == self.cycles):
            m.d.comb += [Assert(mask[r] == (row != 0)) for r, row in enumerate(rows)]


@pytest.mark.parametrize("queries", [1, 2])
def test_sorting_is_a_permutation(queries, tmp_path):
    harness = AnyTile(tiny(queries))
    prove(harness, tmp_path, depth=harness.cycles + 1)
