"""Command fetch, dispatch and the life of a job, against the command formats and rules, without a data path."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator

from hw.config import HardwareConfig
from hw.program import COMMAND_BYTES, COMMANDS, HEADER, OPCODES, pack
from hw.sequencer import (
    ERROR_COMMAND,
    ERROR_FIELD,
    ERROR_READ,
    ERROR_STOPPED,
    ERROR_WATCHDOG,
    ERROR_WRITE,
    RESET_CYCLES,
    Dispatcher,
    Sequencer,
)
from hw.sequencer_fetch import CommandFetch
from hw.sequencer_rules import aligned, ranges
from tests.stream_helpers import unpack

TINY = HardwareConfig.load("tiny")


def random_fields(rng, config, opcode):
    """Field values that obey every rule."""
    limits = {name: (low, high) for name, low, high in ranges(config, opcode)}
    size = config.bus_bits // 8
    values = {}
    for f in COMMANDS[opcode]:
        low, high = limits.get(
            f.name, (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, 2**f.bits - 1)
        )
        if f.name in aligned(opcode):
            high = min(high, 2**40 - 1) if f.bits == 64 else high
            values[f.name] = max(size, rng.randint(low, high) // size * size)
        else:
            values[f.name] = rng.choice([low, high, rng.randint(low, high)])
    if opcode == "LOAD_SEGMENTS":
        values["count"] = rng.randint(1, config.segments - values["target"])
    if opcode == "RUN":
        values |= {"weights_keep": 0, "weights_ready": 0, "weights_hold": 0}
        values["levels"] = max(1, values["levels"])
        values["out_planes"] = max(1, values["out_planes"])
    return values


def simulate(dut, *benches, background=(), limit=50_000):
    async def limiter(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"not finished after {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)
    for bench in (*background, limiter):
        sim.add_testbench(bench, background=True)
    sim.run()


async def feed(ctx, dut, command, rng, idle=0.3):
    """Answer the fetch's request with one command; the address it asked for."""
    size = len(dut.i.payload) // 8
    ctx.set(dut.o_request.ready, 1)
    request = await ctx.tick().sample(dut.o_request.payload).until(dut.o_request.valid)
    ctx.set(dut.o_request.ready, 0)
    assert request[0].beats * size == COMMAND_BYTES
    for at in range(0, COMMAND_BYTES, size):
        while rng.random() < idle:
            await ctx.tick()
        ctx.set(dut.i.payload, int.from_bytes(command[at : at + size], "little"))
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
    while not ctx.get(dut.valid):
        await ctx.tick()
    return request[0].address


def check_commands(config, commands, seed=0):
    """Feed commands (bytes, expected header flag, expected field flag) one after the other."""
    dut = CommandFetch(config)
    rng = random.Random(seed)

    async def bench(ctx):
        ctx.set(dut.program, 0x12_3456_0000)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for n, (command, bad_header, bad_field, what) in enumerate(commands):
            address = await feed(ctx, dut, command, rng, idle=0.1)
            assert address == 0x12_3456_0000 + n * COMMAND_BYTES
            assert ctx.get(dut.command) == int.from_bytes(command, "little")
            assert ctx.get(dut.bad_header) == bad_header, what
            if not bad_header:
                assert ctx.get(dut.bad_field) == bad_field, what
            # The next command is asked for ahead, but nothing behind an END or what isn't a command.
            more = not bad_header and command[0] != OPCODES["END"]
            assert ctx.get(dut.o_request.valid) == more, what
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)

    simulate(dut, bench)


@pytest.mark.parametrize("bus_bits", [64, 512])
def test_good_commands(bus_bits):
    config = TINY.replace(bus_bits=bus_bits, lanes=64)
    rng = random.Random(bus_bits)
    commands = []
    for _ in range(8):
        for opcode in OPCODES:
            commands.append((pack(opcode, **random_fields(rng, config, opcode)), 0, 0, opcode))
    check_commands(config, commands)


