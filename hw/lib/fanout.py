"""Registers that drive wide logic, once for every part of it.

What all lanes hang on would be a net across the whole device: slower than any adder. So the lanes are cut into parts,
each with a register of its own, which is placed beside it.
"""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.hdl import ValueLike

COPIES = 8
"""Equal registers are merged by synthesis. So many can differ: in what they start from, whether at reset too, and
whether they keep the opposite.

The second copy is one with any other register of the same value that has no reset, the eighth with one that resets to
0: that one then has the part's loads too. Where it must not, cut into fewer parts.
"""


def parts(lanes: int, most: int = COPIES) -> list[range]:
    """The lanes in up to ``most`` parts, of equal size but for the last."""
    size = -(-lanes // most)
    return [range(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def replicate(m: Module, value: ValueLike, count: int, *, name: str) -> list[Value]:
    """``value`` a cycle later, from each of ``count`` registers.

    After reset they differ for a cycle: what they let through then must not matter. ``count``: at most ``COPIES``.
    """
    if count > COPIES:
        raise ValueError(f"count must be at most {COPIES}, not {count}: more copies would be merged")
    value, found = Value.cast(value), []
    for copy in range(count):
        start, at_reset, opposite = copy + 1 & 1, copy >> 1 & 1, 3 <= copy < 7
        register = Signal(len(value), name=f"{name}{copy}", init=-start % (1 << len(value)), reset_less=not at_reset)
        m.d.sync += register.eq(~value if opposite else value)
        found.append(~register if opposite else register)
    return found


def fan_out(m: Module, value: ValueLike, lanes: int, *, name: str, most: int = COPIES) -> list[tuple[range, Value]]:
    """``value`` a cycle later for each of up to ``most`` parts of the lanes: (lanes, value)."""
    cut = parts(lanes, most)
    return list(zip(cut, replicate(m, value, len(cut), name=name), strict=True))
