"""The weights of the tiles at hand: ``weight_tiles`` weight slots of ``tile_k`` rows of all lanes."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import weight_row
from ..lib.fanout import parts, replicate
from ..lib.wide_memory import BLOCK_RAM

DISTRIBUTED_ROWS = 64
"""Up to this many rows the buffer is LUT RAM; beyond, block RAM (whose 512 words would otherwise lie idle)."""


class WeightBuffer(wiring.Component):
    """``o = W[weight_slot, k]``, two cycles after ``read``.

    LUT RAM is read from a registered address into the output register; block RAM has its address register inside and
    gets an output register before the adders. Both take two cycles, so nothing else depends on the choice.
    A weight slot is filled by the row with ``last``; its rows aren't accepted while it is filled. Rows that a
    producer leaves out keep old weights: it must send all whose column can be set.

    Throughput: one row written and one read per cycle. Section "PPU" of the paper (HPCA 2025).

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.weight_row`
    read : weight slot and k of the row to read
    o : ``lanes`` signed weights of the row read two cycles ago
    filled : weight slots that hold a whole tile
    release : empties a weight slot
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        self.distributed = c.weight_tiles * c.tile_k <= DISTRIBUTED_ROWS
        super().__init__(
            {
                "i": In(stream.Signature(weight_row(c))),
                "read": In(data.StructLayout({"row": range(c.tile_k), "weight_slot": c.weight_slot_bits})),
                "o": Out(c.lanes * c.weight_bits),
                "filled": Out(c.weight_tiles),
                "release": In(data.StructLayout({"valid": 1, "weight_slot": c.weight_slot_bits})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row = self.i.payload
        # The scoreboard registers ``filled``, and a row is loaded before its first bit reads: two cycles at least.
        # So the last row may be written a cycle late.
        put = Signal(len(self.o), reset_less=True)
        m.d.comb += self.i.ready.eq(~self.filled.bit_select(row.weight_slot, 1))
        m.d.sync += put.eq(row.data)
        build = self._distributed if self.distributed else self._block
        build(
            m,
            Cat(self.read.row, self.read.weight_slot),
            self.i.valid & self.i.ready,
            Cat(row.row, row.weight_slot),
            put,
        )
        with m.If(self.release.valid):
            m.d.sync += self.filled.bit_select(self.release.weight_slot, 1).eq(0)
        with m.If(self.i.valid & self.i.ready & row.last):
            m.d.sync += self.filled.bit_select(row.weight_slot, 1).eq(1)
        return m

    def _memory(self, m: Module, name: str, lanes: int, style: str) -> tuple[ReadPort, WritePort]:
        c = self.config
        m.submodules[name] = memory = Memory(
            shape=lanes * c.weight_bits,
            depth=c.weight_tiles * c.tile_k,
            init=[],
            attrs=BLOCK_RAM | {"ram_style": style},
        )
        return memory.read_port(), memory.write_port()

    def _block(self, m: Module, read: Value, comes: Value, row: Value, put: Value) -> None:
        """Writes ``put``, which is a cycle old, to the ``row`` of that cycle if one came (``comes``)."""
        port, write = self._memory(m, "memory", self.config.lanes, "block")
        weight, address = Signal.like(self.o, reset_less=True), Signal.like(write.addr, reset_less=True)
        putting = Signal()
        m.d.sync += [weight.eq(port.data), address.eq(row), putting.eq(comes)]
        m.d.comb += [port.addr.eq(read), self.o.eq(weight)]
        m.d.comb += [write.en.eq(putting), write.addr.eq(address), write.data.eq(put)]

    def _distributed(self, m: Module, read: Value, comes: Value, row: Value, put: Value) -> None:
        """The same, cut by lanes into parts that have address and enable registers of their own
        (:mod:`reprise.hw.lib.fanout`).

        After reset some parts write once: no weight slot is filled then.
        """
        c, cut = self.config, parts(self.config.lanes)
        reads = replicate(m, read, len(cut), name="address")
        writes = replicate(m, row, len(cut), name="put_address")
        puts = replicate(m, comes, len(cut), name="putting")
        for k, (lanes, address, put_address, putting) in enumerate(zip(cut, reads, writes, puts, strict=True)):
            port, write = self._memory(m, f"memory{k}", len(lanes), "distributed")
            here = slice(lanes.start * c.weight_bits, lanes.stop * c.weight_bits)
            m.d.comb += [port.addr.eq(address), self.o[here].eq(port.data)]
            m.d.comb += [write.en.eq(putting), write.addr.eq(put_address), write.data.eq(put[here])]
