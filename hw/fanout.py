"""Registers that drive wide logic, once for every part of it.

What all lanes hang on would be a net across the whole device: slower than any adder. So the lanes are cut into parts,
each with a register of its own, which is placed beside it.
"""

from __future__ import annotations

from amaranth import Module, Signal, Value

COPIES = 4
"""Equal registers are merged by synthesis. So many can differ: in what they start from, and whether at reset too.

A register of the same value that resets to 0 becomes one with the third copy: it then has that part's loads too.
"""


def parts(lanes: int) -> list[range]:
    """The lanes in up to ``COPIES`` parts, of equal size but for the last."""
    size = -(-lanes // COPIES)
    return [range(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def copies(m: Module, value, count: int, *, name: str) -> list[Signal]:
    """``value`` a cycle later, from each of ``count`` registers.

    After reset they differ for a cycle: what they let through then must not matter.
    """
    value, found = Value.cast(value), []
    for copy in range(count):
        start = -(copy & 1) & ((1 << len(value)) - 1)
        register = Signal(len(value), name=f"{name}{copy}", init=start, reset_less=not copy & 2)
        m.d.sync += register.eq(value)
        found.append(register)
    return found


def spread(m: Module, value, lanes: int, *, name: str) -> list[tuple[range, Signal]]:
    """``value`` a cycle later for every part of the lanes: (lanes, value)."""
    cut = parts(lanes)
    return list(zip(cut, copies(m, value, len(cut), name=name), strict=True))
