"""A stream FIFO on a synchronous memory."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class StreamFifo(wiring.Component):
    """First in, first out; the memory's output register is the stream's output register.

    Latency: an item is offered ``LATENCY`` cycles after it was taken. Throughput: one item per cycle. ``o`` depends on
    registers only; ``i.ready`` too.

    Parameters
    ----------
    shape : shape of the payload
    depth : items in the memory, a power of two (one more is in the output register)

    Members
    -------
    i, o : In, Out streams of ``shape``
    level : Out, items in the memory and the output register

    Raises
    ------
    ValueError
        If ``depth`` is no power of two.
    """

    LATENCY = 2

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth}: pointers wrap by themselves")
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(depth + 2)),
            }
        )
        self.shape = shape

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.shape, depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        stored = Signal(range(self.depth + 1))
        put, take = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(stored != self.depth),
            put.eq(self.i.valid & self.i.ready),
            take.eq((stored != 0) & (~self.o.valid | self.o.ready)),
            write.data.eq(self.i.payload),
            write.en.eq(put),
            read.en.eq(take),
            self.o.payload.eq(read.data),
            self.level.eq(stored + self.o.valid),
        ]
        m.d.sync += stored.eq(stored + put - take)
        with m.If(put):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(take):
            m.d.sync += [read.addr.eq(read.addr + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
