"""The output writer: the way of a layer's levels or potentials to memory."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import neuron_out
from ..lib.skid import SkidBuffer
from .integer_packer import IntegerPacker
from .joins.layouts import join_group
from .joins.sum import LevelSum
from .layouts import integer_config, level_group, line_config, overlap_config, write_command, writer_config
from .line_packer import LinePacker
from .max_pool import MaxPool
from .plane_encoder import PlaneEncoder


class OutputWriter(wiring.Component):
    """Writes a layer's levels as lines of packed planes, or levels or potentials as an integer map.

    Where joins are built, stored levels are added first.

    Levels take one of two ways, and the potentials of a readout the last part of the second::

        i -> [MaxPool] -> [PlaneEncoder] -> [LinePacker] -> o
        i -> [MaxPool] ----------------> [IntegerPacker] -> o

    What each of them writes, and where, is in :mod:`reprise.hw.arch.program`. A level that the pool does not take waits
    in a skid buffer in front of it, so what is behind it does not hold the neurons back within the cycle.

    Items come in the order of positions, timesteps and groups, for one image after the other; with a pool, the
    positions come window by window, and the windows in row-major order, but if windows overlap they come line by line.
    A linear layer has one position per image. A
    run may write only some lines of a map, or some positions of its lines, so addresses count from the run's first
    word.

    Latency: without a pool, 6 cycles from the item that completes a word of its first plane to that word, 6 from a
    level and 4 from a potential that completes a word of an integer map. Throughput: one plane of one group per cycle;
    of an integer map a group per cycle, or a bus word where its integers are more.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i : In(stream of neuron_out)
        The levels or potentials of one group of channels at one position and timestep.
    i_stored : In(stream of join_group)
        Where joins are built: the stored levels that a run adds to its own.
    i_config : In(writer_config)
        The fields of the RUN command, which are constant from ``i_start`` to ``o_done``.
    i_start : In(1)
        A run begins. It is set for one cycle before the first item of every run; ``i`` is not valid in that cycle.
    o : Out(stream of write_command)
        The words of each line in order; the lines of a row take turns.
    o_done : Out(1)
        Every word of the run has been handed out. It is also set before the first run, and falls in the cycle after
        ``i_start``.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(neuron_out(c))),
                "i_config": In(writer_config(c)),
                "i_start": In(1),
                "o": Out(stream.Signature(write_command(c))),
                "o_done": Out(1, init=1),
                **({"i_stored": In(stream.Signature(join_group(c)))} if c.joins else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c, fields, item = self.config, self.i_config, self.i.payload
        m.submodules.pool = pool = MaxPool(c)
        m.submodules.encoder = encoder = PlaneEncoder(c)
        m.submodules.packer = packer = LinePacker(c)
        m.submodules.integers = integers = IntegerPacker(c)
        wiring.connect(m, encoder.o, packer.i)
        m.submodules.skid = skid = SkidBuffer(shape=level_group(c))
        wiring.connect(m, skid.o, self._build_join(m, pool).i if c.joins else pool.i)
        # The first item comes behind ``i_start``, so these registers know the run by then.
        whole, readout = Signal(), Signal()
        m.d.sync += [whole.eq(fields.int_bytes != 0), readout.eq(fields.readout)]
        m.d.comb += [
            pool.i_pool.eq(fields.pool),
            *(pool.i_config[name].eq(fields[name]) for name in (overlap_config(c).members if c.pool_words else ())),
            encoder.i_planes.eq(fields.out_planes),
            encoder.i_thermometer.eq(fields.out_thermometer),
            *(block.i_channels.eq(fields.channels) for block in (encoder, integers)),
            *(block.i_start.eq(self.i_start) for block in (pool, packer, integers)),
            *(packer.i_config[name].eq(fields[name]) for name in line_config(c).members),
            *(integers.i_config[name].eq(fields[name]) for name in integer_config(c).members),
            *(skid.i.payload[name].eq(item[name]) for name in skid.i.payload.shape().members),
            skid.i.valid.eq(self.i.valid & ~readout),
            self.i.ready.eq(Mux(readout, integers.i.ready, skid.i.ready)),
            encoder.i.payload.eq(pool.o.payload),
            encoder.i.valid.eq(pool.o.valid & ~whole),
            pool.o.ready.eq(Mux(whole, integers.i.ready, encoder.i.ready)),
            integers.i.valid.eq(Mux(readout, self.i.valid, pool.o.valid & whole)),
            *(one.ready.eq(self.o.ready) for one in (packer.o, integers.o)),
            self.o.valid.eq(packer.o.valid | integers.o.valid),
            self.o.payload.eq(Mux(whole, integers.o.payload.as_value(), packer.o.payload.as_value())),
        ]
        into, level = integers.i.payload, pool.o.payload
        for name in ("last_group", "last_t"):
            m.d.comb += into[name].eq(Mux(readout, item[name], level[name]))
        for n, value in enumerate(into.value):
            m.d.comb += value.eq(Mux(readout, item.potential[n], level.level[n]))
        with m.If(self.o.valid & self.o.ready & self.o.payload.last):
            m.d.sync += self.o_done.eq(1)
        with m.If(self.i_start):
            m.d.sync += self.o_done.eq(0)
        return m

    def _build_join(self, m: Module, pool: MaxPool) -> LevelSum:
        """Build what adds stored levels in front of the max pool."""
        fields, adds = self.i_config, Signal()
        m.submodules.join = join = LevelSum(self.config)
        wiring.connect(m, wiring.flipped(self.i_stored), join.i_stored)
        wiring.connect(m, join.o, pool.i)
        m.d.sync += adds.eq(fields.join_planes != 0)
        m.d.comb += [join.i_adds.eq(adds), join.i_levels.eq(fields.join_levels)]
        return join
