"""The join loader brings the levels of a stored map, group by group, in the order in which a run fires its own."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...arch.config import HardwareConfig
from ...interface.commands import run_layout
from ...interface.memory import read_request
from .layouts import join_group
from .levels import JoinLevels
from .walk import JoinWalk


class JoinLoader(wiring.Component):
    """Brings the levels that a run adds: for each position, timestep and group those of a map in bit planes.

    Members
    -------
    run, i_start : In, fields of the RUN in progress; strobe at its start, in whose cycle the fields are there
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    o : Out stream of join_group
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(c)),
                "i_start": In(1),
                "o_request": Out(stream.Signature(read_request())),
                "i": In(stream.Signature(c.bus_bits)),
                "o": Out(stream.Signature(join_group(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = JoinWalk(self.config)
        m.submodules.levels = levels = JoinLevels(self.config)
        for one in (walk, levels):
            m.d.comb += [one.run.eq(self.run), one.i_start.eq(self.i_start)]
        wiring.connect(m, walk.o, wiring.flipped(self.o_request))
        wiring.connect(m, wiring.flipped(self.i), levels.i)
        wiring.connect(m, levels.o, wiring.flipped(self.o))
        return m
