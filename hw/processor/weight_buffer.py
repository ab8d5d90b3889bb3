"""The weight buffer: the weights of the tiles at hand, in ``weight_tiles`` weight slots of ``tile_k`` weight rows."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import weight_row
from ..lib.fanout import parts, replicate
from ..lib.wide_memory import BLOCK_RAM

DISTRIBUTED_ROWS = 64
"""The most weight rows with which the buffer is LUT RAM; with more it is block RAM.

So few rows would leave most of the 512 words of block RAMs unused.
"""


class WeightBuffer(wiring.Component):
    """Keeps the weights of up to ``weight_tiles`` tiles, and gives ``o = W[weight_slot, k]`` for all lanes.

    LUT RAM is read from a registered address into the output register. Block RAM has its address register inside, and
    gets an output register before the adders. Both take two cycles, so nothing else depends on the choice.

    A weight slot is filled by the row with ``last``, and while it is filled no more rows are accepted for it. A row
    that the producer leaves out keeps its old weights, so the producer must send every row whose input bit can be set.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section "PPU".)

    Latency: two cycles from ``read`` to ``o``. Throughput: one row written and one row read per cycle.

    Members
    -------
    i : stream of :func:`reprise.hw.interface.streams.weight_row`
    read : the weight slot and the k of the weight row to read
    o : the weight row that was read two cycles ago: ``lanes`` signed weights of ``weight_bits`` each
    filled : for each weight slot: it holds all weights of a tile
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
        # The last weight row may be written a cycle late, because at least two cycles pass from ``filled`` to the first
        # read: the scoreboard registers it, and a compute row is loaded before its first bit reads.
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
        """Build the buffer from block RAM.

        ``put`` is a cycle old. It is written to the ``row`` of the cycle before, if a weight row came then (``comes``).
        """
        port, write = self._memory(m, "memory", self.config.lanes, "block")
        weight, address = Signal.like(self.o, reset_less=True), Signal.like(write.addr, reset_less=True)
        putting = Signal()
        m.d.sync += [weight.eq(port.data), address.eq(row), putting.eq(comes)]
        m.d.comb += [port.addr.eq(read), self.o.eq(weight)]
        m.d.comb += [write.en.eq(putting), write.addr.eq(address), write.data.eq(put)]

    def _distributed(self, m: Module, read: Value, comes: Value, row: Value, put: Value) -> None:
        """Build the buffer from LUT RAM.

        It does the same as :meth:`_block`, but is cut by lanes into parts that have address and enable registers of
        their own (:mod:`reprise.hw.lib.fanout`). After reset some parts write once, which does no harm because no
        weight slot is filled then.
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
