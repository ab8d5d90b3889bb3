"""Registers: the generated files are those of the source; every access, strobes, errors, random handshakes."""

from __future__ import annotations

import random

import pytest

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.axi.ports import OKAY, SLVERR
from reprise.hw.csr.counters import Counters
from reprise.hw.csr.register_map import COUNTERS, FIELDS, OFFSETS
from reprise.hw.csr.registers import Registers, port_name
from reprise.hw.interface.events import events_layout
from tests.support.simulation import simulate


def test_generated_files_are_current():
    pytest.importorskip("systemrdl")
    from reprise.hw.csr.generate import outputs

    for path, text in outputs().items():
        assert path.read_text() == text, f"{path.name} is stale: run make docs"


def test_map_is_sound():
    """Offsets are distinct words; fields neither overlap nor leave their register; every counter counts an event."""
    assert len(set(OFFSETS.values())) == len(OFFSETS)
    assert all(offset % 4 == 0 and offset < 4096 for offset in OFFSETS.values())
    for fields in FIELDS.values():
        used = 0
        for low, bits, _, reset in fields.values():
            mask = ((1 << bits) - 1) << low
            assert not used & mask and mask < 1 << 32 and reset < 1 << bits
            used |= mask
    assert set(COUNTERS.values()) <= set(events_layout(HardwareConfig.load("tiny")).members)


class Host:
    """AXI4-Lite master that idles at random on every channel."""

    def __init__(self, ctx, dut, idle, seed=0):
        self.ctx, self.dut, self.idle = ctx, dut, idle
        self.rng = random.Random(seed)

    def port(self, name):
        return getattr(self.dut, name)

    async def wait(self):
        while self.rng.random() < self.idle:
            await self.ctx.tick()

    async def write(self, address, value, strobe=0xF):
        ctx, todo = self.ctx, {"aw", "w"}
        ctx.set(self.dut.awaddr, address)
        ctx.set(self.dut.wdata, value)
        ctx.set(self.dut.wstrb, strobe)
        offered = set()
        while todo:
            offered |= {channel for channel in ("aw", "w") if channel in todo and self.rng.random() >= self.idle}
            for channel in ("aw", "w"):
                ctx.set(self.port(channel + "valid"), channel in todo & offered)
            _, _, aw, w = await ctx.tick().sample(self.dut.awready, self.dut.wready)
            todo -= {c for c, ready in (("aw", aw), ("w", w)) if ready and c in offered}
        ctx.set(self.dut.awvalid, 0)
        ctx.set(self.dut.wvalid, 0)
        await self.wait()
        return await self.answer("b", self.dut.bresp)

    async def read(self, address):
        await self.wait()
        self.ctx.set(self.dut.araddr, address)
        self.ctx.set(self.dut.arvalid, 1)
        await self.ctx.tick().until(self.dut.arready)
        self.ctx.set(self.dut.arvalid, 0)
        await self.wait()
        value = await self.answer("r", self.dut.rdata, self.dut.rresp)
        return value

    async def answer(self, channel, *payload):
        self.ctx.set(self.port(channel + "ready"), 1)
        values = await self.ctx.tick().sample(*payload).until(self.port(channel + "valid"))
        self.ctx.set(self.port(channel + "ready"), 0)
        return values if len(values) > 1 else values[0]


def readable(register):
    return {f: spec for f, spec in FIELDS[register].items() if spec[2] != "w1"}


