"""The drain's cursor, which walks through the rows of an m tile in the order in which the neuron array wants them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import contexts
from ..interface.streams import layer_config


def drain_position(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of where the planes of an output position and timestep begin, and of what they stand for."""
    return data.StructLayout(
        {
            "row": c.row_bits,  # of the first plane
            "position": range(contexts(c)),  # number of the output position in its block of positions
            "t": range(c.max_timesteps),  # timestep
            "wrap_row": c.row_bits,  # where the block's first position begins in this timestep
        }
    )


def drain_walk(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what determines the order of the rows. It is constant during a walk."""
    return data.StructLayout(
        {
            "end": c.row_bits,  # where the last planes begin
            "edge": c.row_bits,  # the first row of the last position
            "stride": range(c.tile_m + 1),  # the rows of a position, T * P
            "most": range(contexts(c)),  # number of positions of a block minus one
        }
    )


def drain_place(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of an output position and timestep whose rows are handed out."""
    return data.StructLayout(
        {
            "marks": c.max_planes,  # the planes whose rows must be handed out
            "dirty": 1,  # the last plane's row is dirty, as those of all others that must be handed out are
            "last": 1,  # it is the m tile's last one
            "last_position": 1,  # its position is the last of its block
            "position": drain_position(c),
        }
    )


def drain_row(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a row on its way out."""
    return data.StructLayout(
        {
            "row": c.row_bits,
            "plane": range(c.max_planes),
            "left": c.max_planes,  # the planes of its place that come after it
            "first": 1,  # it is the first of its place
            "last_plane": 1,
            "last": 1,  # it is the m tile's last one
            "dirty": 1,
            "place": drain_place(c),
        }
    )


class DrainCursor(wiring.Component):
    """Walks through the output positions and timesteps of an m tile, each of which has P rows, one for each plane.

    The order is that of hw/interface/row_order.py: by block of positions, timestep and position. The row of a plane is
    ``row = (position * T + t) * P + plane``, where ``position`` counts all positions of the m tile. If positions are
    interleaved (``most`` > 0), the m tile has whole positions only. Its last block may have fewer of them than the
    others.

    Throughput: P rows per cycle.

    Members
    -------
    i_layer : the layer (:func:`reprise.hw.interface.streams.layer_config`), constant during a walk
    walk : what determines the order (:func:`drain_walk`), constant during a walk
    clear, load, step : in the next cycle the cursor is at row 0; at ``i``; at the next position and timestep. Of
        several that are set, the first in this list counts
    i : the place that ``load`` goes to
    o : the place where the cursor is
    last, last_position : ``o`` is the m tile's last place; its position is the last of its block
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i_layer": In(layer_config(c)),
                "walk": In(drain_walk(c)),
                "clear": In(1),
                "load": In(1),
                "step": In(1),
                "i": In(drain_position(c)),
                "o": Out(drain_position(c)),
                "last": Out(1),
                "last_position": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        o, walk, layer = self.o, self.walk, self.i_layer
        last_t, first, back = Signal(), Signal(), Signal()
        m.d.comb += [
            self.last.eq(o.row == walk.end),
            self.last_position.eq((o.position == walk.most) | (o.row >= walk.edge)),
            last_t.eq(o.t + 1 == layer.timesteps),
            first.eq(o.position == 0),
            back.eq(self.last_position & ~last_t & ~first),
        ]
        with m.If(self.step):
            m.d.sync += [
                o.row.eq(Mux(back, o.wrap_row, o.row) + Mux(self.last_position, layer.planes, walk.stride)),
                o.position.eq(Mux(self.last_position, 0, o.position + 1)),
            ]
            with m.If(first):
                m.d.sync += o.wrap_row.eq(o.row)
            with m.If(self.last_position):
                m.d.sync += o.t.eq(Mux(last_t, 0, o.t + 1))
        with m.If(self.load):
            m.d.sync += o.eq(self.i)
        with m.If(self.clear):
            m.d.sync += o.eq(0)
        return m