def test_reserved_bits_and_headers():
    """Every kind of header fault, and single reserved bits all over each command."""
    rng = random.Random(1)
    commands = []
    for opcode in OPCODES:
        good = int.from_bytes(pack(opcode, **random_fields(rng, TINY, opcode)), "little")
        named = 0
        for f in HEADER + COMMANDS[opcode]:
            named |= ((1 << f.bits) - 1) << (32 * f.word + f.offset)
        free = [bit for bit in range(COMMAND_BYTES * 8) if not named >> bit & 1]
        for bit in {free[0], free[-1], *rng.sample(free, 6)}:
            commands.append(((good ^ 1 << bit).to_bytes(COMMAND_BYTES, "little"), 1, 0, f"{opcode} bit {bit}"))
        for bit in (16, 31):  # magic
            commands.append(((good ^ 1 << bit).to_bytes(COMMAND_BYTES, "little"), 1, 0, f"{opcode} magic"))
        commands.append((good.to_bytes(COMMAND_BYTES, "little"), 0, 0, f"{opcode} after faults"))
    for code in (6, 7, 255):
        commands.append((bytes([code]) + pack("END")[1:], 1, 0, f"opcode {code}"))
    commands.append((bytes(COMMAND_BYTES), 1, 0, "zeros"))
    check_commands(TINY, commands)


def test_field_ranges():
    """Each field just below and just above its range, each misaligned or too large address, each combination rule."""
    rng = random.Random(2)
    commands = []

    def bad(opcode, **changes):
        values = random_fields(rng, TINY, opcode) | changes
        commands.append((pack(opcode, **values), 0, 1, f"{opcode} {changes}"))

    for opcode, fields in COMMANDS.items():
        bits = {f.name: f.bits for f in fields}
        for name, low, high in ranges(TINY, opcode):
            if low > 0:
                bad(opcode, **{name: low - 1})
            if high < 2 ** bits[name] - 1:
                bad(opcode, **{name: high + 1})
        for name in aligned(opcode):
            bad(opcode, **{name: 4})
            if bits[name] == 64:
                bad(opcode, **{name: 1 << 40})
    bad("LOAD_SEGMENTS", count=TINY.segments, target=1)
    bad("RUN", weights_keep=1, k_tiles=TINY.weight_tiles + 1)
    bad("RUN", weights_hold=1)
    bad("RUN", weights_ready=1)
    bad("RUN", readout=0, levels=0)
    bad("RUN", readout=0, out_planes=0)
    commands.append((pack("RUN", **random_fields(rng, TINY, "RUN")), 0, 0, "good again"))
    check_commands(TINY, commands)


class Play:
    """Drives a dispatcher with commands; the order of what it issues."""

    def __init__(self, dut):
        self.dut = dut

    async def offer(self, ctx, opcode, **fields):
        command = pack(opcode, **fields)
        ctx.set(self.dut.command, int.from_bytes(command, "little"))
        ctx.set(self.dut.valid, 1)

    async def taken_after(self, ctx, cycles):
        """Whether the command is taken within so many cycles."""
        for _ in range(cycles):
            _, _, take, finished = await ctx.tick().sample(self.dut.take, self.dut.finished)
            if take or finished:
                ctx.set(self.dut.valid, 0)
                return True
        return False


