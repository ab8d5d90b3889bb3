"""The control and status registers behind an AXI4-Lite port, which are built from the register map."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi.ports import OKAY, SLVERR, lite_members
from .register_map import FIELDS, OFFSETS


def port_name(register: str, field: str) -> str:
    """Return the name of a field's port: ``control_start`` for the field ``start`` of the register ``CONTROL``."""
    return f"{register.lower()}_{field}"


def field_ports() -> dict:
    """Return the ports of the register block.

    A field that the host only reads has an input, and every other field an output. A field that the host clears by
    writing 1 has an input ``..._set`` besides, which sets it.
    """
    ports = {}
    for register, fields in FIELDS.items():
        for field, (_, bits, access, _) in fields.items():
            name = port_name(register, field)
            ports[name] = In(bits) if access == "r" else Out(bits)
            if access == "w1c":
                ports[f"{name}_set"] = In(bits)
    return ports


class Registers(wiring.Component):
    """An AXI4-Lite slave of 32 bits, which takes one write and one read at a time, independently of each other.

    An access to an address without a register is answered with SLVERR and does nothing. Byte strobes are respected.
    An answer waits until the host is ready for it.

    Latency: a field is written, and the answer follows, ``LATENCY`` cycles after both the address and the data were
    taken. A ``_set`` input is seen in its field ``LATENCY`` cycles later.

    Members
    -------
    The channels of AXI4-Lite (:func:`reprise.hw.axi.ports.lite_members`), and the ports of :func:`field_ports`.
    """

    LATENCY = 1

    def __init__(self) -> None:
        super().__init__(lite_members() | field_ports())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._write_channel(m)
        self._read_channel(m)
        return m

    def _write_channel(self, m: Module) -> None:
        address, word, strobe = Signal.like(self.awaddr), Signal(32), Signal(4)
        have_address, have_word = Signal(), Signal()
        write = Signal()
        known = Signal()
        mask = Signal(32)
        m.d.comb += [
            self.awready.eq(~have_address),
            self.wready.eq(~have_word),
            write.eq(have_address & have_word & ~self.bvalid),
            *(mask[8 * n : 8 * n + 8].eq(strobe[n].replicate(8)) for n in range(4)),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [address.eq(self.awaddr), have_address.eq(1)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [word.eq(self.wdata), strobe.eq(self.wstrb), have_word.eq(1)]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [have_address.eq(0), have_word.eq(0), self.bvalid.eq(1)]
            m.d.sync += self.bresp.eq(Mux(known, OKAY, SLVERR))
        for register, offset in OFFSETS.items():
            hit = Signal(name=f"write_{register.lower()}")
            chosen = address[2:] == offset >> 2
            m.d.comb += hit.eq(write & chosen)
            with m.If(chosen):
                m.d.comb += known.eq(1)
            self._write_register(m, register, hit, word, mask)

    def _write_register(self, m: Module, register: str, hit: Signal, word: Signal, mask: Signal) -> None:
        for field, (low, bits, access, reset) in FIELDS[register].items():
            if access == "r":
                continue
            port = getattr(self, port_name(register, field))
            new, enable = word[low : low + bits], mask[low : low + bits]
            if access == "w1":
                m.d.comb += port.eq(Mux(hit, new & enable, 0))
                continue
            stored = Signal(bits, init=reset, name=f"stored_{port_name(register, field)}")
            m.d.comb += port.eq(stored)
            cleared = Mux(hit, new & enable, 0)
            if access == "w1c":
                m.d.sync += stored.eq((stored & ~cleared) | getattr(self, f"{port_name(register, field)}_set"))
            else:
                with m.If(hit):
                    m.d.sync += stored.eq((stored & ~enable) | (new & enable))

    def _read_channel(self, m: Module) -> None:
        value = Signal(32)
        known = Signal()
        with m.Switch(self.araddr[2:]):
            for register, offset in OFFSETS.items():
                with m.Case(offset >> 2):
                    m.d.comb += known.eq(1)
                    for field, (low, bits, access, _) in FIELDS[register].items():
                        if access != "w1":
                            m.d.comb += value[low : low + bits].eq(getattr(self, port_name(register, field)))
        m.d.comb += self.arready.eq(~self.rvalid)
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(value), self.rresp.eq(Mux(known, OKAY, SLVERR))]
