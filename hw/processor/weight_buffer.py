"""The weight buffer: the weights of the tiles at hand, in ``weight_tiles`` weight slots of ``tile_k`` weight rows."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import weight_row
from ..lib.fanout import parts, replicate
from ..lib.wide_memory import BLOCK_RAM
from .layouts import weight_read

DISTRIBUTED_ROWS = 64
"""The most weight rows of a bank with which the buffer is LUT RAM; with more it is block RAM.

So few rows would leave most of the 512 words of block RAMs unused.
"""


class WeightBuffer(wiring.Component):
    """Keeps the weights of up to ``weight_tiles`` tiles, and gives sums of weight rows for all lanes.

    Weight row k of a tile lies in bank ``k mod weight_banks``. Of each bank one row can be read per cycle, and ``o`` is
    their sum; a bank of which none is wanted adds nothing.

    LUT RAM is read from a registered address into the output register. Block RAM has its address register inside, and
    gets an output register before the adders. Both take two cycles, so nothing else depends on the choice. With more
    than one bank the sum stands before that register.

    The weight slots are filled in turn, from slot 0 on, each by the row with ``last``. Rows are accepted while the slot
    whose turn it is is empty, which is known a cycle ahead, so ``i.ready`` is a register. A row
    that the producer leaves out keeps its old weights, so the producer must send every row whose input bit can be set.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section "PPU".)

    Latency: two cycles from ``read`` to ``o``. Throughput: one row written, and one row of each bank read, per cycle.

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.weight_row`, whose slots take turns
    read : the weight rows to read (:func:`reprise.hw.processor.layouts.weight_read`)
    o : the sum of the weight rows that were read two cycles ago: ``lanes`` signed numbers of ``weight_sum_bits`` each.
        With a single bank it is anything if no row was wanted, unless a RUN has a mode, whose zeros add nothing.
    filled : for each weight slot: it holds all weights of a tile
    release : empties a weight slot
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        self.rows = c.weight_tiles * c.tile_k // c.weight_banks  # of a bank
        self.distributed = self.rows <= DISTRIBUTED_ROWS
        super().__init__(
            {
                "i": In(stream.Signature(weight_row(c))),
                "read": In(weight_read(c)),
                "o": Out(c.lanes * c.weight_sum_bits),
                "filled": Out(c.weight_tiles),
                "release": In(data.StructLayout({"valid": 1, "weight_slot": c.weight_slot_bits})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, row = self.config, self.i.payload
        # The last weight row may be written a cycle late, because at least two cycles pass from ``filled`` to the first
        # read: the scoreboard registers it, and a compute row is loaded before its first bit reads.
        put = Signal(c.lanes * c.weight_bits, reset_less=True)
        m.d.comb += self.i.ready.eq(self._empty(m))
        m.d.sync += put.eq(row.data)
        low = c.weight_bank_bits
        reads = [Cat(bank.wanted, bank.row, self.read.weight_slot) for bank in self.read.banks]
        comes = Cat(
            self.i.valid & self.i.ready & (row.row[:low] == bank if low else 1) for bank in range(c.weight_banks)
        )
        build = self._distributed if self.distributed else self._block
        build(m, reads, comes, Cat(row.row[low:], row.weight_slot), put)
        with m.If(self.release.valid):
            m.d.sync += self.filled.bit_select(self.release.weight_slot, 1).eq(0)
        with m.If(self.i.valid & self.i.ready & row.last):
            m.d.sync += self.filled.bit_select(row.weight_slot, 1).eq(1)
        return m

    def _empty(self, m: Module) -> Value:
        """Return whether the slot of the row at ``i`` is empty, a register."""
        c, slot = self.config, Signal(self.config.weight_slot_bits)  # the slot whose turn it is
        following, empty, full = Signal.like(slot), Signal(), Signal()
        now, then = (
            ~self.filled.bit_select(n, 1) | (self.release.valid & (self.release.weight_slot == n))
            for n in (slot, following)
        )
        m.d.comb += [
            following.eq(Mux(slot == c.weight_tiles - 1, 0, slot + 1)),
            full.eq(self.i.valid & empty & self.i.payload.last),
        ]
        m.d.sync += [empty.eq(Mux(full, then, now)), slot.eq(Mux(full, following, slot))]
        return empty

    def _memory(self, m: Module, name: str, lanes: int, style: str, domain: str) -> tuple[ReadPort, WritePort]:
        m.submodules[name] = memory = Memory(
            shape=lanes * self.config.weight_bits,
            depth=self.rows,
            init=[],
            attrs=BLOCK_RAM | {"ram_style": style},
        )
        return memory.read_port(domain=domain), memory.write_port()

    def _sum(self, rows: Sequence[Value], wanted: Sequence[Value]) -> Value:
        """Return the sum of a weight row of each bank, without those that are not wanted, for all lanes of the rows."""
        if len(rows) == 1 and not self.config.modes:
            return rows[0]
        bits = self.config.weight_bits
        lanes = []
        for at in range(0, len(rows[0]), bits):
            terms: list[Value] = [
                Mux(some, row[at : at + bits], 0).as_signed() for row, some in zip(rows, wanted, strict=True)
            ]
            while len(terms) > 1:
                terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=True)]
            lanes.append(terms[0][: self.config.weight_sum_bits])
        return Cat(lanes)

    def _block(self, m: Module, reads: Sequence[Value], comes: Value, row: Value, put: Value) -> None:
        """Build the buffer from block RAM.

        ``put`` is a cycle old. It is written to the ``row`` of the cycle before, if a weight row came then (``comes``).
        """
        weight, address = Signal.like(self.o, reset_less=True), Signal(len(row), reset_less=True)
        found, wanted = [], []
        for bank, read in enumerate(reads):
            port, write = self._memory(m, f"memory{bank}", self.config.lanes, "block", "sync")
            putting, some = Signal(name=f"putting{bank}"), Signal(name=f"some{bank}")
            m.d.sync += [putting.eq(comes[bank]), some.eq(read[0])]
            m.d.comb += [port.addr.eq(read[1:]), write.en.eq(putting), write.addr.eq(address), write.data.eq(put)]
            found.append(port.data)
            wanted.append(some)
        m.d.sync += [weight.eq(self._sum(found, wanted)), address.eq(row)]
        m.d.comb += self.o.eq(weight)

    def _distributed(self, m: Module, reads: Sequence[Value], comes: Value, row: Value, put: Value) -> None:
        """Build the buffer from LUT RAM.

        It does the same as :meth:`_block`, but is cut by lanes into parts that have address and enable registers of
        their own (:mod:`reprise.hw.lib.fanout`). After reset some parts write once, which does no harm because no
        weight slot is filled then.
        """
        c, cut = self.config, parts(self.config.lanes)
        single = c.weight_banks == 1 and not c.modes  # the memory's own output register is the buffer's
        rows = replicate(m, row, len(cut), name="put_address")
        banks = range(c.weight_banks)
        addresses = [replicate(m, reads[n], len(cut), name=f"address{n}") for n in banks]
        puts = [replicate(m, comes[n], len(cut), name=f"putting{n}") for n in banks]
        for k, lanes in enumerate(cut):
            here = slice(lanes.start * c.weight_bits, lanes.stop * c.weight_bits)
            found = []
            for n in banks:
                domain = "sync" if single else "comb"
                port, write = self._memory(m, f"memory{k}_{n}", len(lanes), "distributed", domain)
                m.d.comb += [port.addr.eq(addresses[n][k][1:]), write.en.eq(puts[n][k])]
                m.d.comb += [write.addr.eq(rows[k]), write.data.eq(put[here])]
                found.append(port.data)
            out = self.o[lanes.start * c.weight_sum_bits : lanes.stop * c.weight_sum_bits]
            if single:
                m.d.comb += out.eq(found[0])
                continue
            total = Signal(len(out), name=f"sum{k}", reset_less=True)
            m.d.sync += total.eq(self._sum(found, [addresses[n][k][0] for n in banks]))
            m.d.comb += out.eq(total)
