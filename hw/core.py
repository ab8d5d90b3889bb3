"""The core connects the front-end, the processor and the neuron array by streams."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .arch.config import HardwareConfig
from .frontend import FrontEnd
from .interface import streams
from .interface.events import processor_events
from .neurons.array import NeuronArray
from .processor.processor import Processor


class Core(wiring.Component):
    """Computes a product-sparse matrix product and fires the multi-level neurons that follow it.

    For every tile of rows the front-end finds the prefix and the residual of each row. The processor adds the weight
    rows of the residual to the result of the prefix, and accumulates a partial sum for each row:
    ``psum[row] += sum_k rows[row, k] * weight[k, :]``. When an m tile is complete, its partial sums go through the
    neuron array: ``U = leak(V) + sum_p (psum << p) + c``, and then ``z = clip(floor(U / D), 0, N)``. Here V is the
    membrane potential before the timestep and U the one before firing, p counts the planes, c is the bias, D the
    threshold, z the level that is fired, and N the largest level.
    (Prosperity, HPCA 2025, arXiv 2503.03379, sections IV and V; multi-level neurons: arXiv 2510.24637.)

    Throughput: a tile in a stream of tiles takes max(residual bits, non-zero rows / banks) cycles, but no more than
    ``queries`` non-zero rows and ``load_rows`` rows pass per cycle. Meanwhile the next tile is searched, the partial
    sums of the last m tile are drained, and the neurons work.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_rows : stream of :func:`reprise.hw.interface.streams.tile_word`
    i_weights : stream of :func:`reprise.hw.interface.streams.weight_row`
    i_params : stream of :func:`reprise.hw.interface.streams.neuron_params`, only while no row of a layer is in flight
    i_addend : stream of :func:`reprise.hw.interface.streams.addend_group`, where addends are built
    i_layer : :func:`reprise.hw.interface.streams.layer_config`, constant from ``i_start`` until all has been given out
    i_start, i_m_tiles : strobe: the partial sums of a run may be drained; the number of its m tiles, constant as the
        layer is. Rows of the next run may come before all of this one has been given out, but they are not drained
        before the next strobe.
    o : stream of :func:`reprise.hw.interface.streams.neuron_out`
    events : single-cycle strobes for performance counters, see :func:`reprise.hw.interface.events.processor_events`
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_rows": In(stream.Signature(streams.tile_word(config))),
                "i_weights": In(stream.Signature(streams.weight_row(config))),
                "i_params": In(stream.Signature(streams.neuron_params(config))),
                "i_layer": In(streams.layer_config(config)),
                "i_start": In(1),
                "i_m_tiles": In(16),
                "o": Out(stream.Signature(streams.neuron_out(config))),
                "events": Out(processor_events(config)),
                **({"i_addend": In(stream.Signature(streams.addend_group(config)))} if config.addend_groups else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.frontend = frontend = FrontEnd(self.config)
        m.submodules.processor = processor = Processor(self.config)
        m.submodules.neurons = neurons = NeuronArray(self.config)
        connect(m, flipped(self.i_rows), frontend.i_rows)
        connect(m, frontend.o_begin, processor.i_begin)
        connect(m, frontend.o_end, processor.i_end)
        connect(m, frontend.o_compute, processor.i_compute)
        for bank in range(self.config.banks):
            connect(m, frontend.o_reuse[bank], processor.i_reuse[bank])
        connect(m, flipped(self.i_weights), processor.i_weights)
        connect(m, processor.o_psum, neurons.i_psum)
        connect(m, flipped(self.i_params), neurons.i_params)
        m.d.comb += [neurons.i_layer.eq(self.i_layer), processor.i_layer.eq(self.i_layer)]
        m.d.comb += [processor.i_start.eq(self.i_start), processor.i_m_tiles.eq(self.i_m_tiles)]
        if self.config.addend_groups:
            connect(m, flipped(self.i_addend), neurons.i_addend)
        connect(m, neurons.o, flipped(self.o))
        m.d.comb += self.events.eq(processor.counters)
        return m
