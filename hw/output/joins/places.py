"""Counts the chunks of a stored map in the order in which its levels are added."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...arch.config import HardwareConfig
from ...interface.commands import run_layout
from ..layouts import last_width, line_config
from ..line_cursor import LineCursor
from .layouts import chunk_place


class ChunkPlaces(wiring.Component):
    """Gives the place of each chunk: planes are innermost, followed by groups, timesteps and positions.

    So chunks lie in the lines of a map just as a run writes them, and the same cursor counts them.

    Members
    -------
    run : In, fields of the RUN in progress
    i_start : In(1), strobe: a run begins, whose fields are there
    i_step : In(1), the chunk at ``o`` is taken
    o : Out(chunk_place), combinational
    o_busy : Out(1), there is such a chunk
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "run": In(run_layout(c)),
                "i_start": In(1),
                "i_step": In(1),
                "o": Out(chunk_place(c)),
                "o_busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, run = self.config, self.run
        m.submodules.cursor = cursor = LineCursor(c)
        chunk = cursor.i
        plane, group, t = Signal(range(c.max_planes)), Signal(range(c.groups)), Signal(range(c.max_timesteps))
        lines = {name: run[name] for name in line_config(c).members} | {"image_stride": run.join_image}
        m.d.comb += [
            *(cursor.i_config[name].eq(value) for name, value in lines.items()),
            chunk.last_plane.eq(plane + 1 == run.join_planes),
            chunk.last_group.eq(group + 1 == run.groups),
            chunk.last_t.eq(t + 1 == run.timesteps),
            chunk.width.eq(Mux(chunk.last_group, last_width(c, run.channels), c.neuron_lanes)),
            cursor.i_start.eq(self.i_start),
            cursor.i_step.eq(self.i_step),
            *(self.o[name].eq(cursor.o[name]) for name in ("q", "fill", "address")),
            self.o.begins.eq(cursor.o.fill == 0),
            self.o.spills.eq(cursor.o.fill + chunk.width > c.bus_bits),
            self.o.plane.eq(plane),
            self.o.last_plane.eq(chunk.last_plane),
        ]
        with m.If(self.i_step):
            m.d.sync += plane.eq(Mux(chunk.last_plane, 0, plane + 1))
            with m.If(chunk.last_plane):
                m.d.sync += group.eq(Mux(chunk.last_group, 0, group + 1))
                with m.If(chunk.last_group):
                    m.d.sync += t.eq(Mux(chunk.last_t, 0, t + 1))
            with m.If(cursor.o.last):
                m.d.sync += self.o_busy.eq(0)
        with m.If(self.i_start):
            m.d.sync += self.o_busy.eq(run.join_planes != 0)
        return m
