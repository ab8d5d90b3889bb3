"""The turns that m tiles take in the buffers of partial sums, as the drain follows them."""

from amaranth import Module, Mux, Signal, Value

from ..arch.config import HardwareConfig


def drained_buffer(m: Module, c: HardwareConfig, groups: Value, ends: Value) -> tuple[Value, Value]:
    """Return the buffer that is drained, or is the next to be, and the one in the next cycle.

    A RUN has two buffers or, if it is narrow, four. The scoreboard (hw/processor/scoreboard.py) counts in the same way.

    Parameters
    ----------
    groups : of the RUN whose m tiles may be drained, a cycle before they may
    ends : the m tile ends in this cycle
    """
    turn = Signal(c.buffer_bits, name="turn")
    if not c.narrow_buffers:
        m.d.sync += turn.eq(turn ^ ends)
        return turn, turn ^ ends
    narrow, buffer, following = Signal(), Signal(c.buffer_bits, name="buffer"), Signal(c.buffer_bits)
    m.d.sync += [narrow.eq(groups <= c.narrow_groups), turn.eq(following)]
    m.d.comb += [buffer.eq(Mux(narrow, turn, turn[0])), following.eq(Mux(ends, buffer + 1, turn))]
    return buffer, Mux(narrow, following, following[0])
