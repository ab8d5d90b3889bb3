"""The comparators that refuse an illegal command, built from the rules of :mod:`reprise.hw.arch.rules`."""

from __future__ import annotations

from amaranth import Cat, Shape, Value, signed, unsigned
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..arch.config import HardwareConfig
from ..arch.program import COMMAND_BYTES, COMMANDS, HEADER, Field
from ..arch.rule_kinds import (
    AddressFits,
    Aligned,
    AtMostWhen,
    CutInto,
    NonZeroUnless,
    NonZeroWith,
    OneOf,
    OneWhen,
    OnlyWith,
    Range,
    Rule,
    SumAtMost,
)
from ..arch.rules import rules


def raw_view(command: ValueLike, opcode: str) -> data.View:
    """Return a view of a command's raw bits that names all of its fields, the header's included."""
    return fields_view(command, HEADER + COMMANDS[opcode], COMMAND_BYTES)


def fields_view(raw: ValueLike, fields: list[Field], size: int) -> data.View:
    """Return a view of ``size`` raw bytes that names some fields."""
    places: dict[int | str, data.Field] = {f.name: data.Field(_shape(f), 32 * f.word + f.offset) for f in fields}
    return data.View(data.FlexibleLayout(size * 8, places), raw)


def _shape(field: Field) -> Shape:
    return signed(field.bits) if field.signed else unsigned(field.bits)


def _is_set(flag: Value) -> Value:
    return flag if len(flag) == 1 else flag != 0


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
        case OneOf():
            value = view[rule.field]
            return [~Cat(value == bound.value for bound in rule.values).any()]
        case CutInto():
            pieces, whole = view[rule.field] * rule.size.value, view[rule.whole]
            return [(pieces < whole) | (pieces >= whole + rule.size.value)]
        case OneWhen():
            return [_is_set(view[rule.flag]) & (view[rule.field] != 1)]
        case Aligned():
            return [view[rule.field][: rule.step.value.bit_length() - 1].any()] if rule.step.value > 1 else []
        case AddressFits():
            return [view[rule.field][rule.bits :].any()]
        case SumAtMost():
            first, *others = (view[name] for name in rule.fields)
            return [sum(others, first) > rule.most.value]
        case AtMostWhen():
            return [_is_set(view[rule.flag]) & (view[rule.field] > rule.most.value)]
        case OnlyWith():
            first, *others = (view[name] for name in rule.fields)
            for other in others:
                first = first | other
            return [first & ~view[rule.flag]]
        case NonZeroUnless():
            return [(view[rule.flag] == 0) & (view[rule.field] == 0)]
        case NonZeroWith():
            return [(view[rule.flag] != 0) & (view[rule.field] == 0)]
    raise TypeError(f"no comparator for {rule!r}")
