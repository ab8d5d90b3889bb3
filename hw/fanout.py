"""Registers that drive wide logic, once for every part of it.

What all lanes hang on would be a net across the whole device: slower than any adder. So the lanes are cut into parts,
each with a register of its own, which is placed beside it.
"""

from __future__ import annotations

from amaranth import Module, Signal, Value

COPIES = 4
"""Equal registers are merged by synthesis. So many can differ: in polarity, and in the value they start from."""


def parts(lanes: int) -> list[range]:
    """The lanes in up to ``COPIES`` parts, of equal size but for the last."""
    size = -(-lanes // COPIES)
    return [range(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def raw_copies(m: Module, value, count: int, *, name: str, words: int = 0) -> list[tuple[Signal, int]]:
    """``value`` a cycle later, ``count`` times: registers, and what each is to be XORed with.

    Every other one is inverted; as an address of a memory of so many ``words``, only in as many of its lower bits as
    keep it in the memory. Not reset: the value of the cycle before must be right when it is first used.
    """
    value = Value.cast(value)
    ones, found = (1 << len(value)) - 1, []
    for copy in range(count):
        invert = ((words & -words) - 1 if words else ones) * (copy & 1)
        register = Signal(len(value), name=f"{name}{copy}", init=ones * (copy >> 1), reset_less=True)
        m.d.sync += register.eq(value ^ invert)
        found.append((register, invert))
    return found


def spread(m: Module, value, lanes: int, *, name: str) -> list[tuple[range, Value]]:
    """``value`` a cycle later for every part of the lanes: (lanes, value)."""
    cut = parts(lanes)
    copies = raw_copies(m, value, len(cut), name=name)
    return [(part, register ^ invert) for part, (register, invert) in zip(cut, copies, strict=True)]
