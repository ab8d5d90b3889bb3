"""What the proofs of the bus masters share: free inputs, a slave's answers, and a queue that is cut out."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.axi import write
from reprise.hw.axi.write import WriteMaster
from tests.formal.sby import arbitrary

CONFIG = HardwareConfig.load("tiny")
READERS = 3


def free_inputs(m: Module, dut, names: Iterable[str], **constant: object) -> None:
    """Arbitrary values at the inputs of these names, of those in ``constant`` one for all time."""
    for name in (*names, *constant):
        port = getattr(dut, name)
        m.d.comb += port.eq(arbitrary(m, port.shape(), name=f"any_{name}", constant=name in constant))


def free_stream(m: Module, port, name: str) -> None:
    """Offer arbitrary items to a block, at any time; none of them needs to stay."""
    m.d.comb += [
        port.valid.eq(arbitrary(m, 1, name=f"valid_{name}")),
        port.payload.eq(arbitrary(m, port.payload.shape().size, name=f"payload_{name}")),
    ]


def keeps(m: Module, name: str, valid, ready, *payload) -> None:
    """Assert the rule of AXI that valid and payload stay until ready."""
    stalled = Signal(name=f"{name}_stalled")
    m.d.sync += stalled.eq(valid & ~ready)
    for n, value in enumerate(payload):
        before = Signal(value.shape(), name=f"{name}_before{n}")
        m.d.sync += before.eq(value)
        with m.If(stalled):
            m.d.comb += Assert(value == before)
    with m.If(stalled):
        m.d.comb += Assert(valid)


def any_answers(m: Module, dut: WriteMaster) -> tuple[Value, Signal]:
    """Assume of write answers what A3.3.1 of AXI says: none comes before its address and its last data were taken.

    Returns whether an address is put on the bus, and how many bursts were put on it before and have no answer yet.
    """
    stalled = Signal(name="aw_stalled")
    fresh = dut.awvalid & ~stalled
    bits = range(2 * write.OUTSTANDING + 1)
    addressed, sent, begun = (Signal(bits, name=name) for name in ("addressed", "sent", "begun"))
    answered = dut.bvalid & dut.bready
    m.d.sync += [
        stalled.eq(dut.awvalid & ~dut.awready),
        addressed.eq(addressed + (dut.awvalid & dut.awready) - answered),
        sent.eq(sent + (dut.wvalid & dut.wready & dut.wlast) - answered),
        begun.eq(begun + fresh - answered),
    ]
    m.d.comb += Assume(~dut.bvalid | ((addressed != 0) & (sent != 0)))
    return fresh, begun


class CutQueue(wiring.Component):
    """A queue that is cut out: it takes and gives whatever it likes.

    What it offers stays until it is taken, and is counted in ``level``; test_stream_proofs proves both of the real one.
    """

    def __init__(self, *, shape: ShapeLike, depth: int, latency: int):
        item = stream.Signature(shape)
        super().__init__({"i": In(item), "o": Out(item), "level": Out(range(depth + latency))})

    def elaborate(self, platform):
        m = Module()
        size = len(Value.cast(self.o.payload))
        waits, before = Signal(), Signal(size)
        m.d.sync += [waits.eq(self.o.valid & ~self.o.ready), before.eq(self.o.payload)]
        m.d.comb += [
            self.i.ready.eq(arbitrary(m, 1, name="any_ready")),
            self.level.eq(arbitrary(m, self.level.shape(), name="any_level")),
            self.o.valid.eq(waits | arbitrary(m, 1, name="any_valid")),
            self.o.payload.eq(Mux(waits, before, arbitrary(m, size, name="any_payload"))),
            Assume(~self.o.valid | (self.level != 0)),
        ]
        return m
