"""The cocotb side of :mod:`reprise.cosim.bench.axi`: masters and memory of cocotbext-axi, with random backpressure on
every channel."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from ...hw.csr.register_map import OFFSETS


def pauses(seed: int, probability: float) -> Iterator[bool]:
    """Yield an endless random pattern in which a channel that pauses often does so for several cycles."""
    r = random.Random(seed)
    while True:
        pause = r.random() < probability
        for _ in range(r.choice((1, 1, 2, 5, 17))):
            yield pause


class Bench:
    """The design between a host's master and a memory."""

    def __init__(self, dut: Any, probability: float, seed: int) -> None:
        self.dut = dut
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=1 << 40)
        sides = (self.host.write_if, self.host.read_if, self.ram.write_if, self.ram.read_if)
        channels = [getattr(s, f"{n}_channel") for s in sides for n in ("aw", "w", "b", "ar", "r")
                    if hasattr(s, f"{n}_channel")]  # fmt: skip
        assert len(channels) == 10, "five channels on each side"
        for n, channel in enumerate(channels):
            channel.set_pause_generator(pauses(seed * 100 + n, probability))

    async def reset(self) -> None:
        """Reset the design for a few cycles."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 5)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    async def write(self, register: str, value: int) -> None:
        """Write a register by its name."""
        await self.host.write_dword(OFFSETS[register], value)

    async def read(self, register: str) -> int:
        """Read a register by its name."""
        return await self.host.read_dword(OFFSETS[register])

    async def job(self, registers: dict[str, int], timeout: int) -> int:
        """Start a job, wait for its interrupt, take that back, and return STATUS."""
        for register, value in {"IRQ_ENABLE": 1, **registers}.items():
            await self.write(register, value)
        await self.write("CONTROL", 1)
        if not int(self.dut.irq.value):
            limit = ClockCycles(self.dut.clk, timeout)
            assert await First(RisingEdge(self.dut.irq), limit) is not limit, f"no interrupt within {timeout} cycles"
        status = await self.read("STATUS")
        await self.write("IRQ_STATUS", 1)
        await ClockCycles(self.dut.clk, 3)
        assert not int(self.dut.irq.value), "the interrupt stays"
        return status


@cocotb.test()
async def play(dut: Any) -> None:
    """Run the same job twice, and write the memory to a file afterwards."""
    env = os.environ
    bench = Bench(dut, float(env["AXI_PAUSE"]), int(env["AXI_SEED"]))
    Clock(dut.clk, 10, unit="ns").start()
    await bench.reset()
    memory = Path(env["AXI_MEMORY"]).read_bytes()
    for _ in range(2):
        bench.ram.write(0, memory)
        status = await bench.job(json.loads(env["AXI_START"]), int(env["AXI_TIMEOUT"]))
        assert status & 0xFF0F == 2, f"STATUS 0x{status:08x}"
    Path(env["AXI_CYCLES"]).write_text(str(await bench.read("CYCLES_LO")))
    await ClockCycles(dut.clk, 100)
    Path(env["AXI_RESULT"]).write_bytes(bench.ram.read(0, len(memory)))
