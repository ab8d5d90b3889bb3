"""The comparators that refuse an illegal command, built from the rules of :mod:`reprise.hw.arch.rules`."""

from __future__ import annotations

from amaranth import Shape, Value, signed, unsigned
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..arch.config import HardwareConfig, clog2
from ..arch.program import COMMAND_BYTES, COMMANDS, HEADER, Field
from ..arch.rule_kinds import AddressFits, Aligned, AtMostWhen, NonZeroUnless, OnlyWith, Range, Rule, SumAtMost
from ..arch.rules import rules


def raw_view(command: ValueLike, opcode: str) -> data.View:
    """Return a view of a command's raw bits that names all of its fields, the header's included."""
    fields: dict[int | str, data.Field] = {
        f.name: data.Field(_shape(f), 32 * f.word + f.offset) for f in HEADER + COMMANDS[opcode]
    }
    return data.View(data.FlexibleLayout(COMMAND_BYTES * 8, fields), command)


def _shape(field: Field) -> Shape:
    return signed(field.bits) if field.signed else unsigned(field.bits)


def comparators(c: HardwareConfig, opcode: str, view: data.View) -> list[Value]:
    """Return one-bit expressions, one or more for each rule of a command; each is true when its rule is broken."""
    return [bit for rule in rules(c, opcode) for bit in broken(rule, view)]


def broken(rule: Rule, view: data.View) -> list[Value]:
    """Return the comparators of one rule, which is broken when one of them is true.

    There are none where the field has too few bits to break the rule.

    Raises
    ------
    TypeError
        When the rule is of a kind that has no comparator.
    """
    match rule:
        case Range():
            value = view[rule.field]
            bits, sign = len(value), value.shape().signed
            below = [value < rule.low] if rule.low > (-(1 << (bits - 1)) if sign else 0) else []
            return below + ([value > rule.high.value] if rule.high.value < (1 << (bits - sign)) - 1 else [])
        case Aligned():
            return [view[rule.field][: clog2(rule.step.value)].any()]
        case AddressFits():
            return [view[rule.field][rule.bits :].any()]
        case SumAtMost():
            first, *others = (view[name] for name in rule.fields)
            return [sum(others, first) > rule.most.value]
        case AtMostWhen():
            return [view[rule.flag] & (view[rule.field] > rule.most.value)]
        case OnlyWith():
            first, *others = (view[name] for name in rule.fields)
            for other in others:
                first = first | other
            return [first & ~view[rule.flag]]
        case NonZeroUnless():
            return [~view[rule.flag] & (view[rule.field] == 0)]
    raise TypeError(f"no comparator for {rule!r}")
