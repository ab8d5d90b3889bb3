"""Two burst readers on one arbiter, for the tests of the AXI4 read master and of the windows."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from reprise.hw.axi.ports import read_members
from reprise.hw.axi.read import BurstReader, ReadArbiter
from reprise.hw.interface.memory import read_request, window


class Readers(wiring.Component):
    """Two burst readers on one arbiter."""

    def __init__(self, config, depth=32):
        self.config, self.depth = config, depth
        super().__init__(
            {
                "i": In(stream.Signature(read_request())).array(2),
                "o": Out(stream.Signature(config.bus_bits)).array(2),
                "halt": In(1),
                "hold": In(2),
                "window": In(window(config)),
                "outside": Out(1),
                "idle": Out(1),
                "error": Out(1),
                **read_members(config.bus_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter = arbiter = ReadArbiter(self.config, 2)
        for n in range(2):
            m.submodules[f"reader{n}"] = reader = BurstReader(self.config, depth=self.depth)
            m.d.comb += reader.window.eq(self.window)
            wiring.connect(m, wiring.flipped(self.i[n]), reader.i)
            wiring.connect(m, reader.o_burst, arbiter.i_burst[n])
            wiring.connect(m, arbiter.o[n], reader.i_data)
            wiring.connect(m, wiring.flipped(self.o[n]), reader.o)
        m.d.comb += [
            arbiter.halt.eq(self.halt),
            arbiter.hold.eq(self.hold),
            self.outside.eq(arbiter.outside.any()),
            self.idle.eq(arbiter.idle),
            self.error.eq(arbiter.error),
        ]
        for name, member in read_members(self.config.bus_bits).items():
            port, signal = getattr(self, name), getattr(arbiter, name)
            m.d.comb += port.eq(signal) if member.flow == Out else signal.eq(port)
        return m
