"""A skid buffer, which ends the combinational path of ``ready``."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class SkidBuffer(wiring.Component):
    """Cuts the combinational path of ``ready``: an item that comes while the consumer is not ready waits here.

    ``i.ready`` comes from a register and says that the buffer is empty. It is a register of its own beside the one that
    chooses what is offered, so that each can lie on its side, however far apart producer and consumer are.

    Latency: 0 cycles. Throughput: one item per cycle.

    Parameters
    ----------
    shape : the shape of an item

    Members
    -------
    i : In stream of items
    o : Out stream of items
    next_ready : Out(1), the value of ``i.ready`` in the next cycle
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
        open_ = Signal(init=1, name="open")  # it is ``~full``, which synthesis keeps as a register of its own
        m.d.comb += [
            self.i.ready.eq(open_),
            self.o.valid.eq(self.i.valid | full),
            self.o.payload.eq(Mux(full, skid, self.i.payload)),
            self.next_ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(~full):
            m.d.sync += skid.eq(self.i.payload)
        m.d.sync += [full.eq(~self.next_ready), open_.eq(self.next_ready)]
        return m
