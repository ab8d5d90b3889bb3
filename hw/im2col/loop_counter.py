"""Counts nested loops, and knows a step ahead which of them steps next."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..lib.logic import precompute


class LoopCounter(wiring.Component):
    """Counts nested loops and names, one step ahead, the loop that steps next.

    ``step`` moves on by one iteration. ``select``, which is one-hot and a register, names the loop that this step
    advances: the innermost one that is not at its end. All loops inside it start over. At the very last iteration
    ``select`` is zero.

    Members
    -------
    count : In(16) x loops, iterations of each loop, the innermost first (constant while it counts)
    start : In(1), begin at the first iteration
    step : In(1)
    select : Out(loops), valid from the second cycle after ``start``
    """

    def __init__(self, loops: int) -> None:
        self.loops = loops
        super().__init__(
            {"count": In(16).array(loops), "start": In(1), "step": In(1), "select": Out(loops)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = [Signal(16, name=f"left{n}") for n in range(self.loops)]
        at_end = Cat(value == 0 for value in left)
        # Known before the step, for which only the registers' enables wait.
        inner_done = [precompute(m, at_end[:n].all() if n else Const(1)) for n in range(self.loops)]
        fire = [inner_done[n] & ~at_end[n] for n in range(self.loops)]
        primed = Signal()
        advance = Signal()
        m.d.sync += primed.eq(self.start)
        m.d.comb += advance.eq(self.step | primed)
        with m.If(advance):
            m.d.sync += self.select.eq(Cat(fire))
            for n in range(self.loops):
                with m.If(fire[n]):
                    m.d.sync += left[n].eq(left[n] - 1)
                with m.Elif(inner_done[n]):
                    m.d.sync += left[n].eq(self.count[n] - 1)
        with m.If(self.start):
            for n in range(self.loops):
                m.d.sync += left[n].eq(self.count[n] - 1)
        return m
