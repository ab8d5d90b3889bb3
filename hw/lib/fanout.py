"""Copies of a register that drives wide logic, one for every part of that logic.

A signal that all lanes depend on would be a net across the whole device, which is slower than any adder. So the lanes
are cut into parts, and each part has a register of its own, which the tools can place beside it.
"""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.hdl import ValueLike

COPIES = 8
"""The most copies of a register that synthesis can be kept from merging.

Synthesis merges registers that are equal. Up to this many copies can be made to differ: in the value that they start
from, in whether they take it at reset too, and in whether they keep the inverted value.

The second copy can still be merged with another register of the same value that has no reset, and the eighth with one
that resets to 0. That register then drives the part's loads too. Where it must not, cut the lanes into fewer parts.
"""


def parts(lanes: int, most: int = COPIES) -> list[range]:
    """Cut the lanes into up to ``most`` ranges, which are all of one size except that the last may be smaller."""
    size = -(-lanes // most)
    return [range(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def replicate(m: Module, value: ValueLike, count: int, *, name: str) -> list[Value]:
    """Return ``value`` a cycle later, from each of ``count`` registers.

    In the first cycle after reset the copies differ, so what they control must not matter in that cycle.

    Raises
    ------
    ValueError : ``count`` is more than ``COPIES``, so that synthesis would merge some of the registers.
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
    """Return ``value`` a cycle later for each of up to ``most`` parts of the lanes, as pairs of (lanes, value)."""
    cut = parts(lanes, most)
    return list(zip(cut, replicate(m, value, len(cut), name=name), strict=True))