def test_dispatch_order():
    """A RUN waits for loads and for the run before; loads go on beside a run; BARRIER and END wait for everything."""
    dut = Dispatcher(TINY)
    rng = random.Random(3)

    async def bench(ctx):
        play = Play(dut)
        for name in ("enable", "loads_idle", "writes_idle", "run_done"):
            ctx.set(getattr(dut, name), 1)
        run = random_fields(rng, TINY, "RUN")
        load = random_fields(rng, TINY, "LOAD_FEATURES")

        ctx.set(dut.enable, 0)
        await play.offer(ctx, "BARRIER")
        assert not await play.taken_after(ctx, 5), "not enabled"
        ctx.set(dut.enable, 1)
        assert await play.taken_after(ctx, 1)

        await play.offer(ctx, "LOAD_FEATURES", **load)
        assert not await play.taken_after(ctx, 5), "the loader isn't free"
        payload = unpack(dut.o_load.payload.shape(), ctx.get(dut.o_load.payload.as_value()))
        assert payload["source"] == load["source"] and payload["beats"] == load["bytes"] // 8
        assert all(payload[name] == load[name] for name in ("chunks", "stride", "target", "target_stride"))
        ctx.set(dut.o_load.ready, 1)
        assert await play.taken_after(ctx, 1)
        ctx.set(dut.loads_idle, 0)

        await play.offer(ctx, "RUN", **run)
        assert not await play.taken_after(ctx, 5), "a load is under way"
        ctx.set(dut.loads_idle, 1)
        assert await play.taken_after(ctx, 1)
        assert ctx.get(dut.run_start) and ctx.get(dut.run_busy)
        assert all(ctx.get(dut.run[name]) == value for name, value in run.items())
        ctx.set(dut.run_done, 0)
        ctx.set(dut.front_busy, 1)
        await ctx.tick()
        assert not ctx.get(dut.run_start)

        await play.offer(ctx, "LOAD_SEGMENTS", source=64, count=3, target=5)
        assert await play.taken_after(ctx, 1), "loads go on beside a run"
        for opcode, fields in (("BARRIER", {}), ("END", {})):
            await play.offer(ctx, opcode, **fields)
            assert not await play.taken_after(ctx, 5), f"{opcode} beside a run"
        ctx.set(dut.valid, 0)
        assert ctx.get(dut.run_busy) and not ctx.get(dut.prepared)

        following = random_fields(rng, TINY, "RUN")
        await play.offer(ctx, "RUN", **following)
        assert not await play.taken_after(ctx, 5) and not ctx.get(dut.prepared), "the front is in use"
        ctx.set(dut.front_busy, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.front_start) and ctx.get(dut.prepared), "prepared once the front is free"
        ctx.set(dut.front_busy, 1)  # by the run prepared
        assert not await play.taken_after(ctx, 5), "the run before has not ended"
        assert all(ctx.get(dut.front[name]) == value for name, value in following.items())
        assert all(ctx.get(dut.run[name]) == value for name, value in run.items())
        ctx.set(dut.run_done, 1)
        await ctx.tick()
        assert not ctx.get(dut.run_busy) and not ctx.get(dut.run_start)
        assert await play.taken_after(ctx, 1)
        assert ctx.get(dut.run_start) and not ctx.get(dut.prepared)
        assert all(ctx.get(dut.run[name]) == value for name, value in following.items())
        await ctx.tick().repeat(5)
        assert ctx.get(dut.run_busy), "rows or weights are left"
        ctx.set(dut.front_busy, 0)
        await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.run_busy)
        for name in ("writes_idle", "loads_idle"):
            ctx.set(getattr(dut, name), 0)
            for opcode in ("BARRIER", "END"):
                await play.offer(ctx, opcode)
                assert not await play.taken_after(ctx, 5), f"{opcode} while not {name}"
            ctx.set(getattr(dut, name), 1)
        await play.offer(ctx, "END")
        assert await play.taken_after(ctx, 1)

    simulate(dut, bench)


@pytest.mark.parametrize(
    "first, second, refused",
    [
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1, weights_ready=1), False),
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1), True),
        (dict(weights_keep=1), dict(weights_keep=1, weights_ready=1), True),
        (dict(weights_keep=1, weights_hold=1), dict(weights_keep=1, weights_ready=1, k_tiles=1), True),
    ],
    ids=str,
)
def test_held_weights(first, second, refused):
    """Weights are ready exactly when the run before held as many K tiles: else the slots would never fit."""
    dut = Dispatcher(TINY)
    run = random_fields(random.Random(4), TINY, "RUN") | {"k_tiles": 2}

    async def bench(ctx):
        play = Play(dut)
        for name in ("enable", "loads_idle", "writes_idle", "run_done"):
            ctx.set(getattr(dut, name), 1)
        await play.offer(ctx, "RUN", **(run | first))
        assert await play.taken_after(ctx, 2)
        await ctx.tick().repeat(3)
        await play.offer(ctx, "RUN", **(run | second))
        _, _, error, code, start = await ctx.tick().sample(dut.error, dut.code, dut.front_start)
        assert error == refused and not start
        assert not refused or code == ERROR_FIELD
        assert await play.taken_after(ctx, 2) == (not refused)

    simulate(dut, bench)


