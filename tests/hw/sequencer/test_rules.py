"""The rules of legal commands: the RTL's comparators against the software's evaluation of the same data."""

from __future__ import annotations

import random

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from reprise.hw.arch.program import COMMAND_BYTES, COMMANDS, OPCODES, built, pack
from reprise.hw.arch.rules import decode, follows, order_violations, rules, violations
from reprise.hw.interface.checker import broken, comparators, raw_view
from tests.hw.sequencer.bench import TINY, field_limits, random_fields
from tests.support.simulation import simulate

CONFIGS = {
    "tiny": TINY,
    "wide bus": TINY.replace(bus_bits=512, lanes=64, neuron_lanes=4, segments=1 << 14, max_levels=255),
    "pools": TINY.replace(pool_words=8),
    "addends": TINY.replace(addend_groups=8),
    "joins": TINY.replace(joins=1, max_planes=4),
    "deep": TINY.replace(weight_tiles=1024, tile_m=256, max_timesteps=1024, feature_words=1 << 16),
}


class Checks(wiring.Component):
    """All comparators of one command; a bit per rule, and whether any comparator of the command says so."""

    def __init__(self, config, opcode):
        self.config, self.opcode = config, opcode
        super().__init__(
            {"command": In(COMMAND_BYTES * 8), "rules": Out(max(1, len(rules(config, opcode)))), "refused": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        view = raw_view(self.command, self.opcode)
        bits = [Cat(broken(rule, view)).any() for rule in rules(self.config, self.opcode)]
        m.d.comb += [self.rules.eq(Cat(bits)), self.refused.eq(Cat(comparators(self.config, self.opcode, view)).any())]
        m.d.sync += Signal().eq(0)  # a clock for the simulator
        return m


def edges(config, opcode, field):
    """Values on both sides of every limit of a field, and of what its bits hold."""
    low, high = field_limits(field)
    found = {low, low + 1, high - 1, high, 0, 1, 4, 12, 64, 1 << 39, 1 << 40, 3 << 40}
    for rule in rules(config, opcode):
        if field.name in rule.fields:
            for name in ("low", "high", "most", "step"):
                limit = getattr(rule, name, 0)
                limit = getattr(limit, "value", limit)
                found |= {limit - 1, limit, limit + 1, 2 * limit}
    return sorted(v for v in found if low <= v <= high)


def cases(rng, config, opcode):
    """Fields with one at each of its edges, under all flags and under none, then several at once."""
    flags = {f.name for f in built(config, COMMANDS[opcode]) if f.bits == 1}
    flags = sorted(flags | {rule.flag for rule in rules(config, opcode) if hasattr(rule, "flag")})
    for field in built(config, COMMANDS[opcode]):
        for value in edges(config, opcode, field):
            for flag in range(2):
                yield random_fields(rng, config, opcode) | dict.fromkeys(flags, flag) | {field.name: value}
    for _ in range(150):
        changed = random_fields(rng, config, opcode) | {name: rng.randrange(2) for name in flags}
        for field in rng.choices(built(config, COMMANDS[opcode]), k=rng.randrange(1, 4)):
            changed[field.name] = rng.choice([rng.randint(*field_limits(field)), *edges(config, opcode, field)])
        yield changed


@pytest.mark.parametrize("opcode", [o for o in OPCODES if COMMANDS[o]])
@pytest.mark.parametrize("config", list(CONFIGS))
def test_comparators_and_software_agree(config, opcode):
    """Rule by rule on values around every limit, and on random ones; every rule is seen broken and kept."""
    seed, config = 7, CONFIGS[config]
    print("seed", seed)
    rng = random.Random(seed)
    dut = Checks(config, opcode)
    seen = [set() for _ in rules(config, opcode)]

    async def bench(ctx):
        for fields in cases(rng, config, opcode):
            command = pack(opcode, **fields)
            assert decode(config, command) == (opcode, dict.fromkeys((f.name for f in COMMANDS[opcode]), 0) | fields)
            ctx.set(dut.command, int.from_bytes(command, "little"))
            found = ctx.get(dut.rules)
            for n, rule in enumerate(rules(config, opcode)):
                assert (found >> n & 1) != rule.holds(fields), f"{rule}: {fields}"
                seen[n].add(rule.holds(fields))
            messages = violations(config, opcode, fields)
            assert ctx.get(dut.refused) == bool(messages), messages

    simulate(dut, bench)
    for rule, values in zip(rules(config, opcode), seen, strict=True):
        view = raw_view(Signal(COMMAND_BYTES * 8), opcode)
        can_break = bool(broken(rule, view))
        assert values == ({True, False} if can_break else {True}), f"{rule} is never broken or never kept"


def test_messages_name_field_rule_and_value():
    rng = random.Random(1)

    def message(opcode, **changes):
        (text,) = violations(TINY, opcode, random_fields(rng, TINY, opcode) | changes)
        return text

    assert message("RUN", rows=17) == "RUN.rows must be 1..16 (tile_m), not 17"
    assert message("RUN", reset=3) == "RUN.reset must be 0..2, not 3"
    assert message("RUN", output=4) == "RUN.output must be a multiple of 8 (bus_bits / 8), whole bus words, not 4"
    assert message("RUN", output=1 << 40) == f"RUN.output must be below 2**40, not {1 << 40}"
    assert (
        message("RUN", weights_keep=1, k_tiles=3)
        == "RUN.k_tiles must be at most 2 (weight_tiles) with weights_keep, not 3"
    )
    assert message("RUN", weights_hold=1) == "RUN.weights_ready and weights_hold must be 0 without weights_keep, not 1"
    assert message("RUN", readout=0, levels=0) == "RUN.levels must be at least 1 without readout, not 0"
    text = "LOAD_SEGMENTS.target + count must be at most 128 (segments), not 130"
    assert message("LOAD_SEGMENTS", target=64, count=66) == text
    text = "LOAD_SEGMENTS.target must be 0 or 64 (segments / 2), not 65"
    assert message("LOAD_SEGMENTS", target=65, count=1) == text
    lanes = TINY.neuron_lanes
    text = f"RUN.groups must be channels / {lanes} (neuron_lanes), rounded up, not 1"
    assert message("RUN", channels=lanes + 1, groups=1) == text
    assert message("RUN", int_bytes=0, readout=0, out_planes=0).endswith("at least 1 without int_bytes, not 0")
    assert message("RUN", readout=1, int_bytes=0, pool=1) == "RUN.int_bytes must be at least 1 with readout, not 0"
    assert message("RUN", int_bytes=1, int_groups=0) == "RUN.int_groups must be at least 1 with int_bytes, not 0"
    assert message("RUN", int_bytes=3) == "RUN.int_bytes must be 0 or 1 or 2 or 4, not 3"
    assert message("RUN", readout=1, int_bytes=4, pool=2) == "RUN.pool must be 1 with readout, not 2"
    held = {"weights_ready": 0, "weights_hold": 1, "k_tiles": 2, "tile_depth": 8}
    assert order_violations(TINY, "RUN", held, None) == []
    assert order_violations(TINY, "RUN", {**held, "k_tiles": 1}, held) == [
        "RUN.weights_ready must be weights_hold of the RUN before, and k_tiles and tile_depth then the same, "
        "not 0 (k_tiles 1, tile_depth 8)"
    ]
    assert [opcode for opcode in OPCODES if follows(TINY, opcode)] == ["RUN"]