@pytest.mark.parametrize("idle", [0.0, 0.6])
def test_every_register(idle):
    dut = Registers()
    rng = random.Random(4)

    async def bench(ctx):
        host = Host(ctx, dut, idle)
        shadow = {}
        for register, fields in FIELDS.items():
            for field, (_, bits, access, reset) in fields.items():
                if access == "r":
                    shadow[register, field] = rng.getrandbits(bits)
                    ctx.set(getattr(dut, port_name(register, field)), shadow[register, field])
                else:
                    shadow[register, field] = reset

        async def check():
            for register, offset in OFFSETS.items():
                value, response = await host.read(offset)
                expected = sum(shadow[register, f] << spec[0] for f, spec in readable(register).items())
                assert (value, response) == (expected, OKAY), register

        await check()
        for _ in range(40):
            register = rng.choice(list(OFFSETS))
            value, strobe = rng.getrandbits(32), rng.choice([0xF, 0xF, rng.getrandbits(4)])
            assert await host.write(OFFSETS[register], value, strobe) == OKAY
            mask = sum(0xFF << (8 * n) for n in range(4) if strobe >> n & 1)
            for field, (low, bits, access, _) in FIELDS[register].items():
                part, enable = value >> low & ((1 << bits) - 1), mask >> low & ((1 << bits) - 1)
                if access == "rw":
                    shadow[register, field] = shadow[register, field] & ~enable | part & enable
                elif access == "w1c":
                    shadow[register, field] &= ~(part & enable)
        await check()

    simulate(dut, bench)


@pytest.mark.parametrize("address", [0x030, 0x0FC, 0xFFC])
def test_unknown_address_is_refused(address):
    dut = Registers()
    assert address not in OFFSETS.values()

    async def bench(ctx):
        host = Host(ctx, dut, 0.3)
        value, response = await host.read(address)
        assert (value, response) == (0, SLVERR)
        assert await host.write(address, 0xFFFFFFFF) == SLVERR
        for register in ("WATCHDOG", "PROGRAM_LO", "IRQ_ENABLE"):
            value, response = await host.read(OFFSETS[register])
            assert (value, response) == (sum(spec[3] << spec[0] for spec in FIELDS[register].values()), OKAY)

    simulate(dut, bench)


def test_pulses_and_clearing():
    """A start bit acts for one cycle; the interrupt flag is set by hardware, cleared by writing 1, and not by 0."""
    dut = Registers()
    pulses = []

    async def watch(ctx):
        while True:
            _, _, start, stop = await ctx.tick().sample(dut.control_start, dut.control_stop)
            pulses.append((start, stop))

    async def bench(ctx):
        host = Host(ctx, dut, 0.0)
        await host.write(OFFSETS["CONTROL"], 1)
        await host.write(OFFSETS["CONTROL"], 2, strobe=0xE)  # its byte isn't enabled
        await host.write(OFFSETS["CONTROL"], 0)
        assert [sum(p) for p in zip(*pulses, strict=True)] == [1, 0]
        ctx.set(dut.irq_status_done_set, 1)
        await ctx.tick()
        ctx.set(dut.irq_status_done_set, 0)
        for value, expected in ((0, 1), (1, 0)):
            await host.write(OFFSETS["IRQ_STATUS"], value)
            assert (await host.read(OFFSETS["IRQ_STATUS"]))[0] == expected

    simulate(dut, bench, background=[watch])


def test_counters_and_snapshots():
    """Every counter counts its own event by its amount; a snapshot holds while counting goes on; clear starts anew."""
    config = HardwareConfig.load("tiny").replace(banks=2)
    dut = Counters(config)
    rng = random.Random(6)
    layout = events_layout(config)

    async def bench(ctx):
        for _ in range(2):
            ctx.set(dut.clear, 1)
            ctx.set(dut.events, {})
            await ctx.tick()
            ctx.set(dut.clear, 0)
            ctx.set(dut.run, 1)
            total = dict.fromkeys(layout.members, 0)
            for _ in range(50):
                step = {name: rng.randrange(3 if name == "reuse_rows" else 2) for name in layout.members}
                for name, value in step.items():
                    total[name] += value
                ctx.set(dut.events, step)
                await ctx.tick()
            ctx.set(dut.events, {})
            ctx.set(dut.run, 0)
            await ctx.tick()
            ctx.set(dut.snapshot, 1)
            await ctx.tick()
            ctx.set(dut.snapshot, 0)
            ctx.set(dut.events, dict.fromkeys(layout.members, 1))
            for _ in range(5):
                await ctx.tick()
            assert [ctx.get(dut.value[n]) for n in range(len(COUNTERS))] == [total[e] for e in COUNTERS.values()]
            assert ctx.get(dut.cycles) == 50

    simulate(dut, bench)
