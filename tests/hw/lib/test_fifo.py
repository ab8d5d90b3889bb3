# amaranth: UnusedElaboratable=no
"""FIFOs: order, latency, throughput, level."""

import functools
import random

import pytest

from reprise.hw.lib.fifo import PushFifo, SmallFifo, StreamFifo
from reprise.hw.lib.skid import SkidBuffer
from tests.support.streams import Sink, Source, run_streams

PLAIN = functools.partial(StreamFifo, latency=2)
REGISTERED = functools.partial(StreamFifo, latency=3)
PASSING = functools.partial(SmallFifo, latency=0)
WIDE = functools.partial(SmallFifo, latency=0, cut=3)
WIDE_LATER = functools.partial(SmallFifo, latency=1, cut=8)


def after_reset(cycle: int) -> bool:
    """Nothing may come in the first cycle, in which the pointers of parts differ."""
    return cycle > 0


@pytest.mark.parametrize(
    ("kind", "latency"), [(PLAIN, 2), (REGISTERED, 3), (SmallFifo, 1), (PASSING, 0), (WIDE, 0), (WIDE_LATER, 1)]
)
def test_order_and_latency(kind, latency):
    items = list(range(200))
    for idle, stall in ((0.0, 0.0), (0.5, 0.2), (0.2, 0.6)):
        dut = kind(shape=8, depth=8)
        source, sink = Source(dut.i, items, idle=idle, gate=after_reset), Sink(dut.o, stall=stall, expect=200)
        run_streams(dut, [source], [sink], seed=7)
        assert sink.items == items
        assert sink.offered[0] - source.cycles[0] == latency
        if not idle:
            assert sink.cycles == list(range(1 + latency, 201 + latency))


@pytest.mark.parametrize(
    ("kind", "held"), [(PLAIN, 5), (REGISTERED, 6), (SmallFifo, 4), (PASSING, 4), (WIDE, 4), (WIDE_LATER, 4)]
)
def test_fills_and_drains(kind, held):
    """Without a reader it takes so many items, the depth and the registers behind it; then all of them come out."""
    dut = kind(shape=8, depth=4)
    source = Source(dut.i, list(range(40)), gate=after_reset)
    sink = Sink(dut.o, expect=40, gate=lambda cycle: cycle >= 50)
    run_streams(dut, [source], [sink])
    assert sink.items == list(range(40))
    assert len([cycle for cycle in source.cycles if cycle < 50]) == held


@pytest.mark.parametrize("latency", [2, 3])
@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize(("idle", "stall"), [(0, 0), (0.5, 0), (0, 0.7), (0.4, 0.4)])
def test_level_and_throughput(latency, depth, idle, stall):
    """The level counts what is inside, wherever it stands; an item leaves in every cycle, also at the least depth."""
    items = [random.Random(1).getrandbits(8) for _ in range(100)]
    dut = StreamFifo(shape=8, depth=depth, latency=latency)
    source, sink = Source(dut.i, items, idle=idle), Sink(dut.o, stall=stall, expect=len(items))

    def each(ctx, cycle):
        assert ctx.get(dut.level) == len(source.cycles) - len(sink.cycles)

    run_streams(dut, [source], [sink], seed=depth, each=each)
    assert sink.items == items
    if not idle and not stall:
        assert sink.cycles == [cycle + latency for cycle in source.cycles]
        assert source.cycles == list(range(source.cycles[0], source.cycles[0] + 100))


@pytest.mark.parametrize("pushes", [1, 2])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_pushes(pushes, stall):
    """Any mix of lanes in a cycle; the level counts what is in memory."""
    dut, rng = PushFifo(shape=8, depth=16, pushes=pushes), random.Random(pushes)
    sent, sink = [], Sink(dut.o, stall=stall)

    def each(ctx, cycle):
        room = 16 - ctx.get(dut.level)
        for lane in range(pushes):
            en = cycle < 300 and room > lane and rng.random() < 0.7
            ctx.set(dut.push[lane].en, en)
            ctx.set(dut.push[lane].data, (cycle * 2 + lane) & 255)
            if en:
                sent.append((cycle * 2 + lane) & 255)

    run_streams(dut, [], [sink], seed=3, quiet=400, each=each)
    assert sink.items == sent and len(sent) > 150


@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.5, 0.2), (0.2, 0.6), (0.0, 0.5)])
def test_skid(idle, stall):
    """No cycle of latency, no bubble; a producer gets ahead of the consumer by one item and not by two."""
    dut, items, ahead = SkidBuffer(shape=8), list(range(200)), set()
    source, sink = Source(dut.i, items, idle=idle), Sink(dut.o, stall=stall, expect=200)
    run_streams(dut, [source], [sink], seed=7, each=lambda ctx, cycle: ahead.add(len(source.cycles) - len(sink.cycles)))
    assert sink.items == items
    assert sink.offered[0] == source.cycles[0]
    if not stall:
        assert sink.cycles == source.cycles
    assert max(ahead) == (1 if stall else 0)


@pytest.mark.parametrize("depth", [0, 1, 3, 12, 2.0])
@pytest.mark.parametrize("kind", [SmallFifo, StreamFifo, PushFifo])
def test_init_wrong_depth(kind, depth):
    with pytest.raises(ValueError, match="depth must be a power of two of at least 2, not"):
        kind(shape=1, depth=depth)


def test_init_wrong_latency():
    with pytest.raises(ValueError, match="latency must be 0 or 1, not 2"):
        SmallFifo(shape=1, depth=4, latency=2)
    with pytest.raises(ValueError, match="latency must be 2 or 3, not 1"):
        StreamFifo(shape=1, depth=4, latency=1)


def test_init_wrong_pushes():
    with pytest.raises(ValueError, match="pushes must be 1 or 2, not 3"):
        PushFifo(shape=1, depth=4, pushes=3)
