"""Small combinational functions.

Amaranth's expressions are trees, so whatever is used more than once is given a signal; else it would be built anew at
each use.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike


def popcount(bits: Value) -> Value:
    """Return the number of set bits, by a balanced tree of additions, which synthesis turns into full adders."""
    if len(bits) == 1:
        return bits[0]
    half = len(bits) // 2
    return (popcount(bits[:half]) + popcount(bits[half:]))[: len(bits).bit_length()]


def lowest(m: Module, bits: Value, count: int) -> list[Signal]:
    """Return one-hot masks of the ``count`` lowest set bits, the lowest first; masks without such a bit are zero."""
    masks, left = [], bits
    for n in range(count):
        below, mask = Signal(len(bits), name=f"below{n}"), Signal(len(bits), name=f"lowest{n}")
        m.d.comb += [below.eq(left - 1), mask.eq(left & ~below)]
        masks.append(mask)
        left = left & below
    return masks


def several(bits: Value) -> tuple[Value, Value]:
    """Return whether a bit is set, and whether more than one is.

    It is a tree, which is shorter than the carry chain of ``bits - 1``.
    """
    if len(bits) == 1:
        return bits[0], C(0, 1)
    half = len(bits) // 2
    low, high = several(bits[:half]), several(bits[half:])
    return low[0] | high[0], low[1] | high[1] | (low[0] & high[0])


def highest(bits: Value) -> tuple[Value, Value]:
    """Return whether a bit is set, and the index of the highest set bit, which is undefined if there is none.

    The number of bits must be a power of two.
    """
    if len(bits) == 1:
        return bits[0], C(0, 0)
    half = len(bits) // 2
    low, high = highest(bits[:half]), highest(bits[half:])
    index = Mux(high[0], high[1], low[1])[: half.bit_length() - 1]
    return low[0] | high[0], Cat(index, high[0])


def select(flags: Iterable[ValueLike], values: Iterable[ValueLike]) -> Value:
    """Return the value whose flag is set, or 0 if none is; at most one flag may be set."""
    picked = [Mux(flag, Value.cast(value), 0) for flag, value in zip(flags, values, strict=True)]
    return reduce(or_, picked)


def encode(flags: Value | Sequence[Value]) -> Value:
    """Return the index of the flag that is set, or 0 if none is; at most one flag may be set."""
    width = max(1, (len(flags) - 1).bit_length())
    bits = [[flag for i, flag in enumerate(flags) if i >> n & 1] for n in range(width)]
    return Cat(reduce(or_, some, C(0, 1)) for some in bits)


def covers(row: Value, other: Value) -> Value:
    """Return whether ``other`` is a subset of ``row``: each bit that is set in ``other`` is set in ``row`` too."""
    return (other & ~row) == 0


def precompute(m: Module, value: ValueLike, *, name: str = "precompute") -> Signal:
    """Return the value as a signal that stays a net of its own in synthesis.

    So synthesis cannot mix a signal that comes late into its logic in order to save a LUT.
    """
    held = Signal(Value.cast(value).shape(), name=name, attrs={"keep": 1})
    m.d.comb += held.eq(value)
    return held


def late_mux(select: Value, one: ValueLike, zero: ValueLike) -> Value:
    """Return ``Mux(select, one, zero)`` of values of the same width, for a ``select`` that comes late.

    It is not built as a multiplexer: where both sides are the same function of different operands, synthesis would
    move the multiplexer to the operands, and the late signal would pass the function too.
    """
    bits = len(Value.cast(one))
    return (select.replicate(bits) & one) | ((~select).replicate(bits) & zero)


def chosen(index: Value, values: Sequence[Value]) -> Value:
    """Return the value with an index, of as many values as there are indices."""
    for bit in index:
        values = [Mux(bit, *pair) for pair in zip(values[1::2], values[::2], strict=True)]
    return values[0]


def equal(m: Module, late: Value, value: Value) -> Value:
    """Return ``late == value`` in two levels of LUTs, for a ``late`` that comes from a memory's output.

    Synthesis assumes that a block RAM's output is as early as a register's. Left alone it would use a carry chain,
    which it takes to be no slower.
    """
    return Cat(precompute(m, late[n : n + 2] == value[n : n + 2], name="equal") for n in range(0, len(late), 2)).all()


def multiple(value: Value, n: int) -> ValueLike:
    """Return ``n * value`` for a constant ``n`` of at least 0, as a sum of shifts: no multiplier is spent on it."""
    terms: list[Value] = [value << k for k in range(n.bit_length()) if n >> k & 1]
    return sum(terms[1:], terms[0]) if terms else 0