async def begin(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    cycles = 0
    while not ctx.get(dut.begin):
        assert ctx.get(dut.busy) and not ctx.get(dut.enable)
        cycles += ctx.get(dut.reset)
        await ctx.tick()
    assert cycles == RESET_CYCLES
    await ctx.tick()
    assert ctx.get(dut.enable)


async def ends(ctx, dut, code, *, drain):
    """After an error: halt until the bus is quiet, then reset, then idle with the code."""
    ctx.set(dut.bus_quiet, 0)
    await ctx.tick()
    for _ in range(drain):
        assert ctx.get(dut.halt) and ctx.get(dut.busy) and not ctx.get(dut.enable)
        await ctx.tick()
    ctx.set(dut.bus_quiet, 1)
    await ctx.tick()
    for _ in range(RESET_CYCLES):
        assert ctx.get(dut.reset) and ctx.get(dut.halt) and not ctx.get(dut.done)
        await ctx.tick()
    assert ctx.get(dut.done) and not ctx.get(dut.busy) and ctx.get(dut.code) == code
    await ctx.tick()
    assert not ctx.get(dut.done)


CAUSES = {
    "read_error": ERROR_READ,
    "write_error": ERROR_WRITE,
    "bad_target": ERROR_FIELD,
    "stop": ERROR_STOPPED,
    "command_error": ERROR_COMMAND,
}


def test_every_error_ends_in_idle():
    """Each cause, one job after the other; then a job that ends well."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        ctx.set(dut.command_code, ERROR_COMMAND)
        for cause, code in CAUSES.items():
            await begin(ctx, dut)
            ctx.set(dut.taken, 1)
            await ctx.tick().repeat(3)
            ctx.set(dut.taken, 0)
            ctx.set(getattr(dut, cause), 1)
            ctx.set(dut.bus_quiet, 0)
            await ctx.tick()
            ctx.set(getattr(dut, cause), 0)
            await ends(ctx, dut, code, drain=7)
            assert ctx.get(dut.index) == 3
        await begin(ctx, dut)
        assert ctx.get(dut.index) == 0 and ctx.get(dut.code) == 0
        ctx.set(dut.finished, 1)
        await ctx.tick()
        ctx.set(dut.finished, 0)
        assert ctx.get(dut.done) and not ctx.get(dut.busy) and ctx.get(dut.code) == 0

    simulate(dut, bench)


@pytest.mark.parametrize("limit", [0, 1, 20])
def test_watchdog(limit):
    """Exactly ``limit`` cycles without progress are borne; 0 bears any number."""
    dut = Sequencer(TINY)

    async def bench(ctx):
        ctx.set(dut.bus_quiet, 1)
        ctx.set(dut.watchdog, limit)
        ctx.set(dut.progress, 1)
        await begin(ctx, dut)
        await ctx.tick().repeat(50)
        ctx.set(dut.progress, 0)
        quiet = 0
        while ctx.get(dut.enable) and quiet < 200:
            await ctx.tick()
            quiet += 1
        assert quiet == (limit + 2 if limit else 200)
        if limit:
            await ctx.tick().repeat(RESET_CYCLES + 1)
            assert ctx.get(dut.done) and ctx.get(dut.code) == ERROR_WATCHDOG

    simulate(dut, bench)


def test_start_while_busy_and_dead_bus():
    """A second start is refused and changes nothing; a bus that never answers is given up after the bound."""
    dut = Sequencer(TINY, drain_cycles=30)

    async def bench(ctx):
        await begin(ctx, dut)
        ctx.set(dut.start, 1)
        assert ctx.get(dut.refused) and not ctx.get(dut.started)
        await ctx.tick()
        ctx.set(dut.start, 0)
        assert ctx.get(dut.enable) and not ctx.get(dut.refused)
        ctx.set(dut.stop, 1)
        await ctx.tick()
        ctx.set(dut.stop, 0)
        waited = 0
        while not ctx.get(dut.reset):
            await ctx.tick()
            waited += 1
        assert waited == 31 and ctx.get(dut.bus_hung)
        await ctx.tick().repeat(RESET_CYCLES)
        assert ctx.get(dut.done) and ctx.get(dut.code) == ERROR_STOPPED
        ctx.set(dut.bus_quiet, 1)
        await begin(ctx, dut)
        assert not ctx.get(dut.bus_hung)

    simulate(dut, bench)
