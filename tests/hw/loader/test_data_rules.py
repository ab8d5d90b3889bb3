"""Loaded segments and parameters that break a rule are told, in hardware as in software."""

from __future__ import annotations

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import PARAMETERS, SEGMENT, SEGMENT_BYTES, pack_fields
from reprise.hw.arch.rules import data_violations
from reprise.hw.interface.commands import Kind
from reprise.hw.loader.loader import Loader
from tests.hw.loader.bench import Feed
from tests.support.simulation import design, simulate

TINY = HardwareConfig.load("tiny")


def flags_of(dut, feed, job):
    """Whether the loader says that what a load brought breaks a rule."""
    seen = []

    async def bench(ctx):
        ctx.set(dut.o_params.ready, 1)
        ctx.set(dut.i_job.payload, job)
        ctx.set(dut.i_job.valid, 1)
        await ctx.tick().until(dut.i_job.ready)
        ctx.set(dut.i_job.valid, 0)
        for _ in range(60):
            _, _, bad = await ctx.tick().sample(dut.bad_data)
            seen.append(bad)

    simulate(dut, bench, background=[feed.run], limit=1000)
    return any(seen)


def test_segments_that_break_a_rule_are_told():
    """Length and shift around their limits, and every bit that no field names, in hardware as in software."""
    dut, k, seen = design(Loader, TINY), TINY.tile_k, set()
    fields = {f.name: f for f in SEGMENT}
    places = [(n, s) for n in (0, 1, k - 1, k, k + 1, 127) for s in (0, 1, k - 1, k, 63, k - n) if 0 <= s < 64]
    raws = [pack_fields(fields, {"length": n, "shift": s}, SEGMENT_BYTES, "segment") for n, s in places]
    good = pack_fields(fields, {"length": 3, "shift": 1, "last": 1}, SEGMENT_BYTES, "segment")
    raws += [(int.from_bytes(good, "little") | 1 << bit).to_bytes(8, "little") for bit in (55, 59, 63)]
    for raw in raws:
        image = good + raw + good + bytes(64)
        job = dict(kind=Kind.SEGMENTS, source=0, beats=3, chunks=1, stride=0, target=0, items=3)
        bad = flags_of(dut, Feed(dut, image, TINY.bus_bits // 8, idle=0.0), job)
        assert bad == bool(data_violations(TINY, "segment", raw)), raw
        seen.add(bad)
    assert seen == {True, False}


@pytest.mark.parametrize("channel", [0, TINY.neuron_lanes - 1])
def test_parameters_that_break_a_rule_are_told(channel):
    """Every parameter at and beyond its limits, in one channel of a group, in hardware as in software."""
    dut, top, seen = design(Loader, TINY), 1 << (TINY.membrane_bits - 1), set()
    most = 1 << 31
    values = {
        "threshold": (1, 0, -1, top - 1, top, most - 1, -most),
        "leak": (0, 255, 256, 257, 511, 512, -1, 1 << 16),
        "bias": (-top, -top - 1, top - 1, top, most - 1),
        "v0": (-top, -top - 1, top - 1, top, -most),
    }
    for name, limits in values.items():
        for value in limits:
            if not -most <= value < most:
                continue
            channels = [{"bias": 1, "threshold": 5, "v0": -2, "leak": 256} for _ in range(TINY.neuron_lanes)]
            channels[channel][name] = value
            raw = [b"".join(c[f.name].to_bytes(4, "little", signed=True) for f in PARAMETERS) for c in channels]
            image = b"".join(raw) + bytes(256)
            beats = len(b"".join(raw)) * 8 // TINY.bus_bits
            job = dict(kind=Kind.PARAMS, source=0, beats=beats, chunks=1, stride=0, target=0, items=1)
            bad = flags_of(dut, Feed(dut, image, TINY.bus_bits // 8, idle=0.0), job)
            assert bad == bool(data_violations(TINY, "parameters", raw[channel])), (name, value)
            seen.add(bad)
    assert seen == {True, False}
