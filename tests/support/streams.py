"""Put, get and assert on streams in the Amaranth simulator.

Two styles:

- :func:`put` and :func:`get` for short directed benches inside a testbench;
- :class:`Source`, :class:`Sink` and :func:`run_streams` for whole benches: one testbench serves every stream,
  idles and stalls at random, checks the stream rule (valid and payload hold until ready), notes the cycle of every
  transfer, asserts that everything expected came and that nothing more comes afterwards.

Payloads are plain integers, lists and dictionaries (see :func:`pack` and :func:`unpack`). Cycle 0 is the first
clock edge; a transfer's cycle is the edge at which valid and ready were both high.
"""

import random
from dataclasses import dataclass, field

from amaranth import Shape
from amaranth.lib import data

from tests.support.simulation import simulate


def pack(shape, value) -> int:
    """The bits of ``value`` (integer, list or mapping; missing fields are 0) in ``shape``."""
    if isinstance(value, int):
        return value & ((1 << Shape.cast(shape).width) - 1)
    if isinstance(shape, data.StructLayout) and set(value) - set(shape.members):
        raise KeyError(f"no fields {set(value) - set(shape.members)} in {shape!r}")
    items = value.items() if isinstance(shape, data.StructLayout) else enumerate(value)
    bits = 0
    for key, item in items:
        place = shape[key]
        bits |= pack(place.shape, item) << place.offset
    return bits


def unpack(shape, bits: int):
    """The inverse of :func:`pack`: dictionaries, lists and (signed) integers."""
    if isinstance(shape, data.StructLayout):
        return {name: unpack(shape[name].shape, bits >> shape[name].offset) for name in shape.members}
    if isinstance(shape, data.ArrayLayout):
        return [unpack(shape.elem_shape, bits >> shape[i].offset) for i in range(shape.length)]
    plain = Shape.cast(shape)
    bits &= (1 << plain.width) - 1
    return bits - (1 << plain.width) if plain.signed and bits >> (plain.width - 1) else bits


def _bits_of(stream):
    payload = stream.payload
    return payload.as_value() if hasattr(payload, "as_value") else payload


def _shape_of(stream):
    return stream.payload.shape()


async def put(ctx, stream, value, *, timeout: int = 10_000) -> int:
    """Transfer one payload into ``stream``; returns the cycles it waited."""
    ctx.set(_bits_of(stream), pack(_shape_of(stream), value))
    ctx.set(stream.valid, 1)
    for waited in range(timeout):
        _, _, ready = await ctx.tick().sample(stream.ready)
        if ready:
            ctx.set(stream.valid, 0)
            return waited
    raise AssertionError(f"stream was not ready for {timeout} cycles")


async def get(ctx, stream, *, timeout: int = 10_000):
    """Transfer one payload out of ``stream``."""
    ctx.set(stream.ready, 1)
    for _ in range(timeout):
        _, _, valid, bits = await ctx.tick().sample(stream.valid, _bits_of(stream))
        if valid:
            ctx.set(stream.ready, 0)
            return unpack(_shape_of(stream), bits)
    raise AssertionError(f"stream was not valid for {timeout} cycles")


async def assert_quiet(ctx, stream, cycles: int):
    """Assert that ``stream`` offers nothing for ``cycles`` cycles."""
    for _ in range(cycles):
        _, _, valid = await ctx.tick().sample(stream.valid)
        assert not valid, f"unexpected payload {unpack(_shape_of(stream), ctx.get(_bits_of(stream)))}"


@dataclass
class Source:
    """Feeds ``items`` into an input stream.

    ``idle`` is the probability of an idle cycle before each item; ``gate`` (cycle -> bool), where given, must allow
    an item to be offered. ``cycles`` holds the cycle of each transfer afterwards.
    """

    stream: object
    items: list
    idle: float = 0.0
    gate: object = None
    cycles: list = field(default_factory=list)


