"""Adds stored levels to those that neurons fire."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...arch.config import HardwareConfig
from ..layouts import level_group
from .layouts import join_group


class LevelSum(wiring.Component):
    """Gives ``min(z + s, N)`` of fired levels z and stored levels s, or z in a run that adds none.

    A group waits until the stored one of the same number is there. Nothing is registered.

    Members
    -------
    i, o : In and Out streams of level_group
    i_stored : In stream of join_group
    i_adds : In(1), there are stored levels; it is constant during a run
    i_levels : In, N, constant likewise
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(level_group(c))),
                "i_stored": In(stream.Signature(join_group(c))),
                "i_adds": In(1),
                "i_levels": In(c.level_bits),
                "o": Out(stream.Signature(level_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        adds, stored, there = self.i_adds, self.i_stored, Signal()
        m.d.comb += [
            there.eq(~adds | stored.valid),
            self.o.valid.eq(self.i.valid & there),
            self.i.ready.eq(self.o.ready & there),
            stored.ready.eq(self.o.ready & self.i.valid & adds),
            self.o.payload.eq(self.i.payload),
        ]
        for n, level in enumerate(self.i.payload.level):
            total = Signal(self.config.level_bits + 1, name=f"total{n}")
            m.d.comb += total.eq(level + stored.payload[n])
            with m.If(adds):
                m.d.comb += self.o.payload.level[n].eq(Mux(total > self.i_levels, self.i_levels, total))
        return m
