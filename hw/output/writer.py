"""The output writer: the way of a layer's levels or a readout's potentials to memory."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import neuron_out
from .layouts import line_config, write_command, writer_config
from .line_packer import LinePacker
from .max_pool import MaxPool
from .plane_encoder import PlaneEncoder
from .readout import NeuronReadout


class OutputWriter(wiring.Component):
    """Writes a layer's levels as lines of packed planes, or a readout's potentials as lines of int32.

    Levels take this way, and lie in these lines::

        i -> [MaxPool] -> [PlaneEncoder] -> [LinePacker] -> o
        line (image, y, q = t * P' + p): bit x * Cb + c,     address = image * image_stride + (y * Q + q) * line_bytes

    Here P' is the number of planes of a level, Q the number of planes of all timesteps, and Cb the number of channels
    of the block. A readout has one line per image and y. It holds the potentials as int32 [x][t][c], little endian, at
    address = image * image_stride + y * line_bytes.

    Items come in the order of positions, timesteps and groups, for one image after the other; with a pool, the
    positions come window by window, and the windows in row-major order. A linear layer has one position per image. A
    run may write only some lines of a map, or some positions of its lines, so addresses count from the run's first
    word.

    Latency: without a pool, 6 cycles from the item that completes a word of its first plane to that word, and 3 cycles
    for a readout. Throughput: one plane of one group per cycle; a potential takes ``32 / min(neuron_lanes, 32)``
    cycles.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of neuron_out)
        The levels or potentials of one group of channels at one position and timestep.
    i_config : In(writer_config)
        The fields of the RUN command, which are constant from ``i_start`` to ``o_done``.
    i_start : In(1)
        A run begins. It is set for one cycle before the first item of every run; ``i`` is not valid in that cycle.
    o : Out(stream of write_command)
        The words of each line in order; the lines of a row take turns.
    o_done : Out(1)
        Every word of the run has been handed out. It falls in the cycle after ``i_start``.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(neuron_out(c))),
                "i_config": In(writer_config(c)),
                "i_start": In(1),
                "o": Out(stream.Signature(write_command(c))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, fields = self.config, self.i_config
        m.submodules.pool = pool = MaxPool(c)
        m.submodules.encoder = encoder = PlaneEncoder(c)
        m.submodules.readout = readout = NeuronReadout(c)
        m.submodules.packer = packer = LinePacker(c)
        wiring.connect(m, pool.o, encoder.i)
        wiring.connect(m, packer.o, wiring.flipped(self.o))
        m.d.comb += [
            pool.i_pool.eq(fields.pool),
            encoder.i_planes.eq(fields.out_planes),
            encoder.i_thermometer.eq(fields.out_thermometer),
            encoder.i_channels.eq(fields.channels),
            readout.i_channels.eq(fields.channels),
            readout.i.payload.eq(self.i.payload),
            self.o_done.eq(packer.o_done),
        ]
        m.d.comb += [block.i_start.eq(self.i_start) for block in (pool, readout, packer)]
        m.d.comb += [packer.i_config[name].eq(fields[name]) for name in line_config(c).members]
        m.d.comb += [pool.i.payload[name].eq(self.i.payload[name]) for name in pool.i.payload.shape().members]
        with m.If(fields.readout):
            m.d.comb += [
                readout.i.valid.eq(self.i.valid),
                self.i.ready.eq(readout.i.ready),
                packer.i.payload.eq(readout.o.payload),
                packer.i.valid.eq(readout.o.valid),
                readout.o.ready.eq(packer.i.ready),
            ]
        with m.Else():
            m.d.comb += [
                pool.i.valid.eq(self.i.valid),
                self.i.ready.eq(pool.i.ready),
                packer.i.payload.eq(encoder.o.payload),
                packer.i.valid.eq(encoder.o.valid),
                encoder.o.ready.eq(packer.i.ready),
            ]
        return m
