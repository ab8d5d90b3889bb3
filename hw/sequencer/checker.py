"""Comparators that refuse a command, built from the rules of :mod:`reprise.hw.arch.rules`."""

from __future__ import annotations

from amaranth import Shape
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS, COMMAND_BYTES, COMMANDS, HEADER, Field
from ..arch.rules import aligned, ranges


def raw_view(command: ValueLike, opcode: str) -> data.View:
    """All fields of a command, with the header, over its raw bits."""
    fields: dict[int | str, data.Field] = {
        f.name: data.Field(_shape(f), 32 * f.word + f.offset) for f in HEADER + COMMANDS[opcode]
    }
    return data.View(data.FlexibleLayout(COMMAND_BYTES * 8, fields), command)


def _shape(field: Field) -> Shape:
    from amaranth import signed, unsigned

    return signed(field.bits) if field.signed else unsigned(field.bits)


def violations(c: HardwareConfig, opcode: str, view: data.View) -> list:
    """One-bit expressions, each true when a rule is broken."""
    broken = []
    fields = {f.name: f for f in COMMANDS[opcode]}
    for name, low, high in ranges(c, opcode):
        field = fields[name]
        if low > 0:
            broken.append(view[name] < low)
        if high < (1 << field.bits) - 1:
            broken.append(view[name] > high)
    for name in aligned(opcode):
        broken.append(view[name][: clog2(c.bus_bits // 8)].any())
        if fields[name].bits == 64:
            broken.append(view[name][ADDRESS_BITS:].any())
    if opcode == "LOAD_SEGMENTS":
        broken.append(view.target + view.count > c.segments)
    if opcode == "RUN":
        broken += [
            view.weights_keep & (view.k_tiles > c.weight_tiles),
            (view.weights_ready | view.weights_hold) & ~view.weights_keep,
            ~view.readout & (view.levels == 0),
            ~view.readout & (view.out_planes == 0),
        ]
    return broken
