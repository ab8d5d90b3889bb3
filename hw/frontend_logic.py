"""Small combinational functions of the front-end, written so that they map to few LUTs."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value


def popcount(m: Module, bits) -> Value:
    """Number of set bits, by full adders (carry chains would be wasted on one-bit operands).

    Every sum and carry is a signal: an expression used twice would be emitted twice, doubling at every level.
    """

    def shared(value):
        wire = Signal(name="adder")
        m.d.comb += wire.eq(value)
        return wire

    columns = [[bits[i] for i in range(len(bits))]]
    total = []
    while columns:
        column, carries = columns.pop(0), []
        while len(column) > 1:
            a, b = column.pop(0), column.pop(0)
            half = shared(a ^ b)
            if column:
                c = column.pop(0)
                column.append(shared(half ^ c))
                carries.append(shared((a & b) | (c & half)))
            else:
                column.append(half)
                carries.append(shared(a & b))
        total.append(column[0])
        if carries:
            columns = [carries + (columns[0] if columns else [])] + columns[1:]
    count = Signal(len(bits).bit_length(), name="count")
    m.d.comb += count.eq(Cat(total))
    return count


def lowest(bits, count: int) -> list[Value]:
    """One-hot masks of the ``count`` (1 or 2) lowest set bits; a mask is zero when there is none."""
    one, two = C(0, 1), C(0, 1)  # at least one, at least two set below
    masks = [[], []]
    for bit in bits:
        masks[0].append(bit & ~one)
        masks[1].append(bit & one & ~two)
        one, two = one | bit, two | (one & bit)
    return [Cat(mask) for mask in masks[:count]]


def highest(bits) -> tuple[Value, Value]:
    """Whether a bit is set, and the index of the highest one (undefined without); a power of two of bits."""
    if len(bits) == 1:
        return bits[0], C(0, 0)
    half = len(bits) // 2
    low, high = highest(bits[:half]), highest(bits[half:])
    index = Mux(high[0], high[1], low[1])[: half.bit_length() - 1]
    return low[0] | high[0], Cat(index, high[0])


def select(flags, values) -> Value:
    """The value whose (one-hot) flag is set, 0 if none is."""
    picked = [Mux(flag, Value.cast(value), 0) for flag, value in zip(flags, values, strict=True)]
    return reduce(or_, picked)


def encode(flags) -> Value:
    """Index of the one-hot flag."""
    width = max(1, (len(flags) - 1).bit_length())
    bits = [[flag for i, flag in enumerate(flags) if i >> n & 1] for n in range(width)]
    return Cat(reduce(or_, some, C(0, 1)) for some in bits)


def covers(row, other) -> Value:
    """``other`` is a subset of ``row``."""
    return (other & ~row) == 0
