"""Small combinational functions of the front-end.

Amaranth's expressions are trees: what is used more than once stands in a signal, or it would be built again and again.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike


def popcount(bits: Value) -> Value:
    """Number of set bits, by a balanced tree of additions (synthesis makes full adders of them)."""
    if len(bits) == 1:
        return bits[0]
    half = len(bits) // 2
    return (popcount(bits[:half]) + popcount(bits[half:]))[: len(bits).bit_length()]


def lowest(m: Module, bits: Value, count: int) -> list[Signal]:
    """One-hot masks of the ``count`` lowest set bits; a mask is zero when there is none."""
    masks, left = [], bits
    for n in range(count):
        below, mask = Signal(len(bits), name=f"below{n}"), Signal(len(bits), name=f"lowest{n}")
        m.d.comb += [below.eq(left - 1), mask.eq(left & ~below)]
        masks.append(mask)
        left = left & below
    return masks


def several(bits: Value) -> tuple[Value, Value]:
    """Whether a bit is set, and whether more than one is: a tree, shorter than the carry chain of ``bits - 1``."""
    if len(bits) == 1:
        return bits[0], C(0, 1)
    half = len(bits) // 2
    low, high = several(bits[:half]), several(bits[half:])
    return low[0] | high[0], low[1] | high[1] | (low[0] & high[0])


def highest(bits: Value) -> tuple[Value, Value]:
    """Whether a bit is set, and the index of the highest one (undefined without); a power of two of bits."""
    if len(bits) == 1:
        return bits[0], C(0, 0)
    half = len(bits) // 2
    low, high = highest(bits[:half]), highest(bits[half:])
    index = Mux(high[0], high[1], low[1])[: half.bit_length() - 1]
    return low[0] | high[0], Cat(index, high[0])


def select(flags: Iterable[ValueLike], values: Iterable[ValueLike]) -> Value:
    """The value whose (one-hot) flag is set, 0 if none is."""
    picked = [Mux(flag, Value.cast(value), 0) for flag, value in zip(flags, values, strict=True)]
    return reduce(or_, picked)


def encode(flags: Value | Sequence[Value]) -> Value:
    """Index of the one-hot flag."""
    width = max(1, (len(flags) - 1).bit_length())
    bits = [[flag for i, flag in enumerate(flags) if i >> n & 1] for n in range(width)]
    return Cat(reduce(or_, some, C(0, 1)) for some in bits)


def covers(row: Value, other: Value) -> Value:
    """``other`` is a subset of ``row``."""
    return (other & ~row) == 0


def precompute(m: Module, value: ValueLike, *, name: str = "precompute") -> Signal:
    """A value that stays a net of its own in synthesis: what comes late is not mixed into it to save a LUT."""
    held = Signal(Value.cast(value).shape(), name=name, attrs={"keep": 1})
    m.d.comb += held.eq(value)
    return held


def late_mux(select: Value, one: ValueLike, zero: ValueLike) -> Value:
    """``Mux(select, one, zero)`` of single bits, for a ``select`` that comes late.

    Not as a multiplexer: where both sides are the same function, synthesis would put the multiplexer before it.
    """
    return (select & one) | (~select & zero)


def equal(m: Module, late: Value, value: Value) -> Value:
    """``late == value``, two levels of LUTs behind a memory's output.

    Synthesis, which takes a block RAM's output for as early as a register's, would find that a chain takes no longer.
    """
    return Cat(precompute(m, late[n : n + 2] == value[n : n + 2], name="equal") for n in range(0, len(late), 2)).all()
