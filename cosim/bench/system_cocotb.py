"""The cocotb side of ``cosim.bench.system``: plays the host's steps (JSON) in ``system_tb`` and writes what it saw."""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import First, RisingEdge, Timer, ValueChange

PERIOD = 10  # ns of simulated time, in which the main program makes a cycle of the clock
SIGNALS = ("latency", "stall", "gap", "seed", "fault_first", "fault_last")


class Host:
    """A host that makes one register access at a time, by the bench's own AXI4-Lite master."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    async def access(self, address: int, value: int | None = None) -> int:
        """Write ``value``, or read if it is None; return the value read, or -1 if the access is refused (SLVERR)."""
        dut = self.dut
        dut.host_address.value = address
        dut.host_write.value = value is not None
        dut.host_data.value = value or 0
        dut.host_request.value = 1 - int(dut.host_request.value)
        await self.within(ValueChange(dut.host_done), 10_000, f"register access at 0x{address:x}")
        if int(dut.host_response.value):
            return -1
        return int(dut.host_value.value)

    async def within(self, trigger: Any, cycles: int, what: str) -> None:
        """Wait for a trigger, for at most so many cycles."""
        timeout = Timer(cycles * PERIOD, "ns")
        if await First(trigger, timeout) is timeout:
            raise AssertionError(
                f"{what}: nothing happened for {cycles} cycles, up to cycle {int(self.dut.cycle.value)}"
            )

    async def irq(self, cycles: int) -> None:
        """Wait for the interrupt, for at most so many cycles."""
        if not int(self.dut.irq.value):
            await self.within(RisingEdge(self.dut.irq), cycles, "interrupt")
            await Timer(PERIOD, "ns")

    async def dump(self, first: int, last: int, target: str) -> None:
        """Write the memory's words ``first`` to ``last`` to a file."""
        dut = self.dut
        dut.dump_first.value, dut.dump_last.value = first, last
        dut.dump_request.value = 1 - int(dut.dump_request.value)
        await Timer(3 * PERIOD, "ns")
        Path(os.environ["SYSTEM_DUMP"]).rename(target)

    async def load(self, path: str = "") -> None:
        """Read the memory's file again, or from now on another one."""
        if path:
            file = Path(os.environ["SYSTEM_MEMORY"])
            file.unlink()
            file.symlink_to(path)
        self.dut.load_request.value = 1 - int(self.dut.load_request.value)
        await Timer(3 * PERIOD, "ns")


async def play(dut: Any, host: Host, step: list) -> Any:
    """Play one step and return what it gives, which is None for most of them."""
    kind, *arguments = step
    if kind == "write":
        return await host.access(*arguments)
    if kind == "read":
        return await host.access(arguments[0])
    if kind == "poll":
        address, mask, wanted, cycles = arguments
        end = int(dut.cycle.value) + cycles
        while (value := await host.access(address)) & mask != wanted:
            assert int(dut.cycle.value) < end, f"register 0x{address:x} still 0x{value:x} after {cycles} cycles"
            await Timer(100 * PERIOD, "ns")
        return value
    if kind == "irq":
        await host.irq(*arguments)
        return int(dut.cycle.value)
    if kind == "mark":
        return int(dut.cycle.value)
    if kind == "no_irq":
        assert not int(dut.irq.value), "an interrupt that should not be"
        return None
    if kind == "wait":
        await Timer(arguments[0] * PERIOD, "ns")
        return int(dut.cycle.value)
    if kind == "set":
        getattr(dut, arguments[0]).value = arguments[1]
        return None
    if kind == "dump":
        return await host.dump(*arguments)
    if kind == "load":
        return await host.load(*arguments)
    raise ValueError(f"unknown step {kind!r}")


@cocotb.test()
async def steps(dut: Any) -> None:
    """Reset the design, play every step in order, and write down what they gave."""
    job = json.loads(Path(os.environ["SYSTEM_STEPS"]).read_text())
    dut.reset.value = 1
    for name in ("host_request", "host_write", "host_address", "host_data", "dump_request", "load_request"):
        getattr(dut, name).value = 0
    dut.dump_first.value = dut.dump_last.value = 0
    for name in SIGNALS:
        getattr(dut, name).value = job["signals"][name]
    await Timer(5 * PERIOD, "ns")
    dut.reset.value = 0
    await Timer(2 * PERIOD, "ns")
    host, results = Host(dut), []
    out = Path(os.environ["SYSTEM_RESULTS"])
    try:
        for step in job["steps"]:
            results.append(await play(dut, host, step))
    finally:
        end = {name: int(getattr(dut, name).value) for name in ("cycle", "beats_read", "beats_written")}
        out.write_text(json.dumps({"results": results, **end}))
