"""LinePacker in RTL: chunks of bits into lines of bus words."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.hw.arch.config import ConfigError, HardwareConfig
from reprise.hw.output.line_packer import LinePacker, check_chunk
from tests.hw.output.bench import check_commands, line_bytes_of, words_of
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams

TINY = HardwareConfig.load("tiny")
CONFIGS = {
    "tiny": TINY,
    "one lane": TINY.replace(neuron_lanes=1),
    "wide bus": TINY.replace(lanes=16, neuron_lanes=16, bus_bits=128),
    "chunk of a word": TINY.replace(lanes=64, neuron_lanes=64),
}


def chunks_and_memory(c, rng, *, images, lines, width, timesteps, planes, channels, pitch, stride):
    """Random chunks of a run in their order, and {byte offset: bus word}."""
    strings = {}
    chunks = []
    groups = -(-channels // c.neuron_lanes)
    for image, y, _x, t, g, p in itertools.product(
        range(images), range(lines), range(width), range(timesteps), range(groups), range(planes)
    ):
        size = min(c.neuron_lanes, channels - g * c.neuron_lanes)
        bits = rng.getrandbits(size)
        chunks.append(
            {
                "bits": bits,
                "width": size,
                "last_plane": p == planes - 1,
                "last_group": g == groups - 1,
                "last_t": t == timesteps - 1,
            }
        )
        address = image * stride + (y * timesteps * planes + t * planes + p) * pitch
        strings.setdefault(address, []).extend((bits >> i) & 1 for i in range(size))
    memory = {}
    for address, bits in strings.items():
        memory |= {address + n * c.bus_bits // 8: word for n, word in enumerate(words_of(bits, c.bus_bits))}
    return chunks, memory


def run_packer(c, *, idle=0.0, stall=0.0, seed=0, extra_pitch=0, extra_stride=0, **shape):
    """Packs a random run; checks the words; returns (source, sink)."""
    bus_bytes = c.bus_bits // 8
    pitch = line_bytes_of(shape["width"] * shape["channels"], bus_bytes) + extra_pitch * bus_bytes
    stride = shape["lines"] * shape["timesteps"] * shape["planes"] * pitch + extra_stride * bus_bytes
    chunks, memory = chunks_and_memory(c, random.Random(seed), pitch=pitch, stride=stride, **shape)
    dut = design(LinePacker, c)
    fields = {
        "image_stride": stride,
        "line_bytes": pitch,
        "out_width": shape["width"],
        "out_lines": shape["lines"],
        "images": shape["images"],
    }
    source = Source(dut.i, chunks, idle=idle, gate=lambda cycle: cycle > 1)
    sink = Sink(dut.o, stall=stall, expect=len(memory))

    def each(ctx, cycle):
        ctx.set(dut.i_start, cycle == 1)

    run_streams(dut, [source], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_config, fields), each=each)
    check_commands(c, sink.items, memory)
    return source, sink


BASE = dict(images=1, lines=2, width=5, timesteps=2, planes=2, channels=7)


@pytest.mark.parametrize("idle, stall", [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_random(name, idle, stall):
    c = CONFIGS[name]
    for seed in range(4):
        rng = random.Random(seed)
        shape = dict(
            images=rng.randint(1, 3),
            lines=rng.randint(1, 3),
            width=rng.randint(1, 12),
            timesteps=rng.randint(1, 3),
            planes=rng.randint(1, 4),
            channels=rng.randint(1, c.lanes),
        )
        run_packer(c, idle=idle, stall=stall, seed=seed, **shape)


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_hypothesis(data):
    c = CONFIGS[data.draw(st.sampled_from(list(CONFIGS)))]
    shape = {
        name: data.draw(st.integers(1, most), label=name)
        for name, most in dict(images=2, lines=3, width=9, timesteps=3, planes=3, channels=c.lanes).items()
    }
    run_packer(
        c,
        idle=data.draw(st.sampled_from([0, 0.5])),
        stall=data.draw(st.sampled_from([0, 0.5])),
        seed=data.draw(st.integers(0, 2**32 - 1)),
        extra_pitch=data.draw(st.integers(0, 2)),
        extra_stride=data.draw(st.integers(0, 3)),
        **shape,
    )


CORNERS = {
    "single bit": dict(BASE, lines=1, width=1, timesteps=1, planes=1, channels=1),
    "linear layer": dict(BASE, images=4, lines=1, width=1, channels=8),
    "one plane, one group": dict(BASE, timesteps=1, planes=1, channels=4),
    "one plane, two groups": dict(BASE, timesteps=1, planes=1, channels=8, width=20),
    "line shorter than a word": dict(BASE, width=3, channels=5),
    "line of exactly a word": dict(BASE, width=8, channels=8),
    "line of exactly two words": dict(BASE, width=16, channels=8),
    "line a bit longer than a word": dict(BASE, width=13, channels=5),
    "line a bit shorter than two words": dict(BASE, width=127, channels=1),
    "channels no multiple of the lanes": dict(BASE, width=30, channels=7),
    "all timesteps and planes": dict(BASE, width=2, lines=2, timesteps=8, planes=8, channels=3),
    "pitch and stride with holes": dict(BASE, images=3, extra_pitch=3, extra_stride=5),
}


@pytest.mark.parametrize("stall", [0, 0.7])
@pytest.mark.parametrize("name", CORNERS)
def test_corners(name, stall):
    run_packer(TINY, stall=stall, **CORNERS[name])


def test_large_stride():
    """Images 1 MiB apart and a pitch of 64 KiB less a word."""
    run_packer(TINY, **dict(BASE, images=3), extra_pitch=8190, extra_stride=1 << 17)


@pytest.mark.parametrize("planes, channels", [(1, 4), (1, 8), (2, 4), (3, 8)])
def test_one_chunk_per_cycle(planes, channels):
    """Whole words only: nothing ever waits; the word leaves three cycles after the chunk that completes it."""
    shape = dict(BASE, lines=2, width=64 // channels * 2, timesteps=1, planes=planes, channels=channels)
    source, sink = run_packer(TINY, **shape)
    assert set(np.diff(source.cycles).tolist()) == {1}
    assert sink.cycles[-1] == source.cycles[-1] + 3


def test_two_words_at_the_end_of_a_line_cost_one_cycle():
    """13 positions of 5 channels: chunks of 8 bits end a line across two words, chunks of 4 do not."""
    source, sink = run_packer(TINY, **dict(BASE, lines=3, width=13, timesteps=1, planes=1, channels=5))
    gaps = np.diff(source.cycles)
    assert set(gaps.tolist()) == {1}, "the last chunk begins a word: it does not complete one"
    c = TINY.replace(neuron_lanes=8)
    source, sink = run_packer(c, **dict(BASE, lines=3, width=13, timesteps=1, planes=1, channels=5))
    gaps = np.diff(source.cycles).tolist()
    assert gaps.count(2) == 2 and gaps.count(1) == len(gaps) - 2
    assert gaps[14] == gaps[27] == 2, "two chunks wait in the queue, and the next one outside"


def test_runs_follow_each_other():
    """i_start brings the counters back, also when the run before was left unfinished."""
    c = TINY
    shape = dict(BASE, images=2)
    pitch = line_bytes_of(35, 8)
    stride = 8 * pitch
    chunks, memory = chunks_and_memory(c, random.Random(5), pitch=pitch, stride=stride, **shape)
    dut = design(LinePacker, c)
    fields = {"image_stride": stride, "line_bytes": pitch, "out_width": 5, "out_lines": 2, "images": 2}
    lead = 50  # inside the second row: four whole lines of the first have been written
    starts = 0, 90
    source = Source(
        dut.i, chunks[:lead] + chunks, gate=lambda cycle: cycle > (100 if len(source.cycles) == lead else 0)
    )
    sink = Sink(dut.o, expect=4 + len(memory))

    def each(ctx, cycle):
        ctx.set(dut.i_start, cycle in starts)

    run_streams(dut, [source], [sink], setup=lambda ctx: ctx.set(dut.i_config, fields), each=each)
    check_commands(c, sink.items[4:], memory)


def test_init_wrong_chunk():
    with pytest.raises(ConfigError, match="neuron_lanes must be at most bus_bits=64, not 128"):
        check_chunk(TINY.replace(lanes=128, neuron_lanes=128))
