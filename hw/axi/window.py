"""The address windows of the host, outside of which the accelerator neither reads nor writes."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import ADDRESS_BITS
from ..interface.memory import BURST_BEATS, window


def host_window() -> data.StructLayout:
    """Return the layout of a window as the host writes it: its first byte address and its size in bytes."""
    return data.StructLayout({"base": ADDRESS_BITS, "size": ADDRESS_BITS + 1})


def inside(allowed: data.View, word: Value, beats_less_one: Value) -> Value:
    """Return whether a burst lies in a window, as an expression.

    A burst never spans a multiple of BURST_BEATS words, so that its last word differs from its first, ``word``, in the
    lowest bits only. The other bits are compared without waiting for the sum of these.
    """
    low = clog2(BURST_BEATS)
    last = (word[:low] + beats_less_one)[:low]
    ends = (word[low:] < allowed.last[low:]) | ((word[low:] == allowed.last[low:]) & (last <= allowed.last[:low]))
    return allowed.open & (word >= allowed.first) & ends


class Windows(wiring.Component):
    """Keeps the host's two windows and the program's address for the length of a job.

    They are taken at the start, so that nothing that the host writes during a job can move them.

    Latency: the outputs are right ``LATENCY`` cycles after ``start``, and hold until the next start.

    Members
    -------
    start : In(1), strobe: a job begins
    i_program, i_read, i_write : In, what the host's registers hold
    program : Out, byte address of the program
    read, write : Out, layout :func:`window`
    bad : Out(1), the program's address or a window is not whole bus words, or a window ends beyond the address space
    """

    LATENCY = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "start": In(1),
                "i_program": In(ADDRESS_BITS),
                "i_read": In(host_window()),
                "i_write": In(host_window()),
                "program": Out(ADDRESS_BITS),
                "read": Out(window(c)),
                "write": Out(window(c)),
                "bad": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = clog2(self.config.bus_bits // 8)
        bad: list[Value] = [self.program[:shift].any()]
        with m.If(self.start):
            m.d.sync += self.program.eq(self.i_program)
        for name, given, out in (("read", self.i_read, self.read), ("write", self.i_write, self.write)):
            taken = Signal(host_window(), name=f"taken_{name}")  # so that the start does not wait for sums
            end = Signal(ADDRESS_BITS + 2, name=f"end_{name}")
            with m.If(self.start):
                m.d.sync += taken.eq(given)
            m.d.comb += end.eq(taken.base + taken.size)
            m.d.sync += [
                out.first.eq(taken.base >> shift),
                out.last.eq((end >> shift) - 1),
                out.open.eq(taken.size != 0),
            ]
            beyond = end[ADDRESS_BITS + 1] | (
                end[ADDRESS_BITS] & end[:ADDRESS_BITS].any()
            )  # without another carry chain
            bad += [taken.base[:shift].any(), taken.size[:shift].any(), beyond]
        m.d.sync += self.bad.eq(Cat(bad).any())
        return m