@dataclass
class Sink:
    """Takes items from an output stream.

    ``stall`` is the probability of a cycle without ready; ``gate`` (cycle -> bool), where given, must allow ready.
    ``expect`` is the number of items to wait for (more is a failure), None for any number. Payload bits outside
    ``mask`` are undefined: zero in ``items``. ``items`` and
    ``cycles`` hold what came and when it was transferred, ``offered`` the cycle when it was first valid.
    """

    stream: object
    stall: float = 0.0
    expect: int | None = None
    gate: object = None
    mask: int = -1
    items: list = field(default_factory=list)
    cycles: list = field(default_factory=list)
    offered: list = field(default_factory=list)


def run_streams(dut, sources=(), sinks=(), *, seed=0, limit=100_000, quiet=30, setup=None, each=None):
    """Simulate ``dut`` until every source is empty and every sink has what it expects, then ``quiet`` cycles more.

    ``setup(ctx)`` sets plain inputs once; ``each(ctx, cycle)`` runs before every clock edge, after the stream inputs
    of the cycle are set. Returns the number of cycles until everything expected had come (without the quiet ones).

    Raises AssertionError when it takes more than ``limit`` cycles, when a stream breaks the rule that valid and
    payload hold until ready, or when a sink gets more than it expects.
    """
    rng = random.Random(seed)
    sources, sinks = list(sources), list(sinks)
    finished = []

    async def bench(ctx):
        if setup is not None:
            setup(ctx)
        packed = [[pack(_shape_of(s.stream), item) for item in s.items] for s in sources]
        offering = [False] * len(sources)
        held = [None] * len(sinks)
        first = [None] * len(sinks)
        watched = [s.stream.ready for s in sources]
        for sink in sinks:
            watched += [sink.stream.valid, _bits_of(sink.stream)]
        cycle, left = 0, quiet
        while left:
            for n, source in enumerate(sources):
                if not offering[n] and len(source.cycles) < len(packed[n]) and rng.random() >= source.idle:
                    if source.gate is None or source.gate(cycle):
                        offering[n] = True
                        ctx.set(_bits_of(source.stream), packed[n][len(source.cycles)])
                ctx.set(source.stream.valid, offering[n])
            ready = [rng.random() >= s.stall and (s.gate is None or bool(s.gate(cycle))) for s in sinks]
            for sink, now in zip(sinks, ready, strict=True):
                ctx.set(sink.stream.ready, now)
            if each is not None:
                each(ctx, cycle)
            _, _, *seen = await ctx.tick().sample(*watched)
            for n, source in enumerate(sources):
                if offering[n] and seen[n]:
                    source.cycles.append(cycle)
                    offering[n] = False
            for n, sink in enumerate(sinks):
                valid, bits = seen[len(sources) + 2 * n : len(sources) + 2 * n + 2]
                bits &= sink.mask
                if held[n] is not None:
                    assert valid, f"cycle {cycle}: sink {n} lost valid before ready"
                    assert bits == held[n], f"cycle {cycle}: sink {n} changed its payload before ready"
                if valid and held[n] is None:
                    first[n] = cycle
                held[n] = bits if valid and not ready[n] else None
                if valid and ready[n]:
                    sink.items.append(unpack(_shape_of(sink.stream), bits))
                    sink.cycles.append(cycle)
                    sink.offered.append(first[n])
                    extra = sink.expect is not None and len(sink.items) > sink.expect
                    assert not extra, f"cycle {cycle}: sink {n} got an extra item {sink.items[-1]}"
            cycle += 1
            done = all(len(s.cycles) == len(s.items) for s in sources) and all(
                s.expect is None or len(s.items) == s.expect for s in sinks
            )
            if done:
                if not finished:
                    finished.append(cycle)
                left -= 1
            state = [f"{len(s.cycles)}/{len(s.items)} sent" for s in sources]
            state += [f"{len(s.items)}/{s.expect} got" for s in sinks]
            assert done or cycle < limit, f"not finished after {limit} cycles: {', '.join(state)}"

    simulate(dut, bench)
    return finished[0]
