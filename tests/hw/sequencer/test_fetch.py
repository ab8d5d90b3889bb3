"""Command fetch against the command formats and rules: good commands, every header fault, every field's range."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.program import COMMAND_BYTES, COMMANDS, HEADER, OPCODES, pack
from reprise.hw.arch.rule_kinds import AddressFits, Aligned, Range
from reprise.hw.arch.rules import rules
from reprise.hw.sequencer.fetch import CommandFetch
from tests.hw.sequencer.bench import TINY, random_fields
from tests.support.simulation import simulate


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
        cycles = 1
        while not ctx.get(dut.o_request.valid):
            await ctx.tick()
            cycles += 1
        assert cycles == CommandFetch.LATENCY
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

    simulate(dut, bench, limit=50_000)


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
        for rule in rules(TINY, opcode):
            if isinstance(rule, Range) and rule.low > 0:
                bad(opcode, **{rule.field: rule.low - 1})
            if isinstance(rule, Range) and rule.high.value < 2 ** bits[rule.field] - 1:
                bad(opcode, **{rule.field: rule.high.value + 1})
            if isinstance(rule, Aligned):
                bad(opcode, **{rule.field: rule.step.value // 2})
            if isinstance(rule, AddressFits):
                bad(opcode, **{rule.field: 1 << 40})
    bad("LOAD_SEGMENTS", count=TINY.segments, target=1)
    bad("RUN", weights_keep=1, k_tiles=TINY.weight_tiles + 1)
    bad("RUN", weights_hold=1)
    bad("RUN", weights_ready=1)
    bad("RUN", readout=0, levels=0)
    bad("RUN", readout=0, int_bytes=0, out_planes=0)
    bad("RUN", readout=1, int_bytes=0, pool=1)
    bad("RUN", int_bytes=2, int_groups=0)
    for size in (3, 5, 6, 7):
        bad("RUN", int_bytes=size)
    bad("RUN", readout=1, int_bytes=4, pool=2)
    bad("RUN", channels=TINY.neuron_lanes + 1, groups=1)
    bad("LOAD_SEGMENTS", target=1, count=1)
    words = TINY.feature_words
    bad("LOAD_FEATURES", target=words - 2, target_stride=0, bytes=16)
    bad("LOAD_FEATURES", target=0, target_stride=words // 2, chunks=3, bytes=8)
    bad("LOAD_FEATURES", target=0, target_stride=0xFFFE, chunks=0xFFFF, bytes=(1 << 32) - 8)
    commands.append((pack("RUN", **random_fields(rng, TINY, "RUN")), 0, 0, "good again"))
    check_commands(TINY, commands)


def test_pools():
    """Of the sixteen values of its field, a max pool may have 1 to 4: what the output side can count."""
    rng = random.Random(4)
    pools = [(pool, not 1 <= pool <= 4) for pool in range(16)]
    runs = [
        (pack("RUN", **random_fields(rng, TINY, "RUN") | {"pool": p, "readout": 0}), 0, bad, f"pool {p}")
        for p, bad in pools
    ]
    check_commands(TINY, runs)
