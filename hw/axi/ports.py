"""The ports of AXI4 and AXI4-Lite, under the names from which FPGA tools infer the interfaces."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.program import ADDRESS_BITS

OKAY, SLVERR = 0b00, 0b10
"""The responses that the accelerator gives; bit 1 of a response means an error."""

LITE_ADDRESS_BITS = 12
"""The width of an address of the registers, so they take 4 KiB of the host's address space."""


def _address_channel(prefix: str) -> dict:
    return {
        f"{prefix}id": Out(1),
        f"{prefix}addr": Out(ADDRESS_BITS),
        f"{prefix}len": Out(8),  # the number of beats, minus 1
        f"{prefix}size": Out(3),
        f"{prefix}burst": Out(2),
        f"{prefix}cache": Out(4),
        f"{prefix}prot": Out(3),
        f"{prefix}valid": Out(1),
        f"{prefix}ready": In(1),
    }


def read_members(bus_bits: int) -> dict:
    """Return the read channels of an AXI4 master, which uses a single ID and so gets its answers in order."""
    data = {"rid": In(1), "rdata": In(bus_bits), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1)}
    return _address_channel("ar") | data


def write_members(bus_bits: int) -> dict:
    """Return the write channels of an AXI4 master, which uses a single ID and so gets its answers in order."""
    return _address_channel("aw") | {
        "wdata": Out(bus_bits),
        "wstrb": Out(bus_bits // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }


def lite_members() -> dict:
    """Return the channels of an AXI4-Lite slave that is 32 bits wide."""
    return {
        "awaddr": In(LITE_ADDRESS_BITS),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(LITE_ADDRESS_BITS),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }


def prefixed(prefix: str, members: dict) -> dict:
    """Return the members under the names of flat ports, ``prefix_name``."""
    return {f"{prefix}_{name}": member for name, member in members.items()}


def constant_address_signals(bus: wiring.Component, prefix: str, bus_bits: int) -> list:
    """Return the statements for the signals of an address channel that never change.

    They are ID 0, INCR bursts of whole words, and normal, non-cacheable, bufferable memory.
    """
    size = (bus_bits // 8).bit_length() - 1
    values = {"id": 0, "size": size, "burst": 0b01, "cache": 0b0011, "prot": 0}
    return [getattr(bus, prefix + name).eq(value) for name, value in values.items()]
