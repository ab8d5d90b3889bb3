"""Commands with random legal fields, and who offers them to a job scheduler, for the tests of the sequencer."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.products import product_violations
from reprise.hw.arch.program import ADDRESS_BITS, COMMANDS, built, pack
from reprise.hw.arch.rule_kinds import Aligned, Range
from reprise.hw.arch.rules import rules, violations
from reprise.hw.sequencer.scheduler import LOAD_CHECK

TINY = HardwareConfig.load("tiny")


def field_limits(f):
    """Least and largest value that a field's bits hold."""
    return (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, (1 << f.bits) - 1)


def random_fields(rng, config, opcode):
    """Field values that obey every rule (of a RUN: one that does not keep its weights)."""
    ranges = {r.field: (r.low, r.high.value) for r in rules(config, opcode) if isinstance(r, Range)}
    aligned = {r.field for r in rules(config, opcode) if isinstance(r, Aligned)}
    size = config.bus_bits // 8
    values = {}
    for f in built(config, COMMANDS[opcode]):
        low, high = ranges.get(f.name, field_limits(f))
        if f.name in aligned:
            high = min(high, (1 << ADDRESS_BITS) - 1) if f.bits == 64 else high
            values[f.name] = max(size, rng.randint(low, high) // size * size)
        else:
            values[f.name] = rng.choice([low, high, rng.randint(low, high)])
    if opcode == "LOAD_FEATURES":
        words, word = max(1, config.bus_bits // config.feature_bits), config.feature_bits // 8
        target = rng.randrange(0, config.feature_words, words)
        chunks = rng.randint(1, (config.feature_words - target) // words)
        step = rng.randint(1, (config.feature_words - target) // words // chunks) * words
        values |= {"target": target, "target_stride": step, "chunks": chunks}
        values["bytes"] = rng.randint(1, step // words) * words * word
    if opcode == "LOAD_SEGMENTS":
        values["target"] = rng.choice([0, config.segments // 2])
        values["count"] = rng.randint(1, config.segments - values["target"])
    if opcode == "RUN":
        values["groups"] = -(-values["channels"] // config.neuron_lanes)
        values["pool"] = 1 if values["readout"] else values["pool"]
        values |= {"weights_keep": 0, "weights_ready": 0, "weights_hold": 0}
        values["levels"] = max(1, values["levels"])
        values["out_planes"] = max(1, values["out_planes"])
        values["int_bytes"] = rng.choice([1, 2, 4] if values["readout"] else [0, 1, 2, 4])
        values["int_groups"] = max(1, values["int_groups"])
        if "pool_ready" in values:
            values |= {"pool_ready": 0, "pool_hold": 0}
        if "addend_bytes" in values:
            values["addend_bytes"] = rng.choice([0, 1, 2, 4])
            values["pool"] = 1 if values["addend_bytes"] else values["pool"]
            values["shift"] = rng.randint(0, config.max_planes - values["planes"])
        if values.get("join_planes"):
            values |= {"readout": 0, "int_bytes": 0, "pool": 1, "join_levels": max(1, values["join_levels"])}
    broken = violations(config, opcode, values) + (
        product_violations(config, opcode, values) if opcode != "RUN" else []
    )
    assert not broken, "a rule that random_fields doesn't know"
    return values


class Play:
    """Drives a dispatcher with commands; the order of what it issues."""

    def __init__(self, dut):
        self.dut = dut

    async def begin(self, ctx):
        """Nothing is under way, and parameters for all groups have been loaded."""
        for name in ("enable", "loads_idle", "writes_idle", "run_done", "products_done"):
            ctx.set(getattr(self.dut, name), 1)
        ctx.set(self.dut.o_load.ready, 1)
        await self.offer(ctx, "LOAD_PARAMS", source=64, groups=TINY.groups)
        assert await self.taken_after(ctx, 1)
        ctx.set(self.dut.o_load.ready, 0)
        await ctx.tick().repeat(LOAD_CHECK)

    async def offer(self, ctx, opcode, **fields):
        command = pack(opcode, **fields)
        ctx.set(self.dut.command, int.from_bytes(command, "little"))
        await ctx.tick()  # the fetch has a command's bits before it offers the command
        ctx.set(self.dut.valid, 1)

    async def taken_after(self, ctx, cycles):
        """Whether the command is taken within so many cycles."""
        for _ in range(cycles):
            _, _, take, finished = await ctx.tick().sample(self.dut.take, self.dut.finished)
            if take or finished:
                ctx.set(self.dut.valid, 0)
                return True
        return False
