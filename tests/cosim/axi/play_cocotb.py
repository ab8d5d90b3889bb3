"""The cocotb side of ``test_checker``: plays scenarios into ``axi_checker``, each after a reset."""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer
from cocotb.types import LogicArray


async def tick(dut: Any, values: dict) -> None:
    """Apply values, of which "x" is unknown, and let the clock rise and fall."""
    for name, value in values.items():
        port = getattr(dut, name)
        port.value = LogicArray("X" * len(port)) if value == "x" else value
    for level in (0, 1):
        dut.clk.value = level
        await Timer(5, "ns")


@cocotb.test()
async def play(dut: Any) -> None:
    job = json.loads(Path(os.environ["AXI_SCENARIOS"]).read_text())
    found = {}
    for name, cycles in job["scenarios"].items():
        for reset in (1, 1, 0):
            await tick(dut, {**job["quiet"], "rst": reset})
        before = int(dut.errors.value)
        rules = []
        for values in cycles:
            count = int(dut.errors.value)
            await tick(dut, {**job["quiet"], "rst": 0, **values})
            await Timer(1, "ns")
            if int(dut.errors.value) != count:
                rules.append(int(dut.rule.value).to_bytes(80, "big").strip(b"\0").decode())
        found[name] = {"errors": int(dut.errors.value) - before, "rules": rules, "open": int(dut.open.value)}
    Path(os.environ["AXI_FOUND"]).write_text(json.dumps(found))
