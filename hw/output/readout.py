"""Cuts the membrane potentials of a readout, as 32-bit integers, into chunks for the line packer."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import neuron_out
from .layouts import plane_chunk
from .plane_encoder import last_width

POTENTIAL_BITS = 32


class NeuronReadout(wiring.Component):
    """Cuts the potentials of every channel into chunks of ``min(neuron_lanes, 32)`` bits, the lowest first.

    To the line packer, all timesteps and channels of a position are successive bits of one line: each chunk is the
    only plane of a group, and the position's last chunk is the last group of the only timestep.

    Latency: 0 cycles. Throughput: one chunk per cycle, so a channel takes ``32 / min(neuron_lanes, 32)`` cycles, which
    is enough because readout layers are small. An item stays at ``i`` until its last chunk has left, so no register is
    spent on it.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of neuron_out)
        The potentials of one group of channels.
    i_channels : In(16)
        The number of channels Cb of the layer's block, which is constant during a run.
    i_start : In(1)
        A run begins: the next item starts with its first chunk.
    o : Out(stream of plane_chunk)
        The chunks of the potentials, channel by channel.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(neuron_out(c))),
                "i_channels": In(16),
                "i_start": In(1),
                "o": Out(stream.Signature(plane_chunk(c))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, item, chunk = self.config, self.i.payload, self.o.payload
        size = min(c.neuron_lanes, POTENTIAL_BITS)
        pieces = POTENTIAL_BITS // size
        lane, piece = Signal(range(c.neuron_lanes)), Signal(range(pieces))
        potential = Signal(signed(POTENTIAL_BITS))
        lanes = Mux(item.last_group, last_width(c, self.i_channels), c.neuron_lanes)
        last_piece, last_lane = Signal(), Signal()
        m.d.comb += [
            last_piece.eq(piece == pieces - 1),
            last_lane.eq(last_piece & (lane + 1 == lanes)),
            potential.eq(item.potential[lane]),
            chunk.bits.eq(potential.as_unsigned().word_select(piece, size)),
            chunk.width.eq(size),
            chunk.last_plane.eq(1),
            chunk.last_group.eq(last_lane & item.last_group & item.last_t),
            chunk.last_t.eq(1),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & last_lane),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += piece.eq(Mux(last_piece, 0, piece + 1))
            with m.If(last_piece):
                m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
        with m.If(self.i_start):
            m.d.sync += [lane.eq(0), piece.eq(0)]
        return m
