"""Keeps synthesis from mixing what comes late into logic that is early: it counts LUTs, not nets of a hundred loads."""

from amaranth import Cat, Signal, Value


def beforehand(m, value, *, name: str = "beforehand") -> Signal:
    """A value that stays a net of its own in synthesis: what comes late is not mixed into it to save a LUT."""
    kept = Signal(Value.cast(value).shape(), name=name, attrs={"keep": 1})
    m.d.comb += kept.eq(value)
    return kept


def late_mux(select, one, zero) -> Value:
    """``Mux(select, one, zero)`` of single bits, for a ``select`` that comes late.

    Not as a multiplexer: where both sides are the same function, synthesis would put the multiplexer before it.
    """
    return (select & one) | (~select & zero)


def equal(m, late, value) -> Value:
    """``late == value``, two levels of LUTs behind a memory's output.

    Synthesis, which takes a block RAM's output for as early as a register's, would find that a chain takes no longer.
    """
    return Cat(beforehand(m, late[n : n + 2] == value[n : n + 2], name="equal") for n in range(0, len(late), 2)).all()
