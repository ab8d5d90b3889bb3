"""The neuron array and the output writer together, as the accelerator joins them: partial sums to memory."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.interface.row_order import block_positions
from reprise.hw.interface.streams import layer_config, neuron_params, psum_row
from reprise.hw.neurons.array import NeuronArray
from reprise.hw.output.layouts import write_command, writer_config
from reprise.hw.output.writer import OutputWriter
from reprise.model.inference.neurons import RESETS, integrate
from reprise.model.network.neuron import Neuron
from tests.hw.neurons.bench import row_items
from tests.hw.output.bench import (
    TINY,
    check_commands,
    level_fields,
    memory_of,
    readout_fields,
    windows,
)
from tests.support.streams import Sink, Source, run_streams


class ArrayAndWriter(wiring.Component):
    """NeuronArray and OutputWriter as the accelerator joins them."""

    def __init__(self, config: HardwareConfig):
        self.config = c = config
        super().__init__(
            {
                "i_psum": In(stream.Signature(psum_row(c))),
                "i_params": In(stream.Signature(neuron_params(c))),
                "i_layer": In(layer_config(c)),
                "i_config": In(writer_config(c)),
                "i_start": In(1),
                "o": Out(stream.Signature(write_command(c))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = NeuronArray(self.config)
        m.submodules.writer = writer = OutputWriter(self.config)
        wiring.connect(m, wiring.flipped(self.i_psum), array.i_psum)
        wiring.connect(m, wiring.flipped(self.i_params), array.i_params)
        wiring.connect(m, array.o, writer.i)
        wiring.connect(m, writer.o, wiring.flipped(self.o))
        m.d.comb += [
            array.i_layer.eq(self.i_layer),
            writer.i_config.eq(self.i_config),
            writer.i_start.eq(self.i_start),
            self.o_done.eq(writer.o_done),
        ]
        return m


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.3, 0.3)], ids=str)
@pytest.mark.parametrize("readout, k, positions_per_tile", [(False, 1, 4), (False, 2, 3), (False, 3, 1), (True, 1, 5)])
def test_partial_sums_to_memory(readout, k, positions_per_tile, idle, stall):
    """Rows of partial sums to words in memory, by the model; windows straddle m tiles; 7 of 8 channels are real."""
    c, seed = TINY, 10 * k + int(10 * idle)
    rng = np.random.default_rng(seed)
    images, timesteps, planes, channels, height, width = 2, 2, 2, 7, 3, 7
    neuron = Neuron(
        kind="readout" if readout else "lif",
        levels=0 if readout else 5,
        reset="none" if readout else "soft",
        threshold=rng.integers(1, 80, channels),
        bias=rng.integers(-40, 40, channels),
        v0=rng.integers(-40, 40, channels),
        leak=np.full(channels, 256) if readout else rng.integers(0, 257, channels),
    )
    psums = rng.integers(-60, 120, (images, timesteps, planes, channels, height, width))
    sums = psums[:, :, 0] + 2 * psums[:, :, 1]
    levels, potentials = integrate(sums, neuron)
    values = potentials if readout else levels
    fields = readout_fields(c, values.shape) if readout else level_fields(c, values.shape, k, 3)
    want = memory_of(c, values, fields)

    lanes = np.pad(psums, ((0, 0), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0)), constant_values=99)
    positions = np.stack([lanes[image, ..., y, x] for image in range(images) for y, x in windows(height, width, k)])

    def lanes_of(name, g):
        return (getattr(neuron, name).tolist() + [1])[4 * g : 4 * g + 4]

    params = [{"group": g} | {n: lanes_of(n, g) for n in ("bias", "threshold", "v0", "leak")} for g in range(2)]
    layer = dict(readout=readout, reset=RESETS[neuron.reset], levels=neuron.levels, planes=planes, weigh=1, signed=0)
    layer |= dict(timesteps=timesteps, groups=2)
    rows = row_items(positions, positions_per_tile, block_positions(c, layer))
    dut = ArrayAndWriter(c)

    def setup(ctx):
        ctx.set(dut.i_layer, layer)
        ctx.set(dut.i_config, fields)

    sources = [
        Source(dut.i_params, params, idle=idle),
        Source(dut.i_psum, rows, idle=idle, gate=lambda cycle: cycle > 30),
    ]
    sink = Sink(dut.o, stall=stall, expect=len(want))
    run_streams(dut, sources, [sink], seed=seed, setup=setup, each=lambda ctx, cycle: ctx.set(dut.i_start, cycle == 20))
    check_commands(c, sink.items, want)
