"""A skid buffer: the path of ``ready`` ends here."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class SkidBuffer(wiring.Component):
    """Cuts the path of ``ready``: what comes while the consumer is not ready waits here.

    Latency: 0 cycles. Throughput: one item per cycle. ``i.ready`` is a register: the buffer is empty.

    Parameters
    ----------
    shape : shape of an item

    Members
    -------
    i : stream of items in
    o : stream of items out
    next_ready : ``i.ready`` of the next cycle
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        self._shape = shape
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "next_ready": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        skid = Signal(self._shape, reset_less=True)
        full = Signal()
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.valid.eq(self.i.valid | full),
            self.o.payload.eq(Mux(full, skid, self.i.payload)),
            self.next_ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(~full):
            m.d.sync += skid.eq(self.i.payload)
        m.d.sync += full.eq(~self.next_ready)
        return m
