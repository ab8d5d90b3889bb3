"""PlaneEncoder in RTL against the definition of planes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.output.plane_encoder import PlaneEncoder
from reprise.model.prosparsity.rows import encode_planes
from tests.hw.output.bench import group_items, plane
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny")
CONFIGS = {"tiny": TINY, "one lane": TINY.replace(neuron_lanes=1), "eight bits": TINY.replace(max_levels=255)}


def run_encoder(c, levels, planes, thermometer, *, idle=0.0, stall=0.0, seed=0):
    """Encodes levels [images, T, C, 1, 1]; checks every chunk; returns (source, sink)."""
    items = group_items(c, levels, 1, "level", np.random.default_rng(seed))
    channels = levels.shape[2]
    dut = design(PlaneEncoder, c)
    source = Source(dut.i, items, idle=idle)
    sink = Sink(dut.o, stall=stall, expect=planes * len(items))

    def setup(ctx):
        ctx.set(dut.i_planes, planes)
        ctx.set(dut.i_thermometer, thermometer)
        ctx.set(dut.i_channels, channels)

    run_streams(dut, [source], [sink], seed=seed, setup=setup)
    for n, chunk in enumerate(sink.items):
        item, p = items[n // planes], n % planes
        width = channels - item["group"] * c.neuron_lanes if item["last_group"] else c.neuron_lanes
        bits = sum(plane(z, p, thermometer) << lane for lane, z in enumerate(item["level"][:width]))
        assert chunk == {
            "bits": bits,
            "width": width,
            "last_plane": p == planes - 1,
            "last_group": item["last_group"],
            "last_t": item["last_t"],
        }, f"chunk {n}"
    return source, sink


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("thermometer", [False, True])
@pytest.mark.parametrize("planes", [1, 2, 4, 7, 8])
def test_random(planes, thermometer, idle, stall):
    """Thermometer planes of levels above P' (none exist in a network) would be full; planes above the bits are zero."""
    rng = np.random.default_rng(planes)
    levels = rng.integers(0, 16, (3, 2, int(rng.integers(1, 9)), 1, 1))
    run_encoder(TINY, levels, planes, thermometer, idle=idle, stall=stall, seed=planes)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    planes, thermometer = data.draw(st.integers(1, 8)), data.draw(st.booleans())
    shape = (2, data.draw(st.integers(1, 3)), data.draw(st.integers(1, c.lanes)), 1, 1)
    seed = data.draw(st.integers(0, 2**32 - 1))
    levels = np.random.default_rng(seed).integers(0, c.max_levels + 1, shape)
    idle, stall = data.draw(st.sampled_from([0, 0.5])), data.draw(st.sampled_from([0, 0.5]))
    run_encoder(c, levels, planes, thermometer, idle=idle, stall=stall, seed=seed)


@pytest.mark.parametrize("encoding", ["bitplane", "thermometer"])
@pytest.mark.parametrize("n_levels", [1, 2, 3, 4, 7, 8])
def test_every_level_as_the_model_encodes_it(n_levels, encoding):
    levels = np.arange(n_levels + 1)
    planes, _ = encode_planes(levels, n_levels, encoding)
    _, sink = run_encoder(TINY, levels.reshape(-1, 1, 1, 1, 1), planes.shape[1], encoding == "thermometer")
    got = np.array([chunk["bits"] for chunk in sink.items]).reshape(planes.shape)
    assert (got == planes).all()


@pytest.mark.parametrize("channels", range(1, 9))
def test_lanes_beyond_the_channels_are_zero(channels):
    _, sink = run_encoder(TINY, np.full((2, 1, channels, 1, 1), 15), 4, False)
    assert sum(chunk["width"] for chunk in sink.items) == 2 * 4 * channels


@pytest.mark.parametrize("planes", [1, 3])
def test_one_plane_per_cycle(planes):
    source, sink = run_encoder(TINY, np.random.default_rng(0).integers(0, 8, (4, 2, 8, 1, 1)), planes, False)
    assert sink.cycles[0] == source.cycles[0] + 1
    assert set(np.diff(sink.cycles).tolist()) == {1}
