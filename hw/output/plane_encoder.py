"""The plane encoder turns spike levels into the binary planes that the next layer reads."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from .layouts import last_width, level_group, plane_chunk


class PlaneEncoder(wiring.Component):
    """Gives the planes p = 0 .. P'-1 of every level z: bit p of z (bit-plane), or ``z > p`` (thermometer).

    Once per plane, the levels of a group are shifted right for bit-planes, or counted down to zero for thermometer
    planes. The plane is then bit 0 of the levels, or whether they are not zero. Lanes beyond the last channel give
    zeros. Whether a plane is the last stands in a register, because pool and neurons wait for it.

    Latency: 1 cycle to the first plane. Throughput: one plane of a group per cycle, no gap between groups.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of level_group)
        The levels of one group of channels.
    i_planes : In
        P', 1..max_planes. This and the next two members are constant during a run.
    i_thermometer : In(1)
        The planes are thermometer planes; otherwise they are bit-planes.
    i_channels : In(16)
        The number of channels Cb of the layer's block.
    o : Out(stream of plane_chunk)
        One plane of the group, the lowest plane first.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(level_group(c))),
                "i_planes": In(range(c.max_planes + 1)),
                "i_thermometer": In(1),
                "i_channels": In(16),
                "o": Out(stream.Signature(plane_chunk(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, chunk = self.config, self.o.payload
        held = Signal(level_group(c), reset_less=True)
        plane, last = Signal(range(c.max_planes)), Signal()
        width = Signal.like(chunk.width)
        m.d.comb += [
            width.eq(Mux(held.last_group, last_width(c, self.i_channels), c.neuron_lanes)),
            chunk.width.eq(width),
            chunk.last_plane.eq(last),
            chunk.last_group.eq(held.last_group),
            chunk.last_t.eq(held.last_t),
            self.i.ready.eq(~self.o.valid | (self.o.ready & chunk.last_plane)),
        ]
        for n, level in enumerate(held.level):
            bit = Mux(self.i_thermometer, level != 0, level[0])
            m.d.comb += chunk.bits[n].eq(bit & (n < width))
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += level.eq(Mux(self.i_thermometer, level - (level != 0), level >> 1))
        m.d.sync += last.eq(plane + 1 == self.i_planes)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += plane.eq(Mux(last, 0, plane + 1))
            m.d.sync += last.eq(Mux(last, self.i_planes == 1, plane + 2 == self.i_planes))
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += held.eq(self.i.payload)
        return m
