"""A field of a command or of loaded data, and how values are packed into fields and found in them again."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import HardwareConfig


@dataclass(frozen=True)
class Field:
    """A field: the bits ``offset .. offset+bits-1`` of word ``word``, in two's complement if ``signed``.

    With ``needs``, only a configuration has it in which the field of that name is not 0. In others its bits are
    reserved.
    """

    name: str
    word: int
    offset: int
    bits: int
    doc: str
    signed: bool = False
    needs: str = ""


def built(c: HardwareConfig, fields: list[Field]) -> list[Field]:
    """Return those of the fields that a configuration has."""
    return [f for f in fields if not f.needs or getattr(c, f.needs)]


def pack_fields(fields: dict[str, Field], values: dict[str, int], size: int, what: str) -> bytes:
    """Return fields packed into ``size`` little-endian bytes; ``what`` names the whole in errors.

    Raises
    ------
    ValueError
        A field is unknown, or a value does not fit its bits; the message gives the field's range.
    """
    word = 0
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{what}: unknown field {name!r}")
        f = fields[name]
        low, high = (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, (1 << f.bits) - 1)
        if not low <= value <= high:
            raise ValueError(f"{what}.{name} must be {low}..{high}, not {value}: it has {f.bits} bits")
        word |= (int(value) & ((1 << f.bits) - 1)) << (32 * f.word + f.offset)
    return word.to_bytes(size, "little")


def unpack_fields(fields: list[Field], data: bytes) -> dict[str, int]:
    """Return the values of fields that are packed in little-endian bytes."""
    word = int.from_bytes(data, "little")
    values = {}
    for f in fields:
        value = (word >> (32 * f.word + f.offset)) & ((1 << f.bits) - 1)
        values[f.name] = value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value
    return values
