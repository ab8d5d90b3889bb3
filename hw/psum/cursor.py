"""The drain's cursor, which walks through the rows of an m tile in the order in which the neuron array wants them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import contexts
from ..interface.streams import layer_config


def drain_position(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of a row of the m tile and of what it stands for: its plane, position and timestep."""
    return data.StructLayout(
        {
            "row": c.row_bits,
            "plane": range(c.max_planes),
            "position": range(contexts(c)),  # number of the output position in its block of positions
            "t": range(c.max_timesteps),  # timestep
            "wrap_row": c.row_bits,  # the last row of the block's first position in this timestep
        }
    )


def drain_walk(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what determines the order of the rows. It is constant during a walk."""
    return data.StructLayout(
        {
            "end": c.row_bits,  # the last row
            "edge": c.row_bits,  # the first row of the last position
            "jump": c.row_bits,  # rows from a position's last plane to the next one's first plane: (T - 1) * P + 1
            "most": range(contexts(c)),  # number of positions of a block minus one
        }
    )


class DrainCursor(wiring.Component):
    """Walks through the rows 0..end, of which it visits each once.

    The order is that of hw/interface/row_order.py: by block of positions, timestep, position and plane. The row of a
    plane is ``row = (position * T + t) * P + plane``, where ``position`` counts all positions of the m tile. If
    positions are interleaved (``most`` > 0), the m tile has whole positions only. Its last block may have fewer of them
    than the others.

    Throughput: one row per cycle.

    Members
    -------
    i_layer : the layer (:func:`reprise.hw.interface.streams.layer_config`), constant during a walk
    walk : what determines the order (:func:`drain_walk`), constant during a walk
    clear, load, step : in the next cycle the cursor is at row 0; at ``i``; at the next row. Of several that are set,
        the first in this list counts
    i : the place that ``load`` goes to
    o : the place where the cursor is
    last, last_position : ``o`` is the m tile's last row; its position is the last of its block
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
        last_plane, last_t, first, across, back = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.last.eq(o.row == walk.end),
            self.last_position.eq((o.position == walk.most) | (o.row >= walk.edge)),
            last_plane.eq(o.plane + 1 == layer.planes),
            last_t.eq(o.t + 1 == layer.timesteps),
            first.eq(o.position == 0),
            across.eq(last_plane & ~self.last_position),
            back.eq(last_plane & self.last_position & ~last_t & ~first),
        ]
        with m.If(self.step):
            m.d.sync += [
                o.row.eq(Mux(back, o.wrap_row, o.row) + Mux(across, walk.jump, 1)),
                o.plane.eq(Mux(last_plane, 0, o.plane + 1)),
            ]
            with m.If(last_plane):
                m.d.sync += o.position.eq(Mux(self.last_position, 0, o.position + 1))
                with m.If(first):
                    m.d.sync += o.wrap_row.eq(o.row)
                with m.If(self.last_position):
                    m.d.sync += o.t.eq(Mux(last_t, 0, o.t + 1))
        with m.If(self.load):
            m.d.sync += o.eq(self.i)
        with m.If(self.clear):
            m.d.sync += o.eq(0)
        return m
