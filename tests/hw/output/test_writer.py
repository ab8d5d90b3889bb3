"""OutputWriter in RTL: levels and potentials to memory, alone and behind the neuron array."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.feature_map import FeatureMap
from reprise.hw.interface.row_order import block_positions
from reprise.hw.interface.streams import layer_config, neuron_params, psum_row
from reprise.hw.neurons.array import NeuronArray
from reprise.hw.output.layouts import write_command, writer_config
from reprise.hw.output.writer import OutputWriter
from reprise.model.inference.neurons import RESETS, integrate
from reprise.model.network.neuron import Neuron
from tests.hw.neurons.bench import row_items
from tests.hw.output.bench import (
    CONFIGS,
    TINY,
    check_commands,
    level_fields,
    memory_of,
    readout_fields,
    run_writer,
    windows,
)
from tests.support.streams import Sink, Source, run_streams


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("thermometer", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_random_levels(name, thermometer, idle, stall):
    c = CONFIGS[name]
    for seed in range(2):
        rng = np.random.default_rng(seed)
        k = int(rng.integers(1, 4))
        shape = tuple(int(n) for n in rng.integers(1, [3, 4, min(c.lanes, 20) + 1, 3 * k, 3 * k])) if k == 1 else None
        shape = shape or (2, 2, int(rng.integers(1, min(c.lanes, 20) + 1)), 2 * k + 1, k + 1)
        fields = level_fields(c, shape, k, int(rng.integers(1, 5)), thermometer, extra_pitch=seed)
        run_writer(c, rng.integers(0, c.max_levels + 1, shape), fields, idle=idle, stall=stall, seed=seed)


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    readout = data.draw(st.booleans())
    k = 1 if readout else data.draw(st.integers(1, 3))
    shape = (
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, min(c.lanes, 10 if readout else 20))),
        k * data.draw(st.integers(1, 2)) + data.draw(st.integers(0, k - 1)),
        k * data.draw(st.integers(1, 4)) + data.draw(st.integers(0, k - 1)),
    )
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    pitch, stride = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    if readout:
        fields = readout_fields(c, shape, extra_pitch=pitch)
        values = rng.integers(-(1 << (c.membrane_bits - 1)), 1 << (c.membrane_bits - 1), shape)
    else:
        planes, thermometer = data.draw(st.integers(1, 8)), data.draw(st.booleans())
        fields = level_fields(c, shape, k, planes, thermometer, extra_pitch=pitch, extra_stride=stride)
        values = rng.integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_writer(c, values, fields, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 1, 1, 1), (2, 3, 1, 1), (1, 2, 2, 3)], ids=str)
def test_readout(shape, channels):
    """Negative and positive potentials of a batch of linear layers, of a map, over time; odd numbers of words."""
    images, timesteps, height, width = shape
    shape = (images, timesteps, channels, height, width)
    values = np.random.default_rng(channels).integers(-(1 << 23), 1 << 23, shape)
    run_writer(TINY, values, readout_fields(TINY, shape))


@pytest.mark.parametrize("name", CONFIGS)
def test_extreme_potentials(name):
    c = CONFIGS[name]
    top = 1 << (c.membrane_bits - 1)
    values = np.array([-top, top - 1, -1, 0, 1]).reshape(1, 1, 5, 1, 1)
    run_writer(c, values, readout_fields(c, values.shape))


@pytest.mark.parametrize("encoding, n_levels", [("bitplane", 5), ("thermometer", 4), ("bitplane", 1)])
def test_bytes_of_a_feature_map(encoding, n_levels):
    """The words are what the host packs and unpacks."""
    c = TINY
    rng = np.random.default_rng(n_levels)
    levels = rng.integers(0, n_levels + 1, (2, 2, 7, 3, 11))
    planes = n_levels if encoding == "thermometer" else n_levels.bit_length()
    feature = FeatureMap(
        name="f",
        kind="planes",
        images=2,
        timesteps=2,
        channels=7,
        height=3,
        width=11,
        levels=n_levels,
        signed=False,
        encoding=encoding,
        planes=planes,
        block_channels=7,
        bus_bytes=c.bus_bits // 8,
    )
    fields = level_fields(c, levels.shape, 1, planes, encoding == "thermometer")
    _, sink = run_writer(c, levels, fields)
    image = bytearray(feature.bytes)
    for command in sink.items:
        image[command["address"] : command["address"] + 8] = command["data"].to_bytes(8, "little")
    assert bytes(image) == feature.pack(levels)


def test_bytes_of_potentials():
    c = TINY
    values = np.random.default_rng(1).integers(-1000, 1000, (2, 3, 5, 2, 3))
    feature = FeatureMap(
        name="f",
        kind="potentials",
        images=2,
        timesteps=3,
        channels=5,
        height=2,
        width=3,
        levels=0,
        signed=True,
        encoding="bitplane",
        planes=0,
        block_channels=5,
        bus_bytes=c.bus_bits // 8,
    )
    fields = readout_fields(c, values.shape)
    assert (fields["line_bytes"], fields["image_stride"]) == (feature.line_bytes, feature.image_bytes)
    _, sink = run_writer(c, values, fields)
    image = bytearray(feature.bytes)
    for command in sink.items:
        image[command["address"] : command["address"] + 8] = command["data"].to_bytes(8, "little")
    assert (feature.unpack(bytes(image)) == values).all()


def test_latency_and_throughput():
    """Whole words, one plane: an item per cycle, the word six cycles after the item that completes it."""
    levels = np.random.default_rng(0).integers(0, 2, (1, 1, 8, 4, 16))
    source, sink = run_writer(TINY, levels, level_fields(TINY, levels.shape, 1, 1))
    assert set(np.diff(source.cycles).tolist()) == {1}
    assert sink.offered[-1] == source.cycles[-1] + 6


@pytest.mark.parametrize("planes", [2, 3, 4])
def test_planes_of_a_group_take_a_cycle_each(planes):
    levels = np.random.default_rng(0).integers(0, 16, (1, 2, 8, 4, 16))
    source, _ = run_writer(TINY, levels, level_fields(TINY, levels.shape, 1, planes))
    assert set(np.diff(source.cycles[3:]).tolist()) == {planes}


def test_potentials_take_their_chunks():
    """neuron_lanes = 4: eight chunks for each of 8 channels."""
    values = np.random.default_rng(0).integers(-9, 9, (2, 2, 8, 1, 1))
    source, _ = run_writer(TINY, values, readout_fields(TINY, values.shape))
    assert set(np.diff(source.cycles).tolist()) == {8 * 4}


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
